"""Laws of μP that two newborn models of different width keep, whatever their plan says.

The number of a tensor's dimensions that grow, found by looking at both models, says how its
learning rate and size at birth go with width (Tensor Programs V, appendix B and Table 8); a
module that reads the width and writes none of it is a readout, and what one update of its weights
does to the prediction must not depend on width. Neither the roles nor the rule table are asked.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mutransfer.proxies.checks.coordcheck import Start
from mutransfer.proxies.checks.forward import MODEL
from mutransfer.proxies.checks.newborn import InitState, Measured, feeds, grows, newborn, response

RULES = 2  # raise it where a change may change what is found
# Exponents of width may be off by this much where they are exact, and where they are responses,
# which depend on random features: these also by so many octaves.
EXACT, ROUGH, OCTAVES = 0.1, 0.25, 0.5
# A law is broken where it is so with each of so many seeds: the response of a head that a random
# network reads on, such as REPA's, scatters by a quarter of an exponent from seed to seed.
SEEDS = 3
NOISE = 4.0  # standard deviations of a measured size
MAX_EPS = 1e-10
DO = "compare it in `mutransfer roles`; declare it under `model.roles`, or correct the module"


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A law that does not hold: of which tensor or module, what was found, why, what to do."""

    name: str
    found: str
    cause: str
    remedy: str = DO

    def __str__(self) -> str:
        """Return the finding as one sentence."""
        return f"{self.name}: {self.found}; usual cause: {self.cause}; do: {self.remedy}"


def broken(start: Start, *, base_width: int, width: int, lr: float, seed: int = 0) -> list[Broken]:
    """Return every law that models of base width and of a larger width break.

    Args:
        start: As in `coordcheck.measure`; its runs are not trained.
        base_width: Where every tensor trains with the base LR.
        width: A larger width; the larger, the more surely a wrong exponent shows.
        lr: Base LR of the runs.
        seed: First of the `SEEDS` seeds of initialization and data.
    """
    found = _broken(start, base_width, width, lr, seed)
    for other in range(seed + 1, seed + SEEDS):
        if not found:
            break
        again = {(b.name, b.cause) for b in _broken(start, base_width, width, lr, other)}
        found = [b for b in found if (b.name, b.cause) in again]
    return found


def _broken(start: Start, base_width: int, width: int, lr: float, seed: int) -> list[Broken]:
    narrow = newborn(start("mup", base_width, seed, lr), base_width)
    wide = newborn(start("mup", width, seed, lr), width, like=narrow)
    pair = Pair(narrow, wide)
    found = [b for name in pair.names for law in LAWS for b in law(pair, name, lr)]
    return found + list(_attention(pair))


class Pair:
    """Two newborn models, and what differs between them."""

    def __init__(self, narrow: InitState, wide: InitState) -> None:
        self.narrow, self.wide = narrow, wide
        self.names = [name for name in wide.tensors if name in narrow.tensors]
        self.log2_m = math.log2(wide.width / narrow.width)
        self.rough = max(ROUGH, OCTAVES / self.log2_m)
        self._terminal: dict[str, bool] = {}
        growing = [n for n in wide.look.outputs if self.writes(n)]
        self._growing = [t for n in growing for t in wide.look.outputs[n]]

    def both(self, name: str) -> tuple[Measured, Measured]:
        """Return a tensor at both widths."""
        return self.narrow.tensors[name], self.wide.tensors[name]

    def n_growing(self, name: str) -> int:
        """Return how many dimensions of a tensor grow."""
        one, other = self.both(name)
        return sum(a != b for a, b in zip(one.shape, other.shape, strict=True))

    def reads(self, module: str) -> bool:
        """Return whether a module is given something that grows."""
        return grows(*(side.look.inputs.get(module, []) for side in (self.narrow, self.wide)))

    def writes(self, module: str) -> bool:
        """Return whether a module returns something that grows."""
        sides = (
            (t.shape for t in s.look.outputs.get(module, [])) for s in (self.narrow, self.wide)
        )
        return grows(*([tuple(shape) for shape in side] for side in sides))

    def is_readout(self, name: str) -> bool:
        """Return whether the module of a tensor reads the width and writes none of it."""
        module = self.wide.tensors[name].module
        return module != MODEL and self.reads(module) and not self.writes(module)

    def is_terminal(self, module: str) -> bool:
        """Return whether nothing that grows depends on what a module returned."""
        if module not in self._terminal:
            self._terminal[module] = not feeds(self.wide, module, self._growing)
        return self._terminal[module]

    def exponent(self, narrow: float, wide: float) -> float:
        """Return the power of width that a positive quantity goes with."""
        return math.log2(wide / narrow) / self.log2_m

    def response(self, name: str) -> tuple[float, float]:
        """Return what a readout's tensor does to the prediction, else to its module's output."""
        module = self.wide.tensors[name].module
        place = MODEL if self.is_terminal(module) else module
        narrow, wide = (response(s, name, s.look.outputs[place]) for s in (self.narrow, self.wide))
        return narrow, wide


