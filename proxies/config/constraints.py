"""Constraints that span several fields: which widths, depths, data and objectives go together."""

from collections.abc import Sequence

from mutransfer.proxies.batch import UNKNOWN, DataInfo
from mutransfer.proxies.config.model import (
    CustomConfig,
    DiTConfig,
    FamilyConfig,
    MMDiTConfig,
    ModelConfig,
    UViTConfig,
    learns_sigma,
    repa_block,
)
from mutransfer.proxies.config.trial import HPs, ObjectiveConfig, TrainConfig
from mutransfer.proxies.errors import Fault


def trial_faults(
    model: ModelConfig,
    objective: ObjectiveConfig,
    train: TrainConfig,
    *,
    widths: Sequence[int],
    info: DataInfo,
    hps: HPs | None = None,
) -> list[Fault]:
    """Return every broken rule that spans several fields, in reading order; empty if there is none.

    Args:
        model: Options of the model.
        objective: The diffusion loss.
        train: How a trial trains.
        widths: Widths that will be built; the base width is always checked.
        info: Shapes of the data.
        hps: Base HPs; None: they are not chosen yet.
    """
    faults = depth_faults(model) + width_faults(model, model.base_width, ("model", "base_width"))
    for width in widths:
        faults += width_faults(model, width, ("width",))
    faults += data_faults(model, info)
    is_ddpm = objective.kind == "ddpm"
    if learns_sigma(model) and not is_ddpm:
        path, rule = ("model", "learn_sigma"), "a learned σ belongs to the ddpm objective"
        faults.append(Fault(path, rule, True, "set it to false, or objective.kind to ddpm"))
    if is_ddpm and objective.t_distribution != "uniform":
        path, rule = ("objective", "t_distribution"), "ddpm draws its timesteps uniformly"
        faults.append(Fault(path, rule, objective.t_distribution, "leave it out"))
    if hps is not None and hps.warmup_steps >= train.steps:
        rule = f"the warmup ends before the last of {train.steps} steps"
        path = ("hps", "warmup_steps")
        faults.append(Fault(path, rule, hps.warmup_steps, "shorten it or train longer"))
    if hps is not None and hps.repa_weight is not None and repa_block(model) is None:
        path, rule = ("hps", "repa_weight"), "REPA's weight needs a model with a projector"
        faults.append(Fault(path, rule, hps.repa_weight, "set model.repa_block, or leave it out"))
    return faults


def width_faults(model: ModelConfig, width: int, path: tuple[str, ...]) -> list[Fault]:
    """Return the rules that one width of a model breaks: width grows by heads of fixed size."""
    if isinstance(model, CustomConfig):
        return []  # its own build rejects what it cannot build
    faults = []
    if width % model.head_dim:
        rule = f"a width is a multiple of head_dim = {model.head_dim}"
        below = max(model.head_dim, width // model.head_dim * model.head_dim)
        faults.append(Fault(path, rule, width, f"take {below} or {below + model.head_dim}"))
    # A sine and a cosine: of the time, or of each of two image axes.
    kind, divisor = ("a time", 2) if isinstance(model, UViTConfig) else ("2-D", 4)
    if width % divisor:
        rule = f"{kind} sine-cosine embedding needs a width that is a multiple of {divisor}"
        faults.append(Fault(path, rule, width, f"take {(width // divisor + 1) * divisor}"))
    if (hidden := model.mlp_ratio * width) != int(hidden):
        rule = f"mlp_ratio × width is whole (mlp_ratio = {model.mlp_ratio})"
        faults.append(Fault(path, rule, hidden, "take another mlp_ratio, such as 4"))
    return faults


def depth_faults(model: ModelConfig) -> list[Fault]:
    """Return the rules that the depth of a model breaks."""
    if isinstance(model, CustomConfig):
        return []
    if isinstance(model, UViTConfig) and model.depth % 2 == 0:
        rule = "a U-ViT has a middle block between two equal halves: its depth is odd"
        path, remedy = ("model", "depth"), f"take {model.depth - 1} or {model.depth + 1}"
        return [Fault(path, rule, model.depth, remedy)]
    block = repa_block(model)
    if block is not None and block >= model.depth:
        rule = f"REPA aligns one of the blocks 0 … {model.depth - 1}"
        return [Fault(("model", "repa_block"), rule, block, f"take {model.depth // 2}")]
    return []


def data_faults(model: ModelConfig, info: DataInfo) -> list[Fault]:
    """Return the rules that a model breaks on data: its image, captions and features."""
    if isinstance(model, CustomConfig):
        return []
    if info == UNKNOWN:
        rule = f"the family {model.family} reads the parts of the built-in data sources alone"
        return [Fault(("data", "source"), rule, "custom", "take the family custom as well")]
    image = _image_faults(model, info)
    return image + _caption_faults(model, info) + ([] if image else _feature_faults(model, info))


def _image_faults(model: FamilyConfig, info: DataInfo) -> list[Fault]:
    _, height, side = info.shape
    if height != side:
        return [Fault(("data",), "images are square", info.shape, "crop them")]
    if side % model.patch_size:
        rule = f"the patch size divides the image side, {side}"
        remedy = f"take one of {[p for p in range(1, side + 1) if side % p == 0]}"
        return [Fault(("model", "patch_size"), rule, model.patch_size, remedy)]
    return []


def _caption_faults(model: FamilyConfig, info: DataInfo) -> list[Fault]:
    if isinstance(model, DiTConfig | UViTConfig):
        return []
    if info.caption is None:
        rule = f"{model.family} is conditioned on captions"
        remedy = "take data with captions, or the family dit or uvit, which use the label"
        return [Fault(("data",), rule, "data without captions", remedy)]
    if isinstance(model, MMDiTConfig) and model.pooled and info.pooled is None:
        rule = "mmdit puts the pooled caption into its modulation"
        remedy = "add pooled captions to the data, or set `pooled: false`"
        return [Fault(("model", "pooled"), rule, "data without pooled captions", remedy)]
    return []


def _feature_faults(model: FamilyConfig, info: DataInfo) -> list[Fault]:
    path = ("model", "repa_block")
    if (block := repa_block(model)) is None:
        return []
    if info.feature is None:
        rule = "REPA aligns a block with features of a frozen encoder, which the data supply"
        remedy = "take data with features, or leave `repa_block` out"
        return [Fault(path, rule, f"block {block}, and data without features", remedy)]
    tokens = (info.shape[1] // model.patch_size) ** 2
    if info.feature[0] != tokens:
        rule = f"REPA aligns token by token: {tokens} patches of the image need {tokens} features"
        remedy = "change the patch size, or resample the features to the grid of patches"
        return [Fault(path, rule, f"{info.feature[0]} features of an image", remedy)]
    return []
