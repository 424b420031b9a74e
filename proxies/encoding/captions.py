"""A text encoder of transformers that makes embeddings of captions."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mutransfer.proxies.encoding.pretrained import (
    imported,
    located,
    pretrained,
    read,
    weights_digest,
)
from mutransfer.proxies.errors import DataError, Fault

_OPTION = "--text-encoder"
# The encoder of each kind of checkpoint, by `architectures` of its config.json.
ENCODERS = {
    "CLIPModel": "CLIPTextModel",
    "CLIPTextModel": "CLIPTextModel",
    "CLIPTextModelWithProjection": "CLIPTextModelWithProjection",
    "T5EncoderModel": "T5EncoderModel",
    "T5ForConditionalGeneration": "T5EncoderModel",
    "MT5EncoderModel": "MT5EncoderModel",
    "MT5ForConditionalGeneration": "MT5EncoderModel",
    "UMT5EncoderModel": "UMT5EncoderModel",
    "UMT5ForConditionalGeneration": "UMT5EncoderModel",
}


class TextEncoder:
    """A text encoder with its tokenizer; captions are cut or padded to one number of tokens."""

    def __init__(
        self, where: str, *, tokenizer: str | None, length: int | None, device: str = "cpu"
    ) -> None:
        """Load one from a folder or by its name.

        Args:
            where: The encoder.
            tokenizer: Where its tokenizer is; None: with the encoder.
            length: L, tokens of a caption; None: `DEFAULT_LENGTH`, or fewer if the model reads no
                more.
            device: Where to compute.

        Raises:
            DataError: none there, one of another kind, or one that cannot be read.
        """
        lib = imported(_OPTION, "transformers", _transformers)
        lib.utils.logging.disable_progress_bar()
        place = located(_OPTION, where)
        config = read(_OPTION, where, lambda: lib.AutoConfig.from_pretrained(**place, **_SAFE))
        kinds = config.architectures or ["none"]
        if kinds[0] not in ENCODERS:
            rule = f"a text encoder: {', '.join(sorted(ENCODERS))}"
            remedy = "take another, or compute embeddings yourself (docs/data.md)"
            raise DataError([Fault((_OPTION,), rule, kinds[0], remedy)])
        kind = getattr(lib, ENCODERS[kinds[0]])
        self._model: Any = pretrained(_OPTION, where, kind, **_SAFE).to(device)
        words = tokenizer or where
        at = located("--tokenizer", words)
        self._tokenizer = read(
            "--tokenizer", words, lambda: lib.AutoTokenizer.from_pretrained(**at, **_SAFE)
        )
        self.length = self._length(length)
        self._device = device
        self.digest = weights_digest(self._model)

    def _length(self, asked: int | None) -> int:
        positions = getattr(self._model.config, "max_position_embeddings", None)
        most = min(positions or self._tokenizer.model_max_length, self._tokenizer.model_max_length)
        if asked is not None and not 0 < asked <= most:
            rule = f"1 to {most} tokens, as many as this encoder reads"
            raise DataError([Fault(("--caption-length",), rule, asked, f"take {most}")])
        return asked or min(most, DEFAULT_LENGTH)

    def n_cut(self, texts: Sequence[str]) -> int:
        """Return how many captions have more tokens than are kept."""
        return sum(len(ids) > self.length for ids in self._tokenizer(list(texts))["input_ids"])

    def __call__(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """Return `caption` (n, L, E), `caption_mask` (n, L) and `pooled` (n, P), on the CPU.

        A caption without letters and digits is the null caption: no token, and zeros.
        """
        shape = {"padding": "max_length", "truncation": True, "max_length": self.length}
        tokens = self._tokenizer(list(texts), return_tensors="pt", **shape)
        ids, mask = tokens["input_ids"], tokens["attention_mask"].bool()
        with torch.inference_mode():
            found = self._model(
                input_ids=ids.to(self._device), attention_mask=mask.to(self._device)
            )
        caption = found.last_hidden_state.float().cpu()
        has_words = torch.tensor([any(map(str.isalnum, text)) for text in texts])
        mask = mask & has_words[:, None]
        caption = caption.where(mask[..., None], 0.0)
        pooled = next((found[key] for key in _POOLED if found.get(key) is not None), None)
        if pooled is None:  # T5 has none: the mean over tokens
            pooled = caption.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        pooled = pooled.float().cpu().where(has_words[:, None], 0.0)
        return {"caption": caption, "caption_mask": mask, "pooled": pooled}


DEFAULT_LENGTH = 77  # CLIP's
_POOLED = ("text_embeds", "pooler_output")
_SAFE: dict[str, Any] = {"trust_remote_code": False}


def _transformers() -> Any:
    import transformers

    return transformers
