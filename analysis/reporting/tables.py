"""Tables of a verdict as plain rows, for the terminal and the report."""

from collections.abc import Mapping

from mutransfer.analysis.fit.optimum import Optimum
from mutransfer.analysis.labels import arm_label
from mutransfer.analysis.table.axis import WORDS
from mutransfer.analysis.text_table import TextTable, columns_of, number
from mutransfer.analysis.transfer.drift import Drift, FiniteWidth
from mutransfer.analysis.transfer.scaling_law import Exponent, degradation
from mutransfer.analysis.verdict.cost import Cost
from mutransfer.analysis.verdict.judge import Verdict
from mutransfer.analysis.verdict.question import TransferQuestion

# What fits a terminal of 80 columns; the report holds them all.
SHORT_OPTIMA = ("HP", "arm", "width", "log2", "95 % interval (log2)", "loss", "flags")


def text_summary(verdict: Verdict) -> list[TextTable]:
    """Return the tables that tell a verdict: conditions, reasons, optima, drift, cost."""
    return [
        conditions_table(verdict),
        causes_table(verdict),
        settle_table(verdict),
        columns_of(optima_table(verdict), short_optima(verdict)),
        drift_table(verdict),
        alternatives_table(verdict),
        scaling_table(verdict),
        cost_table(verdict.cost),
    ]


def short_optima(verdict: Verdict) -> list[str]:
    """Return `SHORT_OPTIMA` with the axis of a verdict in the place of width."""
    return [WORDS[verdict.axis].one if name == "width" else name for name in SHORT_OPTIMA]


def conditions_table(verdict: Verdict) -> TextTable:
    """Return the conditions of each HP and of the set."""
    rows = [
        (e.hp, e.word, c.name, "yes" if c.holds else "no", c.text)
        for e in verdict.hps
        for c in e.conditions
    ]
    s = verdict.set
    text = (
        f"sum of the HPs' upper bounds {number(s.regret_upper)}, "
        f"tolerance {number(s.tolerance_loss)} (loss)"
    )
    under = None not in (s.regret_upper, s.tolerance_loss)
    holds = under and float(s.regret_upper or 0.0) < float(s.tolerance_loss or 0.0)
    rows.append(("the set", s.word, "sum", "yes" if holds else "no", text))
    columns = ("HP", "verdict", "condition", "holds", "figures")
    return TextTable("Conditions", columns, tuple(rows))


def causes_table(verdict: Verdict) -> TextTable:
    """Return why there is no PASS, and what would settle it; no rows for a PASS."""
    rows = dict.fromkeys((c.code, c.text, c.remedy) for c in verdict.set.causes)
    notes = [("note", text, "") for text in verdict.set.notes]
    return TextTable("Reasons", ("code", "reason", "what would settle it"), (*rows, *notes))


def settle_table(verdict: Verdict) -> TextTable:
    """Return the trials that `mutransfer run --settle` would run."""
    words = {True: "should do", False: "helps, but will not do", None: "cannot be foretold"}
    rows = tuple((p.cause, p.text, number(p.flops, 3), words[p.settles]) for p in verdict.settle)
    columns = ("settles", "trials (mutransfer run --settle)", "FLOPs", "as it looks now")
    return TextTable("What would settle it", columns, rows)


def optima_table(verdict: Verdict) -> TextTable:
    """Return the optimum of each HP at each width and arm."""
    rows = []
    for e in verdict.hps:
        rows += [_optimum_row(o, "", verdict.rule) for o in e.optima]
        rows += [_optimum_row(e.target, " (target)", verdict.rule)] if e.target else []
    columns = (
        "HP",
        "arm",
        WORDS[verdict.axis].one,
        "optimum",
        "log2",
        "95 % interval (log2)",
        "loss",
        "curvature",
        "octaves to divergence",
        "seeds",
        "bracketed",
        "flags",
    )
    return TextTable("Optima", columns, tuple(rows))


