"""What a run directory records of its data, and of the user's own model and code.

With it a study is planned, judged and exported by files alone: no data are opened and no code that
the run directory names is imported.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.mup.roles import TensorFacts

MIN_WIDTHS = 3  # a line through two points says nothing about a third


class NotRecordedError(ConfigError):
    """A fact that follows from code or data that must not be used, and that was not recorded."""

    def __init__(self, what: str) -> None:
        """Take what is missing, as the subject of a sentence."""
        super().__init__(
            f"{what}: read from the run directory, whose code and data are not used; got no such "
            "record; `mutransfer run STUDY --spec FILE` with your own spec adds what is missing"
        )


@dataclass(frozen=True, kw_only=True)
class RecordedModel:
    """The user's own model at one width.

    Attributes:
        tensors: The facts of its tensors.
        sample_flops: FLOPs of a training step per sample; None: not counted at this width.
    """

    tensors: tuple[TensorFacts, ...]
    sample_flops: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Recorded:
    """The facts of a study; those that an older run directory lacks are None or absent.

    Attributes:
        fingerprint: That of the data.
        info: Shapes of the data.
        code: Digest of the user's own code, where the study names any.
        code_files: Digest of each of its files, and of the files that a trainer's command names.
        models: The user's own model by width.
    """

    fingerprint: str | None = None
    info: DataInfo | None = None
    code: str | None = None
    code_files: Mapping[str, str] | None = None
    models: Mapping[int, RecordedModel] = field(default_factory=dict)

    def data_fingerprint(self) -> str:
        """Return the fingerprint of the data. Raises NotRecordedError."""
        if self.fingerprint is None:
            raise NotRecordedError("the fingerprint of the data")
        return self.fingerprint

    def data_info(self) -> DataInfo:
        """Return the shapes of the data. Raises NotRecordedError."""
        if self.info is None:
            raise NotRecordedError("the shapes of the data")
        return self.info

    def code_digest(self) -> str:
        """Return the digest of the user's own code. Raises NotRecordedError."""
        if self.code is None:
            raise NotRecordedError("the digest of the study's own code")
        return self.code

    def sample_flops(self, width: int) -> float:
        """Return the FLOPs of a step per sample of the user's model. Raises NotRecordedError."""
        flops = self.models[width].sample_flops if width in self.models else None
        if flops is None:
            raise NotRecordedError(f"the FLOPs of the model at width {width}")
        return flops

    def n_params(self, width: int) -> int:
        """Return the number of trainable parameters of the user's model, as `tensors`."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors(width))

    def tensors(self, width: int, *, is_exact: bool = False) -> tuple[TensorFacts, ...]:
        """Return the facts of the user's model at a width.

        At a width that was not recorded every dimension must lie on the line through those that
        were, at least `MIN_WIDTHS`; the std that a module declares, which SP alone reads, is then
        None.

        Args:
            width: The width.
            is_exact: Accept recorded widths alone.

        Raises:
            NotRecordedError: the width was not recorded, and does not follow.
        """
        if width in self.models:
            return self.models[width].tensors
        if is_exact or len(self.models) < MIN_WIDTHS:
            raise NotRecordedError(f"the model at width {width}")
        widths = sorted(self.models)
        by_tensor = zip(*(self.models[w].tensors for w in widths), strict=True)
        return tuple(_at(width, widths, of_widths) for of_widths in by_tensor)


def _at(width: int, widths: list[int], of_widths: tuple[TensorFacts, ...]) -> TensorFacts:
    """Return the facts of one tensor at a width that was not recorded."""
    last = of_widths[-1]
    axes = zip(*(tensor.shape for tensor in of_widths), strict=True)
    shape = tuple(_on_line(width, widths, sizes) for sizes in axes)
    fan_in = _on_line(width, widths, tuple(tensor.fan_in for tensor in of_widths))
    layer_fan_in = _on_line(width, widths, tuple(tensor.layer_fan_in for tensor in of_widths))
    sizes = tuple(n for n in shape if n is not None)
    if len(sizes) < len(shape) or fan_in is None or layer_fan_in is None:
        raise NotRecordedError(
            f"the model at width {width} (a dimension of {last.name} is not linear in the width; "
            f"`production: {{width: {width}}}` records it)"
        )
    return dataclasses.replace(
        last, shape=sizes, fan_in=fan_in, layer_fan_in=layer_fan_in, own_std=None
    )


def _on_line(width: int, widths: list[int], sizes: tuple[int, ...]) -> int | None:
    """Return the whole size at a width on the line through all sizes; None without such a line."""
    rise, run = sizes[-1] - sizes[0], widths[-1] - widths[0]
    points = zip(widths, sizes, strict=True)
    is_line = all((n - sizes[0]) * run == rise * (w - widths[0]) for w, n in points)
    size, rest = divmod(sizes[0] * run + rise * (width - widths[0]), run)
    return size if is_line and rest == 0 and size > 0 else None
