"""The tables of a verdict, for the terminal and the report."""

from collections.abc import Mapping

from mutransfer.analysis.fit.optimum import Optimum
from mutransfer.analysis.labels import FLAG_TEXTS, arm_label
from mutransfer.analysis.reporting.cost import cost_table
from mutransfer.analysis.reporting.prediction import laws_table, prediction_table
from mutransfer.analysis.table.axis import AXIS_LABELS
from mutransfer.analysis.text_table import TextTable, bound_text, number, select_columns
from mutransfer.analysis.transfer.drift import Drift, FiniteWidth
from mutransfer.analysis.transfer.scaling_law import Exponent, degradation
from mutransfer.analysis.verdict.judge import Verdict
from mutransfer.analysis.verdict.question import TransferQuestion
from mutransfer.words import STUDY_AXES


def terminal_tables(verdict: Verdict, *, is_external: bool = False) -> list[TextTable]:
    """Return all tables of a verdict for the terminal, some with fewer columns."""
    return [
        conditions_table(verdict),
        causes_table(verdict),
        settle_table(verdict, is_external=is_external),
        select_columns(optima_table(verdict), short_optima_columns(verdict)),
        drift_table(verdict),
        prediction_table(verdict),
        laws_table(verdict),
        alternatives_table(verdict),
        scaling_table(verdict),
        cost_table(verdict.cost),
    ]


def short_optima_columns(verdict: Verdict) -> list[str]:
    """Return the columns of `optima_table` that fit a terminal of 80 characters."""
    axis = AXIS_LABELS[verdict.axis].singular
    return ["HP", "arm", axis, "log2", "95 % interval (log2)", _loss_column(verdict), "flags"]


def _loss_column(verdict: Verdict) -> str:
    return "loss" if verdict.tolerance.of == "loss" else "−score"


def conditions_table(verdict: Verdict) -> TextTable:
    """Return the conditions of a PASS for each HP and for the set."""
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
    is_known = None not in (s.regret_upper, s.tolerance_loss)
    holds = is_known and float(s.regret_upper or 0.0) < float(s.tolerance_loss or 0.0)
    rows.append(("the set", s.word, "sum", "yes" if holds else "no", text))
    columns = ("HP", "verdict", "condition", "holds", "figures")
    return TextTable("Conditions", columns, tuple(rows))


def causes_table(verdict: Verdict) -> TextTable:
    """Return why the verdict is not PASS, with a remedy each; no rows for a PASS."""
    rows = dict.fromkeys((c.code, c.text, c.remedy) for c in verdict.set.causes)
    notes = [("note", text, "") for text in verdict.set.notes]
    return TextTable("Reasons", ("code", "reason", "what would settle it"), (*rows, *notes))


def settle_table(verdict: Verdict, *, is_external: bool = False) -> TextTable:
    """Return the trials that would settle the verdict; of a study `run --settle` runs them."""
    predictions = {True: "probably enough", False: "helps, but not enough", None: "not predictable"}
    rows = tuple(
        (p.cause, p.text, number(p.flops, 3), predictions[p.settles]) for p in verdict.settle
    )
    trials = "runs to add" if is_external else "trials (mutransfer run --settle)"
    columns = ("reason", trials, "FLOPs", "prediction")
    return TextTable("What would settle it", columns, rows)


def optima_table(verdict: Verdict) -> TextTable:
    """Return the optimum of each HP for each axis value and arm."""
    rows = []
    for e in verdict.hps:
        rows += [_optimum_row(o, "", verdict.rule) for o in e.optima]
        rows += [_optimum_row(e.target, " (target)", verdict.rule)] if e.target else []
    columns = (
        "HP",
        "arm",
        AXIS_LABELS[verdict.axis].singular,
        "optimum",
        "log2",
        "95 % interval (log2)",
        _loss_column(verdict),
        "curvature",
        "octaves to a wall",
        "collapsed runs",
        "seeds",
        "bracketed",
        "flags",
    )
    return TextTable("Optima", columns, tuple(rows))