def _optimum_row(place: Optimum, mark: str, rule: str | None) -> tuple[str, ...]:
    return (
        place.hp,
        arm_label(place.arm, rule),
        f"{place.axis_value}{mark}",
        number(place.opt),
        _fixed(place.log2_opt),
        f"{_fixed(place.log2_low, 'open')} … {_fixed(place.log2_high, 'open')}",
        number(place.loss, 5),
        number(place.curvature, 3),
        _fixed(place.octaves_to_divergence),
        str(place.n_seeds),
        "yes" if place.bracketed else "no",
        ", ".join(place.flags),
    )


def _fixed(value: float | None, none: str = "–") -> str:
    return none if value is None else f"{round(value, 2) + 0.0:.2f}"


def drift_table(verdict: Verdict) -> TextTable:
    """Return the drift of each HP's optimum for μP and the control, octaves per doubling."""
    rows = []
    one, many = WORDS[verdict.axis]
    least = "narrowest width" if verdict.axis == "width" else f"least {one}"
    contrast = "unscaled − scaled" if verdict.control == "unscaled" else "SP − μP"
    for e in verdict.hps:
        for arm, found in (("mup", e.drift_mup), (verdict.control or "sp", e.drift_sp)):
            if found is None:
                continue
            rows.append((e.hp, arm_label(arm, verdict.rule), *_drift_cells(found)))
            if found.finite_width is not None:
                rows.append(
                    (
                        e.hp,
                        f"{arm_label(arm, verdict.rule)}, limit + bias/width",
                        *_bias_cells(found.finite_width),
                    )
                )
            if found.without_narrowest is not None:
                label = f"{arm_label(arm, verdict.rule)}, without the {least}"
                rows.append((e.hp, label, *_drift_cells(found.without_narrowest)))
        if e.contrast is not None and e.contrast.estimate is not None:
            c = e.contrast
            interval = f"{_fixed(c.low, 'open')} … {_fixed(c.high, 'open')}"
            differs = {True: "differ", False: "not told apart", None: c.reason or ""}[c.differs]
            rows.append((e.hp, contrast, _fixed(c.estimate), interval, "", differs))
    columns = ("HP", "arm", "octaves per doubling", "95 % interval", many, "remark")
    return TextTable("Drift of the optimum", columns, tuple(rows))


def _drift_cells(found: Drift) -> tuple[str, ...]:
    interval = f"{_fixed(found.low, 'open')} … {_fixed(found.high, 'open')}"
    if found.estimate is None:
        interval = "–"
    tests = ""
    if found.p_zero is not None:
        tests = f"p {_p(found.p_zero)} for 0"
    if found.p_minus_one is not None:
        tests += f", p {_p(found.p_minus_one)} for −1"
    return _fixed(found.estimate), interval, str(found.n_widths), found.reason or tests


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.2g}"


def _bias_cells(found: FiniteWidth) -> tuple[str, ...]:
    limit = f"{found.log2_limit_low:.2f} … {found.log2_limit_high:.2f}"
    bias = f"bias {found.bias:.3g} ({found.bias_low:.3g} … {found.bias_high:.3g}) octaves·channels"
    return "–", "–", str(found.n_widths), f"log2 limit {found.log2_limit:.2f} ({limit}), {bias}"


def alternatives_table(verdict: Verdict) -> TextTable:
    """Return what the transferred and other values lose, estimate and bounds."""
    rows = [
        (
            loss.hp,
            loss.name,
            str(loss.axis_value),
            number(2.0**loss.log2_x),
            loss.note or _bounded(loss.in_loss),
            _bounded(loss.percent),
            _bounded(loss.seed_noise),
            _bounded(loss.width_gain),
        )
        for e in verdict.hps
        for loss in e.alternatives
    ]
    one = WORDS[verdict.axis].one
    gain = "of width's gain" if verdict.axis == "width" else "of the gain along the axis"
    columns = ("HP", "value", one, "", "regret", "% of loss", "seed noise", gain)
    return TextTable("Regret of the transferred and other values", columns, tuple(rows))


def _bounded(cell: tuple[float, float, float] | None) -> str:
    if cell is None:
        return "–"
    estimate, lower, upper = cell
    return f"{estimate:.3g} ({lower:.3g} … {upper:.3g})"


