"""Forward passes of the zoo's modules on fixed inputs, as the coordinate check runs them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

BATCH, N_TEXT = 4, 4


def waves(*shape: int) -> Tensor:
    """Numbers between -1 and 1 that repeat nowhere."""
    n = torch.Size(shape).numel()
    return torch.sin(torch.arange(1, n + 1) * 12.9898).reshape(shape)


def times() -> Tensor:
    return torch.linspace(1, 999, BATCH)


def tokens() -> Tensor:
    return torch.arange(48).reshape(BATCH, 12) * 7 % 50


def logits(model: nn.Module) -> Tensor:
    return model(tokens()).logits


def last_hidden(model: nn.Module) -> Tensor:
    return model(tokens()).last_hidden_state


def image(model: nn.Module) -> Tensor:
    """A module of timm that returns classes."""
    return model(waves(BATCH, 3, 8, 8))


def large_image(model: nn.Module) -> Tensor:
    return model(waves(BATCH, 3, 64, 64))


def image_logits(model: nn.Module) -> Tensor:
    return model(waves(BATCH, 3, 8, 8)).logits


def image_hidden(model: nn.Module) -> Tensor:
    return model(waves(BATCH, 3, 8, 8)).last_hidden_state


def unet(model: nn.Module) -> Tensor:
    return model(waves(BATCH, 3, 8, 8), times()).sample


def pixart(model: nn.Module) -> Tensor:
    return model(
        waves(BATCH, 4, 8, 8),
        encoder_hidden_states=waves(BATCH, N_TEXT, 12),
        timestep=times(),
        added_cond_kwargs={"resolution": None, "aspect_ratio": None},
    ).sample


def sana(model: nn.Module) -> Tensor:
    return model(
        waves(BATCH, 4, 8, 8), encoder_hidden_states=waves(BATCH, N_TEXT, 12), timestep=times()
    ).sample


def flux(model: nn.Module) -> Tensor:
    return model(
        hidden_states=waves(BATCH, 16, 4),
        encoder_hidden_states=waves(BATCH, N_TEXT, 12),
        pooled_projections=waves(BATCH, 10),
        timestep=times() / 1000,
        img_ids=waves(16, 3),
        txt_ids=torch.zeros(N_TEXT, 3),
    ).sample


def video(model: nn.Module) -> Tensor:
    """Channels before frames, as Wan takes it."""
    return model(
        hidden_states=waves(BATCH, 4, 2, 8, 8),
        timestep=times(),
        encoder_hidden_states=waves(BATCH, N_TEXT, 12),
    ).sample


def cogvideox(model: nn.Module) -> Tensor:
    return model(
        hidden_states=waves(BATCH, 2, 4, 8, 8),
        encoder_hidden_states=waves(BATCH, N_TEXT, 12),
        timestep=times(),
    ).sample


def ltx(model: nn.Module) -> Tensor:
    return model(
        hidden_states=waves(BATCH, 16, 4),
        encoder_hidden_states=waves(BATCH, N_TEXT, 12),
        timestep=times(),
        encoder_attention_mask=torch.ones(BATCH, N_TEXT),
        num_frames=1,
        height=4,
        width=4,
    ).sample


def lumina2(model: nn.Module) -> Tensor:
    return model(
        hidden_states=waves(BATCH, 4, 8, 8),
        timestep=times() / 1000,
        encoder_hidden_states=waves(BATCH, N_TEXT, 12),
        encoder_attention_mask=torch.ones(BATCH, N_TEXT, dtype=torch.bool),
    ).sample


def latte(model: nn.Module) -> Tensor:
    return model(
        waves(BATCH, 4, 16, 8, 8), timestep=times(), encoder_hidden_states=waves(BATCH, N_TEXT, 12)
    ).sample


def qwen_image(model: nn.Module) -> Tensor:
    return model(
        hidden_states=waves(BATCH, 16, 4),
        encoder_hidden_states=waves(BATCH, N_TEXT, 12),
        encoder_hidden_states_mask=torch.ones(BATCH, N_TEXT, dtype=torch.bool),
        timestep=times() / 1000,
        img_shapes=[[(1, 4, 4)]] * BATCH,
    ).sample


FORWARDS: dict[str, Callable[[nn.Module], Tensor]] = {
    "PixArt": pixart,
    "Flux": flux,
    "Sana": sana,
    "Wan": video,
    "CogVideoX": cogvideox,
    "LTX": ltx,
    "Lumina2": lumina2,
    "Latte": latte,
    "QwenImage": qwen_image,
    "UNet2D": unet,
    "Llama": logits,
    "Llama, tied": logits,
    "Llama, two kv heads": logits,
    "Mistral": logits,
    "Qwen2": logits,
    "Gemma": logits,
    "Gemma, constant scale": logits,
    "Mixtral": logits,
    "GPT-2": logits,
    "Mamba2": logits,
    "T5 encoder": last_hidden,
    "BERT": last_hidden,
    "ViT": image_logits,
    "DINOv2": image_hidden,
    "DINOv2, SwiGLU": image_hidden,
    "timm ViT": image,
    "timm EVA": image,
    "timm BEiT": image,
    "timm Mixer": image,
    "timm ConvNeXt": large_image,
    "timm CaiT": image,
}