def _learning_rate(pair: Pair, name: str, lr: float) -> Iterator[Broken]:
    narrow, wide = pair.both(name)
    if not (narrow.lr and wide.lr):
        remedy = "give the optimizer all of `mup.param_groups`"
        yield Broken(name=name, found="it does not train", cause="no group has it", remedy=remedy)
        return
    is_readout, n = pair.is_readout(name), pair.n_growing(name)
    if not is_readout and not math.isclose(narrow.lr, lr, rel_tol=1e-3):
        yield Broken(
            name=name,
            found=f"at base width it trains with {narrow.lr / lr:.3g} times the base LR, not once",
            cause="rates that are divided by another base width than the model's",
        )
    if is_readout:
        yield from _readout_rate(pair, name)
        return
    wanted = (-1.0,) if n >= 2 else (0.0, -1.0) if _is_ambiguous(pair, name) else (0.0,)
    exponent = pair.exponent(narrow.lr, wide.lr)
    if min(abs(exponent - w) for w in wanted) > EXACT:
        cause = (
            "a hidden matrix that was taken for an input, or a rate that was not divided"
            if n >= 2
            else "a tensor that was taken for a hidden matrix"
        )
        yield Broken(
            name=name,
            found=f"its LR goes with width^{exponent:+.2f}, not {wanted[0]:+.0f}, with {n} growing "
            f"dimension{'s' * (n != 1)}",
            cause=cause,
        )


def _readout_rate(pair: Pair, name: str) -> Iterator[Broken]:
    """What an update does to the prediction is the same at every width; bias or weight."""
    (narrow, wide), (low, high) = pair.both(name), pair.response(name)
    if not (low > 0 and high > 0):
        return
    assert narrow.lr and wide.lr, "looked at before"
    exponent = pair.exponent(low * narrow.lr, high * wide.lr)
    if abs(exponent) <= pair.rough:
        return
    if pair.n_growing(name) == 0:
        cause = "a multiplier on the output of the readout, bias included, not on its input"
        remedy = "multiply what goes in; `mup.Readout` does"
    elif exponent > 0:
        cause, remedy = "a readout without multiplier 1/m or LR/m", DO
    else:
        cause, remedy = "a multiplier or LR/m applied twice", DO
    found = f"one update of it moves the prediction by width^{exponent:+.2f}, not ±0"
    yield Broken(name=name, found=found, cause=cause, remedy=remedy)


def _is_ambiguous(pair: Pair, name: str) -> bool:
    """Return whether shapes leave open if a tensor with one growing dimension is read out by.

    So it is of a raw matrix in a module that both reads and writes the width, or of a module that
    is never called by itself.
    """
    tensor = pair.wide.tensors[name]
    if pair.n_growing(name) != 1 or len(tensor.shape) < 2:
        return False
    was_called = tensor.module in pair.wide.look.outputs
    return not was_called or (tensor.module != MODEL and pair.reads(tensor.module))