def _optimum_row(optimum: Optimum, mark: str, rule: str | None) -> tuple[str, ...]:
    return (
        optimum.hp,
        arm_label(optimum.arm, rule),
        f"{optimum.axis_value}{mark}",
        number(optimum.opt),
        _fixed(optimum.log2_opt),
        f"{_fixed(optimum.log2_low, 'open')} … {_fixed(optimum.log2_high, 'open')}",
        number(optimum.loss, 5),
        number(optimum.curvature, 3),
        _fixed(optimum.octaves_to_divergence),
        str(optimum.n_collapsed),
        str(optimum.n_seeds),
        "yes" if optimum.bracketed else "no",
        ", ".join(optimum.flags),
    )


def _fixed(value: float | None, none: str = "–") -> str:
    """A number with two decimals; no minus zero."""
    return none if value is None else f"{round(value, 2) + 0.0:.2f}"


def flag_texts(verdict: Verdict) -> tuple[str, ...]:
    """Return what each flag in `optima_table` means, for those that occur."""
    optima = [o for e in verdict.hps for o in (*e.optima, e.target) if o is not None]
    raised = {flag for o in optima for flag in o.flags}
    return tuple(f"{flag}: {text}" for flag, text in FLAG_TEXTS.items() if flag in raised)


def drift_table(verdict: Verdict) -> TextTable:
    """Return the drift of each HP's optimum for μP and the control, octaves per doubling."""
    rows = []
    singular, plural = AXIS_LABELS[verdict.axis]
    smallest = "narrowest width" if verdict.axis == "width" else f"smallest {singular}"
    contrast = "unscaled − scaled" if verdict.control == "unscaled" else "SP − μP"
    for e in verdict.hps:
        for arm, drift in (("mup", e.drift_mup), (verdict.control or "sp", e.drift_sp)):
            if drift is None:
                continue
            label = arm_label(arm, verdict.rule)
            rows.append((e.hp, label, *_drift_cells(drift)))
            if drift.finite_width is not None:
                cells = _finite_width_cells(drift.finite_width)
                rows.append((e.hp, f"{label}, limit + bias/width", *cells))
            if drift.without_smallest is not None:
                cells = _drift_cells(drift.without_smallest)
                rows.append((e.hp, f"{label}, without the {smallest}", *cells))
        if e.contrast is not None and e.contrast.estimate is not None:
            c = e.contrast
            interval = f"{_fixed(c.low, 'open')} … {_fixed(c.high, 'open')}"
            remarks = {True: "differ", False: "no difference shown", None: c.reason or ""}
            rows.append((e.hp, contrast, _fixed(c.estimate), interval, "", remarks[c.differs]))
    columns = ("HP", "arm", "octaves per doubling", "95 % interval", plural, "remark")
    return TextTable("Drift of the optimum", columns, tuple(rows))


def _drift_cells(drift: Drift) -> tuple[str, str, str, str]:
    interval = f"{_fixed(drift.low, 'open')} … {_fixed(drift.high, 'open')}"
    if drift.estimate is None:
        interval = "–"
    tests = ""
    if drift.p_zero is not None:
        tests = f"p {_p_value(drift.p_zero)} for 0"
    if drift.p_minus_one is not None:
        tests += f", p {_p_value(drift.p_minus_one)} for −1"
    return _fixed(drift.estimate), interval, str(drift.n_axis_values), drift.reason or tests


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"


def _finite_width_cells(law: FiniteWidth) -> tuple[str, str, str, str]:
    limit = f"{law.log2_limit_low:.2f} … {law.log2_limit_high:.2f}"
    bias = f"bias {law.bias:.3g} ({law.bias_low:.3g} … {law.bias_high:.3g}) octaves·channels"
    return "–", "–", str(law.n_widths), f"log2 limit {law.log2_limit:.2f} ({limit}), {bias}"


def alternatives_table(verdict: Verdict) -> TextTable:
    """Return the regret of the transferred and other values, estimate and bounds."""
    rows = [
        (
            a.hp,
            a.name,
            str(a.axis_value),
            number(2.0**a.log2_x),
            a.note or _bounded(a.in_loss),
            _bounded(a.percent),
            _bounded(a.seed_noise),
            _bounded(a.width_gain),
        )
        for e in verdict.hps
        for a in e.alternatives
    ]
    axis = AXIS_LABELS[verdict.axis].singular
    gain = "share of the gain by width" if axis == "width" else f"share of the gain by {axis}"
    columns = ("HP", "choice", axis, "value", "regret", "% of loss", "in seed noise", gain)
    return TextTable("Regret of the transferred and other values", columns, tuple(rows))


