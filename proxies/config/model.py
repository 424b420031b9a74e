"""The options of each family of models, and their defaults.

Every option that μP leaves open has the default of the code of arXiv 2505.15270, or of the
published architecture where that code has none. Which widths and data fit: `constraints`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge

from mutransfer.proxies.fields import STRICT, Depth, Frozen, Positive, Ratio, Width

# Index of a block, counted from 0.
BlockIndex = Annotated[int, Ge(0)]
# Width of REPA's projector in arXiv 2410.06940; it does not grow with the model.
REPA_HIDDEN = 2048


@dataclass(frozen=True, kw_only=True)
class DiTConfig:
    """A DiT of any width (arXiv 2212.09748).

    Attributes:
        family: Name of the family.
        depth: Number of blocks.
        head_dim: Size of a head; width grows by heads.
        base_width: Width where μP and SP agree.
        patch_size: Side of a patch, in pixels.
        mlp_ratio: Hidden size of the MLPs over the width.
        adaln: Initialization of the modulations: "zero" as published, or "fan_in", since zero gates
            hide the blocks from a coordinate check and the code of arXiv 2505.15270 drops them.
        zero_readout: Zero init of the readout; otherwise its std is 1/√width at base width.
        learn_sigma: Predict twice the channels: noise and its variance; DDPM only.
        embedding_std: Std of the label table, at every width.
        repa_block: The block whose image tokens REPA aligns (arXiv 2410.06940); None: no projector.
        repa_hidden: Hidden size of REPA's projector, at every width.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    family: Literal["dit"] = "dit"
    depth: Depth
    head_dim: Width
    base_width: Width
    patch_size: Width
    mlp_ratio: Ratio = 4.0
    adaln: Literal["fan_in", "zero"] = "fan_in"
    zero_readout: bool = True
    learn_sigma: bool = False
    embedding_std: Positive = 1.0
    repa_block: BlockIndex | None = None
    repa_hidden: Width = REPA_HIDDEN


@dataclass(frozen=True, kw_only=True)
class UViTConfig:
    """A U-ViT of any width (arXiv 2209.12152): time, label and patches are tokens; long skips.

    Attributes:
        family: Name of the family.
        depth: Number of blocks, odd: two halves of equal length around a middle block.
        head_dim: Size of a head; width grows by heads.
        base_width: Width where μP and SP agree.
        patch_size: Side of a patch, in pixels.
        mlp_ratio: Hidden size of the MLPs over the width.
        affine_norm: Learned gains and biases in the layer norms, as published; off by default,
            since learned gains made the optimum drift in arXiv 2404.05728.
        mlp_time_embed: An MLP on the sinusoid of the time token.
        conv: A 3×3 convolution of the predicted image at the end.
        zero_readout: Zero init of the readout; otherwise its std is 1/√width at base width.
        learn_sigma: Predict twice the channels: noise and its variance; DDPM only.
        embedding_std: Std of the label table, at every width.
        position_std: Std of the learned positions, at every width.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    family: Literal["uvit"] = "uvit"
    depth: Depth
    head_dim: Width
    base_width: Width
    patch_size: Width
    mlp_ratio: Ratio = 4.0
    affine_norm: bool = False
    mlp_time_embed: bool = False
    conv: bool = True
    zero_readout: bool = True
    learn_sigma: bool = False
    embedding_std: Positive = 1.0
    position_std: Positive = 0.02


@dataclass(frozen=True, kw_only=True)
class PixArtConfig:
    """A PixArt-α of any width (arXiv 2310.00426): adaLN-single, cross-attention to the caption.

    Attributes:
        family: Name of the family.
        depth: Number of blocks.
        head_dim: Size of a head; width grows by heads.
        base_width: Width where μP and SP agree.
        patch_size: Side of a patch, in pixels.
        mlp_ratio: Hidden size of the MLPs over the width.
        table_std: Std of the scale-shift tables, at every width; published as 1/√width, which
            shrinks where μP wants a constant.
        embedder_std: Std, at base width, of the time MLP, shared modulation and caption projector;
            None: 1/√fan_in.
        zero_cross_attention: Zero init of the output projections of the cross-attention.
        zero_readout: Zero init of the readout; otherwise its std is 1/√width at base width.
        learn_sigma: Predict twice the channels: noise and its variance; DDPM only.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    family: Literal["pixart"] = "pixart"
    depth: Depth
    head_dim: Width
    base_width: Width
    patch_size: Width
    mlp_ratio: Ratio = 4.0
    table_std: Positive = 0.02
    embedder_std: Positive | None = 0.02
    zero_cross_attention: bool = True
    zero_readout: bool = True
    learn_sigma: bool = False