def _size(pair: Pair, name: str, lr: float) -> Iterator[Broken]:
    """Sizes at birth: constant, but for 1/√fan_in of hidden matrices."""
    narrow, wide = pair.both(name)
    if (narrow.rms == 0) != (wide.rms == 0):
        where = "wide" if narrow.rms else "narrow"
        found = f"it is born zero in the {where} model alone"
        yield Broken(name=name, found=found, cause="an init that depends on the width")
        return
    if narrow.rms == 0:
        return
    exponent, n = pair.exponent(narrow.rms, wide.rms), pair.n_growing(name)
    noise = math.hypot(*(1 / math.sqrt(2 * math.prod(t.shape)) for t in (narrow, wide)))
    slack = EXACT + NOISE * noise / math.log(2) / pair.log2_m
    if pair.is_readout(name):
        yield from _readout_size(pair, name, exponent)
        return
    wanted = (-0.5,) if n >= 2 else (0.0, -1.0) if _is_ambiguous(pair, name) else (0.0,)
    if min(abs(exponent - w) for w in wanted) > slack:
        cause = (
            "a std that is not divided by √fan_in, or divided twice"
            if n >= 2
            else "a std that depends on width: 1/√width tables, Xavier, a tensor taken for hidden"
        )
        found = f"its size at birth goes with width^{exponent:+.2f}, not {wanted[0]:+.1f}"
        yield Broken(name=name, found=found, cause=cause)


def _readout_size(pair: Pair, name: str, exponent: float) -> Iterator[Broken]:
    """What a readout begins with is at most a random sum; smaller, or zero, does no harm."""
    low, high = pair.response(name)
    if low > 0 and high > 0 and (total := exponent + pair.exponent(low, high)) > pair.rough:
        found = f"its weights at birth weigh width^{total:+.2f} in the prediction, not ±0"
        cause = "a readout that is not zero at birth and has no multiplier 1/m"
        yield Broken(name=name, found=found, cause=cause)


def _decay(pair: Pair, name: str, lr: float) -> Iterator[Broken]:
    narrow, wide = pair.both(name)
    if not (narrow.weight_decay or wide.weight_decay):
        return
    if len(wide.shape) < 2:
        yield Broken(
            name=name, found="it is decayed", cause="one weight decay for all tensors",
            remedy="decay matrices alone: vectors and scalars have none under μP",
        )  # fmt: skip
    elif not (narrow.weight_decay and wide.weight_decay and narrow.lr and wide.lr):
        cause = "another grouping at another width"
        yield Broken(name=name, found="it is decayed at one width alone", cause=cause)
    else:
        products = [t.lr * t.weight_decay for t in (narrow, wide) if t.lr]
        if abs(exponent := pair.exponent(*products)) > EXACT:
            yield Broken(
                name=name, found=f"LR × weight decay goes with width^{exponent:+.2f}, not ±0",
                cause="a weight decay that is not multiplied by m where the LR is divided by it",
            )  # fmt: skip


def _eps(pair: Pair, name: str, lr: float) -> Iterator[Broken]:
    narrow, wide = pair.both(name)
    if wide.eps <= MAX_EPS or (narrow.eps and pair.exponent(narrow.eps, wide.eps) < EXACT - 1):
        return
    yield Broken(
        name=name,
        found=f"Adam's ε is {wide.eps:.3g} at every width",
        cause="the default of an optimizer: gradients fall with width, until ε is all there is",
        remedy=f"at most {MAX_EPS:g}, or `scale_eps: true`",
    )


Law = Callable[[Pair, str, float], Iterator[Broken]]
LAWS: tuple[Law, ...] = (_learning_rate, _size, _decay, _eps)


def _attention(pair: Pair) -> Iterator[Broken]:
    """Logits are scaled by a constant, or by 1/d where the head dim d grows."""
    for one, other in zip(pair.narrow.attentions, pair.wide.attentions, strict=False):
        growth = math.log2(other.head_dim / one.head_dim)
        excess = math.log2(other.scale / one.scale) + growth
        if abs(excess) <= ROUGH * (abs(growth) or pair.log2_m):
            continue
        found = (
            f"logits are scaled by {one.scale:.3g} and {other.scale:.3g} at head dims "
            f"{one.head_dim} and {other.head_dim} (widths {pair.narrow.width}, {pair.wide.width})"
        )
        if growth:
            cause = "the head dim grows and logits are divided by its root: they grow as they align"
        else:
            cause = "a factor that depends on width, though the head dim does not"
        remedy = "grow the number of heads, or scale by √d₀/d (Tensor Programs V, appendix B.1)"
        yield Broken(name=other.module, found=found, cause=cause, remedy=remedy)