def _bounded(bounds: tuple[float, float, float] | None) -> str:
    if bounds is None:
        return "–"
    estimate, lower, upper = bounds
    return f"{estimate:.3g} ({lower:.3g} … {bound_text(upper, 3)})"


def scaling_table(verdict: Verdict) -> TextTable:
    """Return the exponents of best loss and best HP, or why there are none."""
    rows: list[tuple[str, ...]] = []
    for e in verdict.hps:
        for s in e.scaling:
            start = (e.hp, arm_label(s.arm), str(len(s.axis_values)))
            if s.reason:
                rows.append((*start, *("–",) * 6, s.reason))
                continue
            useful = {True: "yes", False: "no", None: "not decided"}[s.useful]
            exponents = (s.loss_limit, s.alpha, s.beta, s.kappa)
            error = f"{number(s.error_octaves, 2)} ({number(s.error_loss, 2)} in loss)"
            reason = next((x.reason for x in exponents if x.reason), "")
            rows.append((*start, *map(_exponent, exponents), error, useful, reason))
        laws = {s.arm: s for s in e.scaling}
        if "sp" in laws:
            gap = degradation(laws["sp"], laws.get("mup"))
            rows.append((e.hp, "SP − μP, 𝓡(∞)", "", _exponent(gap), *("–",) * 5, gap.reason or ""))
    columns = ("HP", "arm", "widths", "L∞", "α", "β", "κ", "𝓔, octaves", "useful", "remark")
    return TextTable("Scaling (working definitions)", columns, tuple(rows))


def _exponent(exponent: Exponent) -> str:
    if exponent.estimate is None:
        return "–"
    return f"{exponent.estimate:.3g} ± {number(exponent.error, 2)}"


def hps_table(question: TransferQuestion) -> TextTable:
    """Return the search best beside the transferred set."""
    best: Mapping[str, float | None] = question.search_best or {}
    transferred: Mapping[str, float | None] = question.transferred or {}
    rows = tuple(
        (
            hp,
            number(best.get(hp), 6),
            number(transferred.get(hp), 6),
            ", ".join(question.transferred_flags.get(hp, ())),
        )
        for hp in dict.fromkeys([*transferred, *best])
    )
    columns = ("HP (base)", "search best", "transferred set", "remarks")
    return TextTable("Search best and transferred set", columns, rows)


def _last_run(verdict: Verdict) -> int:
    """The largest axis value at which anything was run."""
    ran = [o.axis_value for e in verdict.hps for o in e.optima]
    targets = [e.target.axis_value for e in verdict.hps if e.target is not None]
    return max([*ran, *targets], default=verdict.target_at)


def limitations(question: TransferQuestion, verdict: Verdict) -> tuple[str, ...]:
    """Return what a verdict does not cover, in sentences."""
    singular, plural = AXIS_LABELS[question.axis]
    varied = {question.axis} | ({"width", "depth"} if question.axis == "params" else set())
    held_fixed = [AXIS_LABELS[axis].singular for axis in STUDY_AXES if axis not in varied]
    beyond = "at best PREDICTED from the ladder, by laws that may end"
    rule = f"Base HPs were scaled along the axis by the rule {question.rule}."
    return (
        f"{plural.capitalize()} above {_last_run(verdict)} were not run: what is said of them is "
        f"{beyond}.",
        f"{', '.join([*held_fixed, 'schedule']).capitalize()} and data "
        f"{'are taken to be' if question.external else 'were'} the same in all trials; the verdict "
        "holds for these values only.",
        *([rule] if question.rule else []),
        "The bound on the set is the sum of the HPs' bounds: it assumes that the sliced HPs do not "
        "interact near the transferred set.",
        "A dip of the loss narrower than the distance between neighbouring values cannot be seen: "
        "it is taken for granted that there is none.",
        f"HPs that were not sliced (all but {', '.join(question.parameters) or 'none'}) were "
        f"searched at one {singular} only, or held fixed.",
        "The losses are final validation losses at the proxies' own training length, not sample "
        "quality.",
    )