def scaling_table(verdict: Verdict) -> TextTable:
    """Return the exponents of best loss and best HP, or why there are none."""
    rows: list[tuple[str, ...]] = []
    for e in verdict.hps:
        for s in e.scaling:
            start = (e.hp, arm_label(s.arm), str(len(s.axis_values)))
            if s.reason:
                rows.append((*start, *("–",) * 6, s.reason))
                continue
            useful = {True: "yes", False: "no", None: "not told apart"}[s.useful]
            figures = (s.loss_limit, s.alpha, s.beta, s.kappa)
            error = f"{number(s.error_octaves, 2)} ({number(s.error_loss, 2)} in loss)"
            reason = next((f.reason for f in figures if f.reason), "")
            rows.append((*start, *map(_exponent, figures), error, useful, reason))
        arms = {s.arm: s for s in e.scaling}
        if "sp" in arms:
            gap = degradation(arms["sp"], arms.get("mup"))
            rows.append((e.hp, "SP − μP, 𝓡(∞)", "", _exponent(gap), *("–",) * 5, gap.reason or ""))
    columns = ("HP", "arm", "widths", "L∞", "α", "β", "κ", "𝓔, octaves", "useful", "remark")
    return TextTable("Scaling (working definitions)", columns, tuple(rows))


def _exponent(found: Exponent) -> str:
    return "–" if found.estimate is None else f"{found.estimate:.3g} ± {number(found.error, 2)}"


def cost_table(cost: Cost) -> TextTable:
    """Return the FLOPs by stage and as a share of one target run."""
    rows = []
    for stage, n in cost.trials_by_stage.items():
        flops = cost.by_stage.get(stage, 0.0)
        rows.append((stage, str(n), number(flops, 3), _share(flops, cost.target_flops)))
    n_all = sum(cost.trials_by_stage.values())
    total = (number(cost.total_flops, 3), _share(cost.total_flops, cost.target_flops))
    rows.append(("all", str(n_all), *total))
    columns = ("stage", "trials", "FLOPs", f"share of {cost.denominator}")
    return TextTable("Cost", columns, tuple(rows))


def _share(flops: float, target_flops: float | None) -> str:
    if target_flops is None:
        return "–"
    percent = 100 * flops / target_flops
    return f"{percent:,.0f} %" if percent >= 100 else f"{percent:.3g} %"


def hps_table(question: TransferQuestion) -> TextTable:
    """Return the search best beside the transferred set."""
    best: Mapping[str, float | None] = question.search_best or {}
    carried: Mapping[str, float | None] = question.transferred or {}
    names = dict.fromkeys([*carried, *best])
    rows = tuple(
        (
            hp,
            number(best.get(hp), 6),
            number(carried.get(hp), 6),
            ", ".join(question.transferred_flags.get(hp, ())),
        )
        for hp in names
    )
    columns = ("HP (base)", "search best", "transferred set", "remarks")
    return TextTable("Search best and transferred set", columns, rows)


def _held(question: TransferQuestion) -> list[str]:
    """What was the same in all trials besides the data."""
    held = {"width": "width", "depth": "depth", "batch_size": "batch size", "steps": "steps"}
    return [name for axis, name in held.items() if axis != question.axis] + ["schedule"]


def limits(question: TransferQuestion, verdict: Verdict) -> tuple[str, ...]:
    """Return what a verdict does not cover, in sentences."""
    held = [name if k else name.capitalize() for k, name in enumerate(_held(question))]
    return (
        f"{WORDS[question.axis].many.capitalize()} above {verdict.target_at} were not run: "
        "there an export is at best EXTRAPOLATED.",
        f"{', '.join(held)} and data were the same in all trials; nothing is said about other "
        "values.",
        *(
            [f"Base HPs were scaled along the axis by the rule {question.rule}."]
            if question.rule
            else []
        ),
        "The bound on the set adds the HPs' bounds up: it takes for granted that the sliced HPs "
        "do not interact around the transferred set.",
        f"HPs that were not sliced (all but {', '.join(question.parameters) or 'none'}) were "
        f"only searched at one {question.one} or held fixed.",
        "The losses are final validation losses of the proxies' own length, not sample quality.",
    )
