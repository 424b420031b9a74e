"""How a module draws its own tensors: their size at base width, and its law in width.

`mup.init_` scales what a module drew and never draws itself, so that zero rows, orthogonal and
truncated values stay what they are. The factor needs the size of the module's draws at the width
that is built, and that follows from a law which is read off builds at two widths.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mutransfer.proxies.mup.parameters import Owner, PlanError, owners

Build = Callable[[int], nn.Module]
# Builds with different seeds: so many, and more, while some tensor fits several laws and the model
# is small.
MIN_SEEDS, MAX_SEEDS, MANY_ENTRIES = 4, 16, 2**24
# A law is refused where the measured ratio is off by more standard errors; of those that fit well
# the first counts, so that of laws hardly apart it is the simpler one.
TOLERANCE, WELL = 4.0, 2.0
APART = 0.1  # laws whose ratios differ by less than this share are not told apart
CONSTANT_PART = 6.0  # similarity of the draws of two seeds, in its standard errors
MIN_ERROR = 1e-6  # of a measured ratio, relative: float32


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of a tensor at one width, on which the size of its draws may depend.

    Attributes:
        shape: As in torch.
        fan_in: Number of terms that it sums over; 1 for a vector.
        layer_fan_in: Fan-in of the weight of its module; 1 without one.
    """

    shape: tuple[int, ...]
    fan_in: int
    layer_fan_in: int

    @property
    def n_entries(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    @property
    def columns(self) -> int:
        """Entries per row, as `torch.nn.init.orthogonal_` sees a tensor."""
        return self.n_entries // self.shape[0]


# By the name of a law: a number that the variance of the draws is inversely proportional to.
# Laws with equal ratios are one law; the first is named.
MATRIX_LAWS: Mapping[str, Callable[[Sizes], int]] = {
    "constant": lambda s: 1,
    "1/√fan_in": lambda s: s.fan_in,
    "1/√fan_out": lambda s: s.n_entries // s.fan_in,
    "Xavier": lambda s: s.shape[0] + s.shape[1],
    "Xavier, flattened": lambda s: s.shape[0] + s.columns,
    "1/√max": lambda s: max(s.shape[0], s.columns),
    "1/fan_in": lambda s: s.fan_in**2,
    "1/√(fan_in · fan_out)": lambda s: s.n_entries,
}
# Of a vector only these: with more of them, some law fits the few entries by chance.
LAYER_VECTOR_LAWS: Mapping[str, Callable[[Sizes], int]] = {
    "constant": lambda s: 1,
    "1/√fan_in of the layer": lambda s: s.layer_fan_in,
}
VECTOR_LAWS: Mapping[str, Callable[[Sizes], int]] = {
    "constant": lambda s: 1,
    "1/√size": lambda s: s.n_entries,
}
LAWS = {**MATRIX_LAWS, **LAYER_VECTOR_LAWS, **VECTOR_LAWS}


@dataclass(frozen=True, kw_only=True)
class OwnInit:
    """How a module draws one tensor.

    Attributes:
        rms: Root mean square of its entries at base width, of the random part where it is mixed;
            None: every seed gives the same values, or it is a vector off zero, such as a gain.
        law: Name of its law in width, of `LAWS`; None: no law fits.
        is_mixed: Whether it is a constant plus noise, such as I + 0.02 · randn.
    """

    rms: float | None = None
    law: str | None = None
    is_mixed: bool = False


def law_ratio(law: str, base: Sizes, sizes: Sizes) -> float:
    """Return by how much a law makes draws larger than at base width."""
    return math.sqrt(LAWS[law](base) / LAWS[law](sizes))


def own_inits(
    build: Build, width: int, sizes: Mapping[str, tuple[Sizes, Sizes]], matrices: frozenset[str]
) -> dict[str, OwnInit]:
    """Return how the named tensors are drawn, from real builds on the CPU at two widths.

    Args:
        build: Returns a new model of a width.
        width: Base width; the other is twice that.
        sizes: Sizes of each tensor at both.
        matrices: The names of those with the role of a matrix.

    Raises:
        PlanError: a tensor holds values that are not finite.
    """
    draws = {name: (_Draws(), _Draws()) for name in sizes}
    n_entries = sum(wide.n_entries for _, wide in sizes.values())
    laws = {name: _distinct_laws(*sizes[name], name in matrices) for name in sizes}
    for seed in range(MAX_SEEDS):
        for side, any_width in enumerate((width, 2 * width)):
            for name, owner in _built(build, any_width, seed).items():
                if name in draws:
                    draws[name][side].add(owner.parameter, name)
        is_settled = all(_is_settled(*draws[name], laws[name]) for name in sizes)
        if seed + 1 >= MIN_SEEDS and (is_settled or n_entries > MANY_ENTRIES):
            break
    return {name: _own_init(*draws[name], laws[name]) for name in sizes}


def _built(build: Build, width: int, seed: int) -> dict[str, Owner]:
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        return owners(build(width))


def _distinct_laws(base: Sizes, double: Sizes, is_matrix: bool) -> dict[str, float]:
    """Return the ratio at twice the base width of each law that differs from those before it."""
    if is_matrix and len(base.shape) >= 2:
        candidates = MATRIX_LAWS
    else:
        candidates = LAYER_VECTOR_LAWS if base.layer_fan_in > 1 else VECTOR_LAWS
    ratios: dict[str, float] = {}
    for law in candidates:
        ratio = law_ratio(law, base, double)
        if not any(math.isclose(ratio, other, rel_tol=1e-12) for other in ratios.values()):
            ratios[law] = ratio
    return ratios


@dataclass
class _Draws:
    """Sums over the draws of one tensor at one width, of several seeds."""

    n_seeds: int = 0
    n_entries: int = 0
    mean: float = 0.0
    second: float = 0.0  # mean of squares
    fourth: float = 0.0
    is_constant: bool = True
    n_axes: int = 0
    similarities: list[float] = field(default_factory=list)  # of each seed to the one before it
    _last: Tensor = field(default_factory=lambda: torch.empty(0))

    @torch.no_grad()
    def add(self, parameter: Tensor, name: str) -> None:
        """Add the values of a further seed."""
        values = parameter.detach().double()
        if not bool(torch.isfinite(values).all()):
            raise PlanError(
                f"plan: {name}: build(width) fills its tensors with finite numbers; got others; "
                "initialize it in the module's __init__"
            )
        squares = values.square()
        if self.n_seeds:
            norms = self._last.norm() * values.norm()
            inner = (self._last * values).sum() / norms if norms > 0 else torch.ones(())
            self.similarities.append(inner.item())
            self.is_constant &= torch.equal(self._last, values)
        n = self.n_seeds
        parts = (values.mean(), squares.mean(), squares.square().mean())
        before = (self.mean, self.second, self.fourth)
        self.mean, self.second, self.fourth = (
            (n * old + new.item()) / (n + 1) for old, new in zip(before, parts, strict=True)
        )
        self.n_seeds, self.n_entries, self.n_axes = n + 1, values.numel(), values.ndim
        self._last = values

    @property
    def is_off_centre(self) -> bool:
        """Whether the mean over entries and seeds is not zero."""
        std = math.sqrt(max(self.second - self.mean**2, 0.0))
        return abs(self.mean) > CONSTANT_PART * std / math.sqrt(self.n_seeds * self.n_entries)

    @property
    def is_mixed(self) -> bool:
        """Whether the draws of different seeds have a part in common."""
        n = len(self.similarities)
        mean = sum(self.similarities) / n
        scatter = math.sqrt(sum((s - mean) ** 2 for s in self.similarities) / max(n - 1, 1))
        return mean > CONSTANT_PART * max(scatter, 1 / math.sqrt(self.n_entries))

    @property
    def random_rms(self) -> float:
        """Root mean square of the entries, without the part that all seeds have in common."""
        common = sum(self.similarities) / len(self.similarities) if self.is_mixed else 0.0
        return math.sqrt(self.second * max(1 - common, 0.0))

    @property
    def error(self) -> float:
        """Relative standard error of the root mean square."""
        excess = max(self.fourth / self.second**2 - 1, 0.0)
        return max(math.sqrt(excess / (self.n_seeds * self.n_entries)) / 2, MIN_ERROR)


def _errors(narrow: _Draws, wide: _Draws, laws: Mapping[str, float]) -> dict[str, float]:
    """Return by how many standard errors the measured ratio is off that of each law."""
    ratio = wide.random_rms / narrow.random_rms
    error = math.hypot(narrow.error, wide.error)
    return {law: abs(ratio / expected - 1) / error for law, expected in laws.items()}


def _is_kept(narrow: _Draws, wide: _Draws) -> bool:
    """Return whether a tensor has no random size that could be scaled."""
    sides = (narrow, wide)
    if any(d.is_constant or d.second == 0 or d.random_rms == 0 for d in sides):
        return True
    return narrow.n_axes < 2 and any(d.is_off_centre for d in sides)


def _is_settled(narrow: _Draws, wide: _Draws, laws: Mapping[str, float]) -> bool:
    """Return whether the values decide between all laws that differ noticeably from the best."""
    if narrow.n_seeds < 2 or _is_kept(narrow, wide):
        return True
    errors = _errors(narrow, wide, laws)
    best = min(errors, key=lambda law: errors[law])
    others = [law for law in laws if abs(laws[law] / laws[best] - 1) > APART]
    return all(errors[law] > TOLERANCE for law in others)


def _own_init(narrow: _Draws, wide: _Draws, laws: Mapping[str, float]) -> OwnInit:
    if _is_kept(narrow, wide):
        return OwnInit()
    errors = _errors(narrow, wide, laws)
    well = [law for law in laws if errors[law] <= WELL]
    best = well[0] if well else min(errors, key=lambda law: errors[law])
    return OwnInit(
        rms=narrow.random_rms,
        law=best if errors[best] <= TOLERANCE else None,
        is_mixed=narrow.is_mixed or wide.is_mixed,
    )
