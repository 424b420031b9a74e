"""The options of each family of models, their defaults, and which widths and images fit them."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from proxies.limits import STRICT, Count, Fault, Positive


@dataclass(frozen=True, kw_only=True)
class DiTConfig:
    """A DiT of any width (arXiv 2212.09748), with the choices that μP leaves open.

    Defaults follow the code of arXiv 2505.15270: adaLN gates with fan-in init instead of zero, a
    zero readout, a label table N(0, 1). `base_width` is the width where μP and SP agree.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    family: Literal["dit"] = "dit"
    depth: Count
    head_dim: Count
    base_width: Count
    patch_size: Count
    mlp_ratio: Positive = 4.0
    adaln: Literal["fan_in", "zero"] = "fan_in"
    zero_readout: bool = True
    learn_sigma: bool = False
    embedding_std: Positive = 1.0


# With a second family this becomes a union, told apart by `family`.
ModelConfig = DiTConfig
MODEL_CONFIGS: dict[str, type[ModelConfig]] = {"dit": DiTConfig}


def width_faults(model: ModelConfig, width: int, path: tuple[str, ...]) -> list[Fault]:
    """Return the rules that one width of a model breaks: width grows by heads of fixed size."""
    found = []
    if width % model.head_dim:
        rule = f"a width is a multiple of head_dim = {model.head_dim}"
        below = max(model.head_dim, width // model.head_dim * model.head_dim)
        found.append(Fault(path, rule, width, f"take {below} or {below + model.head_dim}"))
    if width % 4:
        rule = "2-D sine-cosine positions need a width that is a multiple of 4"
        found.append(Fault(path, rule, width, f"take {(width // 4 + 1) * 4}"))
    if (hidden := model.mlp_ratio * width) != int(hidden):
        rule = f"mlp_ratio × width is whole (mlp_ratio = {model.mlp_ratio})"
        found.append(Fault(path, rule, hidden, "take another mlp_ratio, such as 4"))
    return found


def image_faults(model: ModelConfig, image_shape: tuple[int, int, int]) -> list[Fault]:
    """Return the rules that a model breaks on images of (channels, height, width)."""
    _, height, side = image_shape
    if height != side:
        return [Fault(("data",), "images are square", image_shape, "crop them")]
    if side % model.patch_size:
        rule = f"the patch size divides the image side, {side}"
        remedy = f"take one of {[p for p in range(1, side + 1) if side % p == 0]}"
        return [Fault(("model", "patch_size"), rule, model.patch_size, remedy)]
    return []
