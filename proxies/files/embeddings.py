"""The user's files of caption embeddings and of image features.

Both are safetensors files whose metadata lists, as JSON, what each row belongs to:

    captions  caption (K, L, E), caption_mask (K, L), pooled (K, P); metadata `captions`: K texts
    features  feature (K, N, F); metadata `files`: K names, relative to the folder of the images,
              or captions if the images have no names

    safetensors.torch.save_file(tensors, path, metadata={"captions": json.dumps(texts)})
"""

import json
from collections.abc import Sequence

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mutransfer.proxies.errors import DataError, Fault

_CAPTION_PARTS = {"caption": 3, "caption_mask": 2, "pooled": 2}


def read_captions(path: str, captions: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
    """Return tokens (K, L, E), mask (K, L) and pooled (K, P) of the captions, in their order.

    A row without a token, and an empty caption that the file does not have, is the null caption:
    one token of zeros.

    Raises:
        DataError: no such file, another layout, or a missing caption.
    """
    at = ("data", "embeddings")
    parts, rows = _read(path, at, _CAPTION_PARTS, key="captions", wanted=captions)
    tokens, mask, pooled = parts["caption"], parts["caption_mask"].bool(), parts["pooled"]
    if tokens.shape[:2] != mask.shape:
        rule = "caption (K, L, E) and caption_mask (K, L) are of the same K and L"
        got = f"{list(tokens.shape)} and {list(mask.shape)}"
        raise DataError([Fault(at, rule, got, f"write {path} again")])
    # A caption that the file does not have is row -1: the row of zeros that is added here.
    tokens, mask, pooled = (_with_null(part)[rows] for part in (tokens, mask, pooled))
    is_empty = ~mask.any(dim=1)
    mask[is_empty, 0], tokens[is_empty] = True, 0
    return tokens.float(), mask, pooled.float()


def _with_null(part: Tensor) -> Tensor:
    return torch.cat([part, part.new_zeros(1, *part.shape[1:])])


def read_features(path: str, names: Sequence[str]) -> Tensor:
    """Return features (n, N, F) of the images of these names, in their order.

    Raises:
        DataError: as `read_captions`.
    """
    at = ("data", "features")
    parts, rows = _read(path, at, {"feature": 3}, key="files", wanted=names)
    return parts["feature"][rows].float()


def _read(
    path: str, at: tuple[str, ...], n_dims: dict[str, int], *, key: str, wanted: Sequence[str]
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the tensors of a file, and the rows of the wanted names."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            parts = {name: file.get_tensor(name) for name in n_dims if name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        rule = "a safetensors file that can be read"
        raise DataError(
            [Fault(at, rule, path, f"correct the path or the file ({error})")]
        ) from None
    names = _names(metadata.get(key))
    faults = _layout_faults(at, parts, n_dims, names, key)
    row_of = {name: row for row, name in enumerate(names or ())}
    if not faults and (absent := [n for n in wanted if n.strip() and n not in row_of]):
        rule = f"the file's `{key}` include all those of the data"
        got = f"{len(absent)} of {len(wanted)} are not there, such as {absent[0]!r}"
        faults = [Fault(at, rule, got, f"add them to {path}")]
    faults = faults or _value_faults(at, parts, names or [])
    if faults:
        raise DataError(faults)
    return parts, torch.tensor([row_of.get(name, -1) for name in wanted])


def _value_faults(at: tuple[str, ...], parts: dict[str, Tensor], names: list[str]) -> list[Fault]:
    """Return the faults of values that no model can train on."""
    faults = []
    for name, part in parts.items():
        bad = ~torch.isfinite(part.float()).flatten(1).all(dim=1)
        if bool(bad.any()):
            first = names[int(bad.int().argmax())]
            got = f"NaN or infinity in {int(bad.sum())}, the first is that of {first!r}"
            remedy = "compute these again, in bfloat16 or float32 (float16 overflows)"
            faults.append(Fault(at, f"`{name}` is finite in every row", got, remedy))
    mask = parts.get("caption_mask")
    if mask is not None and bool(((mask != 0) & (mask != 1)).any()):
        rule = "`caption_mask` is 1 at tokens and 0 elsewhere"
        got = f"{float(mask.min()):g} to {float(mask.max()):g}"
        is_additive = bool(mask.min() < 0) and bool(mask.max() == 0)
        remedy = "this is an additive mask: write `mask == 0`" if is_additive else "write 0 and 1"
        faults.append(Fault(at, rule, got, remedy))
    return faults


def _names(text: str | None) -> list[str] | None:
    try:
        names = json.loads(text or "")
    except json.JSONDecodeError:
        return None
    return names if isinstance(names, list) and all(isinstance(n, str) for n in names) else None


def _layout_faults(
    at: tuple[str, ...],
    parts: dict[str, Tensor],
    n_dims: dict[str, int],
    names: list[str] | None,
    key: str,
) -> list[Fault]:
    """Return what differs from the layout in the module's docstring."""
    faults = []
    for name, n in n_dims.items():
        got = list(parts[name].shape) if name in parts else "no such tensor"
        n_rows = "K" if names is None else len(names)
        if name not in parts or parts[name].ndim != n or (names and parts[name].shape[0] != n_rows):
            rule = f"`{name}` has {n} dimensions, the first of {n_rows} rows"
            faults.append(Fault(at, rule, got, "see proxies/files/embeddings.py for the layout"))
    if not names:
        rule = f"metadata `{key}` is a JSON list of texts, one a row"
        faults.append(Fault(at, rule, "none", f'save with metadata={{"{key}": json.dumps(…)}}'))
    return faults
