"""Modules of diffusers, transformers and timm, built small at any width: what people really train.

Each is called with the width alone; what else grows with it (heads, feed-forward) follows. `roles`
are those that shapes do not tell, as a user declares them.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from mutransfer.proxies import mup
from tests.proxies.modules import HEAD_DIM, timm

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import diffusers
    import transformers


@dataclass(frozen=True)
class Member:
    """A module of the zoo; `refusal`: why it has no plan at the widths of the tests."""

    build: Callable[[int], nn.Module]
    roles: Mapping[str, str] = field(default_factory=dict)
    refusal: str | None = None


TABLE = {"*scale_shift_table": "vector"}
BASE_WIDTH = 32
HEADS: dict[str, Any] = {"attention_head_dim": HEAD_DIM}


def heads(width: int) -> int:
    return width // HEAD_DIM


def of_diffusers(name: str, **options: Any) -> Callable[[int], nn.Module]:
    """A class of diffusers; options that are functions take the width."""

    def build(width: int) -> nn.Module:
        given = {k: v(width) if callable(v) else v for k, v in options.items()}
        return getattr(diffusers, name)(**given)

    return build


def same(width: int) -> int:
    return width


DIFFUSERS = {
    "PixArt": Member(
        of_diffusers(
            "PixArtTransformer2DModel", num_attention_heads=heads, **HEADS, in_channels=4,
            out_channels=4, num_layers=2, cross_attention_dim=same, sample_size=8, patch_size=2,
            caption_channels=12,
        ),
        TABLE,
    ),
    "HunyuanDiT": Member(
        of_diffusers(
            "HunyuanDiT2DModel", num_attention_heads=heads, **HEADS, in_channels=4, patch_size=2,
            hidden_size=same, num_layers=2, cross_attention_dim=24, cross_attention_dim_t5=20,
            pooled_projection_dim=same, sample_size=8, text_len=4, text_len_t5=4,
        ),
    ),
    "Flux": Member(
        of_diffusers(
            "FluxTransformer2DModel", num_attention_heads=heads, **HEADS, in_channels=4,
            num_layers=1, num_single_layers=1, joint_attention_dim=12, pooled_projection_dim=10,
            axes_dims_rope=(4, 4, 8),
        )
    ),
    "Sana": Member(
        of_diffusers(
            "SanaTransformer2DModel", num_attention_heads=heads, **HEADS, in_channels=4,
            out_channels=4, num_layers=2, num_cross_attention_heads=heads,
            cross_attention_head_dim=HEAD_DIM, cross_attention_dim=same, caption_channels=12,
            sample_size=8, patch_size=1,
        ),
        TABLE,
    ),
    "Wan": Member(
        of_diffusers(
            "WanTransformer3DModel", num_attention_heads=heads, **HEADS, in_channels=4,
            out_channels=4, text_dim=12, freq_dim=16, ffn_dim=lambda w: 4 * w, num_layers=2,
        ),
    ),
    "CogVideoX": Member(
        of_diffusers(
            "CogVideoXTransformer3DModel", num_attention_heads=heads, **HEADS, in_channels=4,
            out_channels=4, time_embed_dim=32, text_embed_dim=12, num_layers=2, sample_width=8,
            sample_height=8, sample_frames=5, max_text_seq_length=4,
        )
    ),
    "LTX": Member(
        of_diffusers(
            "LTXVideoTransformer3DModel", num_attention_heads=heads, **HEADS, in_channels=4,
            out_channels=4, cross_attention_dim=same, num_layers=2, caption_channels=12,
        ),
        TABLE,
    ),
    "Lumina2": Member(
        of_diffusers(
            "Lumina2Transformer2DModel", sample_size=8, in_channels=4, hidden_size=same,
            num_layers=2, num_refiner_layers=1, num_attention_heads=heads, num_kv_heads=heads,
            multiple_of=16, axes_dim_rope=(4, 4, 8), axes_lens=(8, 8, 8), cap_feat_dim=12,
        )
    ),
    "AuraFlow": Member(
        of_diffusers(
            "AuraFlowTransformer2DModel", num_attention_heads=heads, **HEADS, in_channels=4,
            out_channels=4, num_mmdit_layers=1, num_single_dit_layers=1, joint_attention_dim=12,
            caption_projection_dim=same, sample_size=8, pos_embed_max_size=16,
        ),
        # Its feed-forward size is rounded to multiples of 256, and does not grow below that.
        refusal=r"ff\.linear_1\.weight: a dimension grows at every width or at none",
    ),
    "Mochi": Member(
        of_diffusers(
            "MochiTransformer3DModel", num_attention_heads=heads, **HEADS, in_channels=4,
            num_layers=2, pooled_projection_dim=lambda w: w // 2, text_embed_dim=12,
            time_embed_dim=16, max_sequence_length=4,
        ),
        {"pos_frequencies": "input@0"},
    ),
    "Latte": Member(
        of_diffusers(
            "LatteTransformer3DModel", num_attention_heads=heads, **HEADS, in_channels=4,
            out_channels=4, num_layers=1, cross_attention_dim=same, sample_size=8, patch_size=2,
            caption_channels=12, norm_type="ada_norm_single", num_embeds_ada_norm=10,
            attention_bias=True, norm_elementwise_affine=False,
        ),
        TABLE,
    ),
    "QwenImage": Member(
        of_diffusers(
            "QwenImageTransformer2DModel", num_attention_heads=heads, **HEADS, in_channels=4,
            out_channels=4, num_layers=2, joint_attention_dim=12, axes_dims_rope=(4, 4, 8),
        )
    ),
    "UNet2D": Member(
        of_diffusers(
            "UNet2DModel", sample_size=8, block_out_channels=lambda w: (w, 2 * w),
            layers_per_block=1, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"), norm_num_groups=8,
        )
    ),
}  # fmt: skip


def of_transformers(model: str, config: str, **options: Any) -> Callable[[int], nn.Module]:
    """A model class of transformers on its configuration; functions take the width."""

    def build(width: int) -> nn.Module:
        given = {k: v(width) if callable(v) else v for k, v in options.items()}
        return getattr(transformers, model)(getattr(transformers, config)(**given))

    return build


def times(factor: float) -> Callable[[int], int]:
    return lambda width: int(factor * width)


COMMON: dict[str, Any] = {
    "hidden_size": same,
    "num_hidden_layers": 2,
    "num_attention_heads": heads,
    "intermediate_size": times(4),
}
SQUARE = {key: value for key, value in COMMON.items() if key != "intermediate_size"}
WORDS: dict[str, Any] = {"vocab_size": 50, "tie_word_embeddings": False}
GQA: dict[str, Any] = {"num_key_value_heads": lambda w: max(heads(w) // 2, 1), "head_dim": HEAD_DIM}
IMAGE: dict[str, Any] = {"image_size": 8, "patch_size": 2}


def tied_llama(width: int) -> nn.Module:
    """Llama with tied embeddings, whose head is ours: the multiplier acts on its input."""
    model = of_transformers("LlamaForCausalLM", "LlamaConfig", **COMMON, **WORDS, **GQA)(width)
    model.lm_head = mup.Readout(width, 50, bias=False)
    model.lm_head.weight = model.model.embed_tokens.weight
    return model


GEMMA = of_transformers("GemmaForCausalLM", "GemmaConfig", **COMMON, **WORDS, **GQA)


def gemma_of_constant_scale(width: int) -> nn.Module:
    """Gemma, whose embeddings are multiplied by one number at every width, not by its root."""
    model = GEMMA(width)
    model.model.embed_tokens.embed_scale.fill_(BASE_WIDTH**0.5)
    return model


TRANSFORMERS = {
    "Llama": Member(
        of_transformers("LlamaForCausalLM", "LlamaConfig", **COMMON, **WORDS, **GQA)
    ),
    "Llama, tied": Member(tied_llama),
    "Llama, two kv heads": Member(
        of_transformers(
            "LlamaForCausalLM", "LlamaConfig", **COMMON, **WORDS,
            **GQA | {"num_key_value_heads": 2},
        ),
    ),
    "Mistral": Member(
        of_transformers("MistralForCausalLM", "MistralConfig", **COMMON, **WORDS, **GQA)
    ),
    "Qwen2": Member(of_transformers("Qwen2ForCausalLM", "Qwen2Config", **COMMON, **WORDS, **GQA)),
    "Gemma": Member(GEMMA),
    "Gemma, constant scale": Member(gemma_of_constant_scale),
    "Mixtral": Member(
        of_transformers(
            "MixtralForCausalLM", "MixtralConfig", **COMMON, **WORDS, **GQA, num_local_experts=4
        ),
        {"*.gate.weight": "output@1", "*.gate_up_proj": "hidden@2", "*.down_proj": "hidden@2"},
    ),
    "GPT-2": Member(
        of_transformers(
            "GPT2LMHeadModel", "GPT2Config", n_embd=same, n_layer=2, n_head=heads, n_positions=16,
            bos_token_id=0, eos_token_id=0, **WORDS,
        ),
        {"*.attn.c_*.weight": "hidden@0", "*.mlp.c_*.weight": "hidden@0"},
    ),
    "Mamba2": Member(
        of_transformers(
            "Mamba2ForCausalLM", "Mamba2Config", hidden_size=same, num_hidden_layers=2, head_dim=16,
            num_heads=lambda w: 2 * w // 16, state_size=8, n_groups=1, **WORDS,
        )
    ),
    "T5 encoder": Member(
        of_transformers(
            "T5EncoderModel", "T5Config", d_model=same, d_kv=HEAD_DIM, d_ff=times(4), num_layers=2,
            num_heads=heads, vocab_size=50,
        ),
    ),
    "BERT": Member(of_transformers("BertModel", "BertConfig", **COMMON, vocab_size=50)),
    "ViT": Member(of_transformers("ViTForImageClassification", "ViTConfig", **COMMON, **IMAGE)),
    "DINOv2": Member(
        of_transformers("Dinov2Model", "Dinov2Config", **SQUARE, **IMAGE),
        {"embeddings.mask_token": "vector"},
    ),
    "DINOv2, SwiGLU": Member(
        of_transformers("Dinov2Model", "Dinov2Config", **SQUARE, **IMAGE, use_swiglu_ffn=True),
        {"embeddings.mask_token": "vector"},
    ),
}  # fmt: skip


def of_timm(make: Callable[..., nn.Module], **options: Any) -> Callable[[int], nn.Module]:
    def build(width: int) -> nn.Module:
        return make(**{k: v(width) if callable(v) else v for k, v in options.items()})

    return build


TIMM = {
    "timm ViT": Member(
        of_timm(
            timm.models.vision_transformer.VisionTransformer, img_size=8, patch_size=2,
            num_classes=7, embed_dim=same, depth=2, num_heads=heads,
        ),
    ),
    "timm EVA": Member(
        of_timm(
            timm.models.eva.Eva, img_size=8, patch_size=2, num_classes=7, embed_dim=same, depth=2,
            num_heads=heads, use_rot_pos_emb=True, swiglu_mlp=True, mlp_ratio=8 / 3,
        )
    ),
    "timm BEiT": Member(
        of_timm(
            timm.models.beit.Beit, img_size=8, patch_size=2, num_classes=7, embed_dim=same, depth=2,
            num_heads=heads, init_values=0.1,
        )
    ),
    "timm Mixer": Member(
        of_timm(
            timm.models.mlp_mixer.MlpMixer, img_size=8, patch_size=2, num_classes=7, embed_dim=same,
            num_blocks=2,
        )
    ),
    "timm ConvNeXt": Member(
        of_timm(
            timm.models.convnext.ConvNeXt, num_classes=7, depths=(1, 1, 1, 1),
            dims=lambda w: (w, w, 2 * w, 2 * w),
        )
    ),
    "timm CaiT": Member(
        of_timm(
            timm.models.cait.Cait, img_size=8, patch_size=2, num_classes=7, embed_dim=same, depth=2,
            num_heads=heads,
        )
    ),
}  # fmt: skip

ZOO = DIFFUSERS | TRANSFORMERS | TIMM