@dataclass(frozen=True, kw_only=True)
class MMDiTConfig:
    """An MMDiT of any width (arXiv 2403.03206): image and caption as two streams, joint attention.

    Attributes:
        family: Name of the family.
        depth: Number of blocks; in the last, the caption supplies keys and values only.
        head_dim: Size of a head; width grows by heads.
        base_width: Width where μP and SP agree.
        patch_size: Side of a patch, in pixels.
        mlp_ratio: Hidden size of the MLPs over the width.
        adaln: Initialization of the modulations: "zero" as published, or "fan_in"; see `DiTConfig`.
        qk_norm: RMS norm of queries and keys with gains per stream, shared by the heads.
        pooled: Add the pooled caption to the time in the modulation.
        mask_caption: Mask the padding tokens of captions in attention. As published, they are
            attended to like others.
        zero_readout: Zero init of the readout; otherwise its std is 1/√width at base width.
        learn_sigma: Predict twice the channels: noise and its variance; DDPM only.
        repa_block: The block whose image tokens REPA aligns (arXiv 2410.06940); None: no projector.
        repa_hidden: Hidden size of REPA's projector, at every width.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    family: Literal["mmdit"] = "mmdit"
    depth: Depth
    head_dim: Width
    base_width: Width
    patch_size: Width
    mlp_ratio: Ratio = 4.0
    adaln: Literal["fan_in", "zero"] = "fan_in"
    qk_norm: bool = True
    pooled: bool = True
    mask_caption: bool = False
    zero_readout: bool = True
    learn_sigma: bool = False
    repa_block: BlockIndex | None = None
    repa_hidden: Width = REPA_HIDDEN


@dataclass(frozen=True, kw_only=True)
class CustomConfig:
    """A user's own module; functions are named as `package.module:function`.

    Attributes:
        family: Name of the family.
        build: build(width) -> nn.Module, a new module at every call.
        loss: Loss of each sample: loss(model, batch, generator) -> (B,), all randomness drawn from
            the generator, which is on the CPU.
        base_width: Width where μP and SP agree.
        roles: Roles by pattern of parameter names, where they cannot be inferred; see `mup.plan`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    family: Literal["custom"] = "custom"
    build: str
    loss: str
    base_width: Width
    roles: Mapping[str, str] = field(default_factory=Frozen)

    def __post_init__(self) -> None:
        """Make the roles hashable."""
        object.__setattr__(self, "roles", Frozen(self.roles))

    @property
    def references(self) -> tuple[str, ...]:
        """The user's functions."""
        return (self.build, self.loss)


FamilyConfig = DiTConfig | UViTConfig | PixArtConfig | MMDiTConfig
ModelConfig = FamilyConfig | CustomConfig
MODEL_CONFIGS: dict[str, type[ModelConfig]] = {
    "dit": DiTConfig,
    "uvit": UViTConfig,
    "pixart": PixArtConfig,
    "mmdit": MMDiTConfig,
    "custom": CustomConfig,
}


def repa_block(model: ModelConfig) -> int | None:
    """Return the block that REPA aligns; None for a model without a projector."""
    return model.repa_block if isinstance(model, DiTConfig | MMDiTConfig) else None


def learns_sigma(model: ModelConfig) -> bool:
    """Return whether a model predicts variances as well."""
    return not isinstance(model, CustomConfig) and model.learn_sigma
