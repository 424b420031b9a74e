"""Laws of μP that hold between two models of different width at initialization.

How many dimensions of a tensor grow, seen by comparing both models, decides how its learning rate
and its initial size depend on width (Tensor Programs V, appendix B and Table 8). A module whose
input grows and whose output does not is a readout, and the effect of one update of its weights on
the prediction must not depend on width. Neither the roles nor the rule table are used.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mutransfer.proxies.checks.coordcheck import StartRun
from mutransfer.proxies.checks.forward import MODEL
from mutransfer.proxies.checks.init_state import init_state
from mutransfer.proxies.checks.width_pair import EXACT, ROUGH, WidthPair

RULES = 5  # version of these laws, in the key of stored results; raise it if results may change
# A law counts as broken if it is with each of this many seeds: the response of a head in front of a
# random network, such as REPA's, scatters by a quarter of an exponent from seed to seed.
SEEDS = 3
NOISE = 4.0  # tolerance on a measured size, in its standard deviations
# A larger share of zeros is no accident: torch's uniform draws are zero once in 2^24.
FEW_ZEROS = 1e-5
MAX_EPS = 1e-10  # of Adam, where ε does not fall with width
REMEDY = "compare it in `mutransfer roles`; declare it under `model.roles`, or correct the module"


@dataclass(frozen=True, kw_only=True)
class BrokenLaw:
    """A law that does not hold; coordcheck.json has these fields.

    Attributes:
        name: Name of the tensor or module.
        found: What was measured.
        cause: The usual cause.
        remedy: What to do.
    """

    name: str
    found: str
    cause: str
    remedy: str = REMEDY

    def __str__(self) -> str:
        """Return the four fields as one sentence."""
        return f"{self.name}: {self.found}; usual cause: {self.cause}; do: {self.remedy}"


def broken_laws(
    start: StartRun, *, base_width: int, width: int, lr: float, seed: int = 0
) -> list[BrokenLaw]:
    """Return every law that models of base width and of a larger width break.

    Args:
        start: As in `coordcheck.measure`; no step is taken.
        base_width: Width at which every tensor trains with the base LR.
        width: A larger width; the larger, the more clearly a wrong exponent shows.
        lr: Base LR of the runs.
        seed: First of the `SEEDS` seeds of initialization and data.
    """
    broken = _broken_with(start, base_width, width, lr, seed)
    for next_seed in range(seed + 1, seed + SEEDS):
        if not broken:
            break
        again = {(b.name, b.cause) for b in _broken_with(start, base_width, width, lr, next_seed)}
        broken = [b for b in broken if (b.name, b.cause) in again]
    return broken


def _broken_with(
    start: StartRun, base_width: int, width: int, lr: float, seed: int
) -> list[BrokenLaw]:
    narrow = init_state(start("mup", base_width, seed, lr), base_width)
    wide = init_state(start("mup", width, seed, lr), width, like=narrow)
    pair = WidthPair(narrow, wide)
    broken = [b for name in pair.names for law in LAWS for b in law(pair, name, lr)]
    return broken + list(_attention(pair))


def _learning_rate(pair: WidthPair, name: str, lr: float) -> Iterator[BrokenLaw]:
    """The LR is the base LR at base width, and scales with width by the kind of the optimizer."""
    narrow, wide = pair.both(name)
    if not (narrow.lr and wide.lr):
        text, cause = "it is not trained", "no group of the optimizer has it"
        remedy = "give the optimizer all of `mup.param_groups`"
        yield BrokenLaw(name=name, found=text, cause=cause, remedy=remedy)
        return
    is_readout, n = pair.is_readout(name), pair.n_growing(name)
    base_lr = narrow.base_lr or lr
    if not is_readout and not math.isclose(narrow.lr, base_lr, rel_tol=1e-3):
        yield BrokenLaw(
            name=name,
            found=f"at base width its LR is {narrow.lr / base_lr:.3g} times the base LR, not 1",
            cause="learning rates relative to another base width than the model's",
        )
    if is_readout:
        yield from _readout_rate(pair, name)
        return
    for module in pair.tied_readouts(name):
        yield from _readout_rate(pair, name, module)
    wanted = _wanted(pair, name, n)
    exponent = pair.exponent(narrow.lr, wide.lr)
    if min(abs(exponent - w) for w in wanted) > EXACT:
        cause = (
            "a hidden matrix with the role of an input, or an LR that was not divided by m"
            if n >= 2
            else "a tensor with the role of a hidden matrix"
        )
        yield BrokenLaw(
            name=name,
            found=f"its LR scales as width^{exponent:+.2f}, not width^{_digits(wanted[0])}, with "
            f"{n} dimension{'s' * (n != 1)} that grow{'s' * (n == 1)}",
            cause=cause,
        )


def _wanted(pair: WidthPair, name: str, n_growing: int) -> list[float]:
    """Return the powers of width that the LR of a tensor may follow, by its own dimensions.

    √(fan_in / fan_out) · ‖ΔW‖₂ is constant in width: for entries of size one the LR goes as 1 /
    fan_in, for the gradient itself as fan_out / fan_in, for singular values of one as
    √(fan_out / fan_in) over Muon's adjustment.
    """
    if n_growing < 2:
        is_gradient = pair.wide.tensors[name].kind == "gradient"
        alone = float(n_growing) if is_gradient else 0.0
        return [alone, -1.0] if _is_ambiguous(pair, name) else [alone]
    own = pair.wide.rule.hidden_lr_power
    if own is not None:
        return [own * power for power in pair.read_exponents(name)]
    return [_of_hidden(pair, name, power) for power in pair.read_exponents(name)]


def _of_hidden(pair: WidthPair, name: str, fan_in: float) -> float:
    """Return the power of width of the LR of a hidden matrix whose fan-in grows by a power."""
    narrow, wide = pair.both(name)
    if wide.kind == "entrywise":
        return -fan_in
    fan_out = pair.exponent(math.prod(narrow.shape), math.prod(wide.shape)) - fan_in
    if wide.kind == "gradient":
        return fan_out - fan_in
    return (fan_out - fan_in) / 2 - pair.exponent(narrow.adjustment, wide.adjustment)


def _digits(power: float) -> str:
    """Return a power of width with as many digits as it needs, at most two."""
    return f"{power:+.0f}" if power == round(power) else f"{power:+.2g}"


def _readout_rate(pair: WidthPair, name: str, module: str | None = None) -> Iterator[BrokenLaw]:
    """The effect of one update, of weight or bias, on the prediction is constant in width."""
    narrow, wide = pair.both(name)
    narrow_effect, wide_effect = pair.response(name, wide.kind, module)
    if not (narrow_effect > 0 and wide_effect > 0):
        return
    assert narrow.lr and wide.lr, "_learning_rate checks this"
    exponent = pair.exponent(narrow_effect * narrow.lr, wide_effect * wide.lr)
    if abs(exponent) <= pair.rough:
        return
    if pair.n_growing(name) == 0:
        cause = "a multiplier on the output of the readout, bias included, not on its input"
        remedy = "multiply the input of the readout, as `mup.Readout` does"
    elif exponent > 0:
        cause, remedy = "a readout without multiplier 1/m or LR/m", REMEDY
    else:
        cause, remedy = "a multiplier or LR/m applied twice", REMEDY
    text = f"the effect of an update on the prediction scales as width^{exponent:+.2f}, not width^0"
    yield BrokenLaw(name=name, found=text, cause=cause, remedy=remedy)


def _is_ambiguous(pair: WidthPair, name: str) -> bool:
    """Return whether shapes do not decide if a tensor with one growing dimension is a readout.

    True of a matrix in a module whose input and output both grow, or that is never called itself,
    and of one that the whole model multiplies with by itself.
    """
    tensor = pair.wide.tensors[name]
    if pair.n_growing(name) != 1 or len(tensor.shape) < 2:
        return False
    if not pair.was_called(tensor.module):
        return True
    if tensor.module == MODEL:
        return pair.wide.trace.was_multiplied(pair.wide.parameters[name])
    return pair.reads(tensor.module)


def _size(pair: WidthPair, name: str, lr: float) -> Iterator[BrokenLaw]:
    """The initial size is constant in width; that of a hidden matrix scales as 1/√fan_in."""
    narrow, wide = pair.both(name)
    if (narrow.rms == 0) != (wide.rms == 0):
        where = "wide" if narrow.rms else "narrow"
        text = f"it is initialized to zero only in the {where} model"
        yield BrokenLaw(name=name, found=text, cause="an init that depends on width")
        return
    if narrow.rms == 0:
        return
    exponent, n = pair.exponent(narrow.rms, wide.rms), pair.n_growing(name)
    noise = math.hypot(*(1 / math.sqrt(2 * math.prod(t.shape)) for t in (narrow, wide)))
    slack = EXACT + NOISE * noise / math.log(2) / pair.log2_m
    if pair.is_readout(name):
        yield from _readout_size(pair, name, exponent)
        return
    if n >= 2:
        wanted = [-power / 2 for power in pair.read_exponents(name)]
    else:
        wanted = [0.0, -1.0] if _is_ambiguous(pair, name) else [0.0]
    if min(abs(exponent - w) for w in wanted) > slack:
        cause = (
            "a std that is not divided by √fan_in, or divided twice"
            if n >= 2
            else "a std that depends on width: 1/√width tables, Xavier, the role of a hidden matrix"
        )
        text = f"its initial size scales as width^{exponent:+.2f}, not width^{_digits(wanted[0])}"
        yield BrokenLaw(name=name, found=text, cause=cause)


def _structure(pair: WidthPair, name: str, lr: float) -> Iterator[BrokenLaw]:
    """What is zero among drawn entries is so at both widths: padding rows, gates, an identity."""
    narrow, wide = pair.both(name)
    narrow_has, wide_has = (FEW_ZEROS < t.zero_share < 1 for t in (narrow, wide))
    if narrow_has != wide_has and narrow.rms and wide.rms:
        yield BrokenLaw(
            name=name,
            found=f"a part of it is zero only in the {'narrow' if narrow_has else 'wide'} model",
            cause="an init that draws anew and loses a padding row, zero gates or an identity",
            remedy="scale what the module drew, as `mup.init_` does",
        )


def _readout_size(pair: WidthPair, name: str, exponent: float) -> Iterator[BrokenLaw]:
    """The initial effect of a readout on the prediction does not grow with width; it may fall."""
    if pair.is_silent(pair.wide.tensors[name].module):
        return
    narrow, wide = pair.response(name)
    if not (narrow > 0 and wide > 0):
        return
    if (total := exponent + pair.exponent(narrow, wide)) > pair.rough:
        text = f"its initial effect on the prediction scales as width^{total:+.2f}, not width^0"
        cause = "a readout that is not zero at initialization and has no multiplier 1/m"
        yield BrokenLaw(name=name, found=text, cause=cause)


def _decay(pair: WidthPair, name: str, lr: float) -> Iterator[BrokenLaw]:
    """Only matrices decay, and LR × weight decay is constant in width, or as was chosen."""
    narrow, wide = pair.both(name)
    if not (narrow.weight_decay or wide.weight_decay):
        return
    if len(wide.shape) < 2:
        yield BrokenLaw(
            name=name, found="it has weight decay", cause="one weight decay for all tensors",
            remedy="decay matrices only: under μP vectors and scalars have no decay",
        )  # fmt: skip
    elif not (narrow.weight_decay and wide.weight_decay and narrow.lr and wide.lr):
        cause = "parameter groups that differ between widths"
        yield BrokenLaw(name=name, found="it has weight decay at one width only", cause=cause)
    else:
        products = [t.lr * t.weight_decay for t in (narrow, wide) if t.lr]
        power = pair.wide.rule.decay_power
        of_hidden = (
            [power * p for p in pair.read_exponents(name)] if pair.n_growing(name) > 1 else []
        )
        wanted, exponent = of_hidden or [0.0], pair.exponent(*products)
        if min(abs(exponent - w) for w in wanted) > EXACT:
            text = f"LR × weight decay scales as width^{exponent:+.2f}, not width^{wanted[0]:g}"
            yield BrokenLaw(
                name=name, found=text,
                cause="a weight decay that is not multiplied by m where the LR is divided by it",
            )  # fmt: skip


def _eps(pair: WidthPair, name: str, lr: float) -> Iterator[BrokenLaw]:
    """Adam's ε is tiny, or falls as 1/width like the gradients."""
    narrow, wide = pair.both(name)
    if wide.eps <= MAX_EPS or (narrow.eps and pair.exponent(narrow.eps, wide.eps) < EXACT - 1):
        return
    yield BrokenLaw(
        name=name,
        found=f"Adam's ε is {wide.eps:.3g} at every width",
        cause="the default of the optimizer: gradients fall with width until ε dominates them",
        remedy=f"at most {MAX_EPS:g}, or `scale_eps: true`",
    )


Law = Callable[[WidthPair, str, float], Iterator[BrokenLaw]]
LAWS: tuple[Law, ...] = (_learning_rate, _size, _structure, _decay, _eps)


def _attention(pair: WidthPair) -> Iterator[BrokenLaw]:
    """Logits are scaled by a constant, or by 1/d if the head dim d grows."""
    for narrow, wide in zip(pair.narrow.attentions, pair.wide.attentions, strict=False):
        growth = math.log2(wide.head_dim / narrow.head_dim)
        excess = math.log2(wide.scale / narrow.scale) + growth
        if abs(excess) <= ROUGH * (abs(growth) or pair.log2_m):
            continue
        text = (
            f"logits are scaled by {narrow.scale:.3g} and {wide.scale:.3g} at head dims "
            f"{narrow.head_dim} and {wide.head_dim} (widths {pair.narrow.width}, {pair.wide.width})"
        )
        if growth:
            cause = "the head dim grows and logits are divided by √d: they grow as q and k align"
        else:
            cause = "a factor that depends on width, though the head dim does not"
        remedy = "grow the number of heads, or scale by √d₀/d (Tensor Programs V, appendix B.1)"
        yield BrokenLaw(name=wide.module, found=text, cause=cause, remedy=remedy)
