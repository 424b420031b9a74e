"""A small autoencoder, text encoders and a tokenizer on disk, and images for them."""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    # An installed torchvision need not fit the build of torch; none of these models needs it.
    patch.setitem(sys.modules, "torchvision", None)
    warnings.simplefilter("ignore")
    import transformers
    from diffusers import AutoencoderKL
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ("<pad>", "</s>", "<unk>", "a", "red", "blue", "thing")


def write_vae(folder: Path, **changed) -> Path:
    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "block_out_channels": (8, 16)}
    options = {"up_block_types": ("UpDecoderBlock2D",) * 2, "norm_num_groups": 4} | blocks
    AutoencoderKL(**(options | {"latent_channels": 4} | changed)).save_pretrained(folder)
    return folder


def write_text_encoder(folder: Path, kind: str) -> Path:
    torch.manual_seed(0)
    common = {"vocab_size": len(WORDS), "eos_token_id": 1, "pad_token_id": 0}
    if kind == "t5":
        sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
        model = transformers.T5EncoderModel(transformers.T5Config(**common, **sizes))
    else:
        sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
        sizes |= {"num_attention_heads": 2, "max_position_embeddings": 12, "projection_dim": 6}
        config = transformers.CLIPTextConfig(**common, bos_token_id=1, **sizes)
        projected = kind == "clip-projected"
        name = "CLIPTextModelWithProjection" if projected else "CLIPTextModel"
        model = getattr(transformers, name)(config)
    model.save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("</s>", 1)]
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=ends)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        model_max_length=12,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def write_images(folder: Path, n: int = 6, size: tuple[int, int] = (20, 16)) -> Path:
    """Images of two classes with captions, the first of them empty."""
    rng = np.random.default_rng(0)
    for label in ("blue", "red"):
        (folder / label).mkdir(parents=True)
        lines = []
        for i in range(n):
            pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{i}.png")
            text = "a " * i + f"{label} thing" if i else ""
            lines.append(json.dumps({"file_name": f"{i}.png", "text": text}))
        (folder / label / "metadata.jsonl").write_text("\n".join(lines))
    return folder
