"""The planted settings of the calibration, and the bounds that its results must meet."""

from dataclasses import dataclass, replace

from benchmarks.calibration.truth import Setting

MIN_COVERAGE = 0.935
MAX_LENGTH = 1.5
MIN_FLAGGED, MAX_FALSE_FLAGS = 0.99, 0.05
MAX_WRONG_PASS, MIN_PASS = 0.05, 0.80
# The accepted regret as a share of the best loss; as in the shipped studies.
REL_LOSS = 0.005

DEFAULT = Setting(name="default design", refined=True)

BRACKETED = (
    DEFAULT,
    Setting(name="default design, symmetric", refined=True, rho=0.0),
    Setting(name="digits-dit", seeds=2, points=5, rho=0.2),
    Setting(name="digits-dit-full, cliff", points=5, widths=5, cliff=1.6, rho=0.0),
    Setting(name="2 seeds, 5 points, 3 widths", seeds=2, points=5, widths=3, rho=0.0),
    Setting(name="5 seeds, 5 points, 6 widths", seeds=5, points=5, widths=6, rho=0.3),
    Setting(name="2 seeds, asymmetry 0.5", seeds=2, points=7, rho=0.5),
    Setting(name="asymmetry −0.5", seeds=3, points=7, rho=-0.5),
    Setting(
        name="exact cubic 0.5, half steps", seeds=3, points=5, spacing=0.5, rho=0.5, shape="cubic"
    ),
    Setting(name="11 points, half steps", seeds=2, points=11, spacing=0.5, rho=0.3),
    Setting(name="11 points, SP drift −1", seeds=2, points=11, widths=5, drift=-1.0),
    Setting(name="small noise", seeds=2, points=9, widths=5, noise=0.001),
    Setting(name="large noise", seeds=2, points=7, noise=0.02),
    Setting(name="large noise, asymmetry 0.5", seeds=4, points=9, noise=0.02, rho=0.5),
    Setting(name="seed effects 10 × noise", seeds=2, points=7, seed_effects=10.0),
    Setting(name="optimum one step inside", seeds=3, points=7, inside=1.0),
    Setting(name="divergence 1.7 octaves above", seeds=3, points=7, diverges_from=1.7),
    Setting(name="noisy cliff, 2 seeds", seeds=2, points=7, cliff=1.6),
    Setting(name="noise halves, 2 seeds", seeds=2, points=7, noise=0.01, noise_grows=0.5),
    Setting(name="noise doubles, 2 seeds", seeds=2, points=5, widths=5, noise=0.001, noise_grows=2),
    Setting(name="one loud width, 2 seeds", seeds=2, points=7, loud=2),
    Setting(name="plateau on the left", seeds=3, points=7, shape="saturating", in_class=False),
    Setting(name="kink at the optimum", seeds=3, points=7, shape="kinked", in_class=False),
)


@dataclass(frozen=True, kw_only=True)
class Censoring:
    """How far inside (below 0: outside) the last value the optimum lies, and the correct flag."""

    setting: Setting
    flagged: bool


CENSORED = tuple(
    Censoring(setting=replace(s, name=f"{s.name}: {text}", inside=inside), flagged=inside < 0)
    for s in (
        Setting(name="2 seeds, 5 points", seeds=2, points=5),
        Setting(name="3 seeds, 7 points, asymmetry 0.5", points=7, rho=0.5),
        Setting(name="large noise, 9 points", points=9, noise=0.02),
    )
    for inside, text in ((-1.0, "1 step outside"), (-2.0, "2 steps outside"), (2.0, "2 inside"))
)


@dataclass(frozen=True, kw_only=True)
class VerdictCase:
    """A transferred value at the target, and the correct verdict.

    Attributes:
        setting: Setting of search and target.
        regret: True regret in units of the tolerance; 0 with ``searched``: only what the noise at
            the search width causes.
        side: +1: the value is too large for the target, −1: too small.
        searched: The value is the fitted optimum of the search width, as in a study.
        passes: Whether PASS is correct.
    """

    setting: Setting
    regret: float
    side: int = 1
    searched: bool = False

    @property
    def passes(self) -> bool:
        """Whether a PASS is correct."""
        return self.regret < 1


_TARGETS = (
    DEFAULT,
    Setting(name="digits-dit", seeds=2, points=5),
    Setting(name="digits-dit-full, cliff", points=5, cliff=1.6, rho=0.0),
    Setting(name="2 seeds, asymmetry 0.5", seeds=2, points=7, rho=0.5),
    Setting(name="small noise", seeds=2, points=7, noise=0.001),
    Setting(name="large noise", seeds=2, points=7, noise=0.02),
    Setting(name="divergence 1.7 octaves above", points=7, diverges_from=1.7),
    Setting(name="plateau on the left", points=7, shape="saturating", in_class=False),
    Setting(name="kink at the optimum", points=7, shape="kinked", in_class=False),
    Setting(name="kink, default design", refined=True, shape="kinked", in_class=False),
    Setting(name="kink, small noise", points=7, shape="kinked", noise=0.001, in_class=False),
)
VERDICTS = (
    *(VerdictCase(setting=s, regret=1.0, side=side) for s in _TARGETS for side in (1, -1)),
    *(VerdictCase(setting=s, regret=2.0) for s in _TARGETS[:2]),
    *(VerdictCase(setting=s, regret=0.0, searched=True) for s in _TARGETS),
)
# Studies that are continued if the first analysis is INCONCLUSIVE.
_BY_NAME = {s.name: s for s in _TARGETS}
SETTLED = (
    VerdictCase(setting=_BY_NAME["digits-dit"], regret=1.0),
    VerdictCase(setting=_BY_NAME["digits-dit"], regret=1.0, side=-1),
    VerdictCase(setting=_BY_NAME["large noise"], regret=1.0),
    VerdictCase(setting=_BY_NAME["kink at the optimum"], regret=1.0, side=-1),
    VerdictCase(setting=_BY_NAME["digits-dit"], regret=0.0, searched=True),
    VerdictCase(setting=_BY_NAME["large noise"], regret=0.0, searched=True),
)
# No optimum: curvature 0, noise small and large.
FLAT = (
    Setting(name="flat, small noise", seeds=2, points=7, noise=0.0001),
    Setting(name="flat, measured noise", seeds=3, points=7),
    Setting(name="flat, large noise", seeds=2, points=7, noise=0.02),
)
