"""The sections of the report. A new section is one function and one entry in `SECTIONS`."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from markupsafe import Markup

from mutransfer.analysis.figures import canvas, coordcheck
from mutransfer.analysis.figures.canvas import Plot
from mutransfer.analysis.figures.convergence import convergence_plot, convergence_table
from mutransfer.analysis.figures.figure_set import all_figures, all_tables
from mutransfer.analysis.labels import hp_label
from mutransfer.analysis.reporting import convergence, cost, prediction, tables
from mutransfer.analysis.reporting.collapsed import collapsed_table
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.reporting.samples import Gallery
from mutransfer.analysis.table.axis import axis_value_text
from mutransfer.analysis.text_table import TextTable


class FigureBlock(NamedTuple):
    """A figure in the report: its pictures, caption and data."""

    name: str
    pictures: tuple[Markup, ...]
    caption: str
    table: TextTable


class Section(NamedTuple):
    """A part of the report; an empty section is omitted.

    Attributes:
        key: Its anchor in the page.
        title: Its heading.
        text: Paragraphs before the figures.
        figures: Figures with captions and data.
        tables: Tables that are open.
        more: Tables that are folded.
        points: A list at the end.
        gallery: Samples beside real images.
    """

    key: str
    title: str
    text: tuple[str, ...] = ()
    figures: tuple[FigureBlock, ...] = ()
    tables: tuple[TextTable, ...] = ()
    more: tuple[TextTable, ...] = ()
    points: tuple[str, ...] = ()
    gallery: Gallery | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        filled = [t for t in (*self.tables, *self.more) if t.rows]
        return not (self.text or self.figures or filled or self.points or self.gallery)


def sections(inputs: ReportInputs) -> list[Section]:
    """Return the sections that are not empty, in order."""
    return [section for make in SECTIONS if not (section := make(inputs)).is_empty]


def _blocks(
    plots: Mapping[str, Plot], inputs: ReportInputs, kind: str, caption: str
) -> tuple[FigureBlock, ...]:
    """The figures of one kind for the screen, with their data; the first has the caption."""
    data = all_tables(inputs.data)
    chosen = {name: plot for name, plot in plots.items() if name.partition("_")[0] == kind}
    return tuple(
        FigureBlock(
            name, tuple(canvas.on_screen(name, plot)), caption if i == 0 else "", data[name]
        )
        for i, (name, plot) in enumerate(chosen.items())
    )


def reasons_section(inputs: ReportInputs) -> Section:
    """Why the verdict is not PASS, and what would settle it."""
    verdict = inputs.verdict
    if verdict is None:
        return Section("reasons", "Reasons")
    settle = tables.settle_table(verdict, is_external=inputs.is_external)
    open_tables = (tables.causes_table(verdict), settle)
    return Section("reasons", "Why not PASS, and what would settle it", tables=open_tables)


def curves_section(inputs: ReportInputs) -> Section:
    """Loss against each HP, with the minima."""
    is_score = inputs.verdict is not None and inputs.verdict.tolerance.of == "score"
    what = "Score × −1" if is_score else "Final validation loss"
    caption = (
        f"{what} at each {inputs.axis_name}. Points: mean of the seeds; band: their "
        "range; line: the mean of the curves that fit, through the points where none is fitted; "
        "bar: its minimum with the 95 % interval; dotted: the transferred value. Hatched: from a "
        "value that diverged (×) or collapsed (three-pointed: it ended, finite, far above the "
        "curve) outwards; no curve is fitted there."
    )
    figures = _blocks(all_figures(inputs.data), inputs, "loss", caption)
    more = (tables.optima_table(inputs.verdict),) if inputs.verdict else ()
    return Section(
        "curves",
        "Loss against each HP",
        figures=figures,
        tables=(collapsed_table(inputs),),
        more=more,
        points=tables.flag_texts(inputs.verdict) if inputs.verdict else (),
    )


_P_VALUES = "The p values in the remarks test a drift of 0"
_P_MINUS_ONE = " and a drift of −1, that of SP with Adam."


def drift_section(inputs: ReportInputs) -> Section:
    """The optimum along the axis."""
    caption = (
        f"Best value against {inputs.axis_name}, with 95 % intervals and the fitted drift. Arrow: "
        "the interval is open on this side; hollow marker: the optimum is not bracketed. The star "
        "is the check at the target; it is not part of the fit."
    )
    verdict = inputs.verdict
    is_judged = verdict is not None and bool(verdict.hps)
    return Section(
        "drift",
        f"Optimum against {inputs.axis_name}",
        figures=_blocks(all_figures(inputs.data), inputs, "drift", caption),
        tables=(tables.drift_table(verdict),) if verdict and is_judged else (),
        more=(tables.scaling_table(verdict),) if verdict else (),
        points=(_P_VALUES + (_P_MINUS_ONE if inputs.axis == "width" else "."),)
        if is_judged
        else (),
    )


CONTROL_VALUE = {
    "sp": "“SP's own” is SP's optimum at the search width, kept unchanged as the width grows; its "
    "regret is read from SP's curve.",
    "unscaled": "The value kept without the rule is the optimum at the search; its regret is read "
    "from the control's curve at the last axis value that has one.",
}


def prediction_section(inputs: ReportInputs) -> Section:
    """What the ladder predicts where nothing was run."""
    title, verdict = "Prediction where nothing was run", inputs.verdict
    if verdict is None or not verdict.predictions:
        return Section("prediction", title)
    both = (prediction.prediction_table(verdict), prediction.laws_table(verdict))
    return Section("prediction", title, (prediction.TEXT,), tables=both)


def regret_section(inputs: ReportInputs) -> Section:
    """Regret of the transferred value at the target, beside other values."""
    control = inputs.question.control if inputs.question else None
    caption = (
        "Loss of a value above the best loss of the fitted curve at the target: estimate with 95 % "
        "bounds; dashed: the accepted regret. Values beyond the right edge are written as numbers. "
    ) + CONTROL_VALUE.get(control or "", "")
    figures = _blocks(all_figures(inputs.data), inputs, "regret", caption)
    more = (tables.alternatives_table(inputs.verdict),) if inputs.verdict else ()
    return Section("regret", "Regret at the target", figures=figures, more=more)


def search_section(inputs: ReportInputs) -> Section:
    """The trials of the search: each HP, pairs of HPs, importance."""
    search_at = axis_value_text(inputs.axis, inputs.search_at)
    importance = inputs.data.importance
    captions = {
        "search": f"All trials of the search at {search_at}; crosses: diverged.",
        "heatmap": "Pairs of HPs: each cell has the colour of its nearest trial, without "
        "smoothing; grey: that trial diverged. The other HPs differ from trial to trial.",
        "importance": "Share of the variation in the ranks of the losses (diverged trials rank "
        "last) that an HP explains alone in the searched range: functional ANOVA of a random "
        f"forest, median and 90 % interval over bootstrap samples of {importance.n_trials} trials. "
        "A share below the dashed line is no larger than that of random numbers. The trials are "
        "concentrated where losses are low, and interactions of HPs are not shown.",
    }
    plots = all_figures(inputs.data)
    figures = [
        block
        for kind, caption in captions.items()
        for block in _blocks(plots, inputs, kind, caption)
    ]
    text = (f"Importance: {importance.reason}",) if importance.reason and figures else ()
    return Section("search", "Search", text, tuple(figures))


def coordcheck_section(inputs: ReportInputs) -> Section:
    """The coordinate check."""
    figures = []
    if inputs.check is not None:
        for name, plot in coordcheck.coordcheck_plots(inputs.check).items():
            kind = name.removeprefix("coordcheck_")
            caption = (
                f"{coordcheck.KIND_LABELS[kind]} against width at the last step, one line per "
                "series. Under μP the lines should be flat."
            )
            pictures = tuple(canvas.on_screen(name, plot))
            table = coordcheck.coordcheck_table(inputs.check, kind)
            figures.append(FigureBlock(name, pictures, caption, table))
    text = tuple(inputs.check_text.splitlines())
    return Section("coordinates", "Coordinate check", text, tuple(figures))


def convergence_section(inputs: ReportInputs) -> Section:
    """Steps that μP with the transferred set needs to the final loss of SP."""
    info = inputs.convergence_info
    if inputs.convergence is None:
        return Section("convergence", "Convergence")
    summary = convergence.summary(inputs.convergence)
    figures: tuple[FigureBlock, ...] = ()
    if info is not None:
        caption = (
            f"Validation loss against steps at width {info.width}, one line per seed. Markers: the "
            "final loss of SP, and where μP reaches it with the same seed."
        )
        pictures = tuple(canvas.on_screen("convergence", convergence_plot(info)))
        figures = (FigureBlock("convergence", pictures, caption, convergence_table(info)),)
    return Section(
        "convergence",
        "Convergence",
        summary.sentences,
        figures,
        tables=summary.tables[:1],
        more=summary.tables[1:],
        points=summary.caveats,
    )


def samples_section(inputs: ReportInputs) -> Section:
    """Samples of the transferred set beside real images."""
    return Section("samples", "Samples", gallery=inputs.gallery)


def cost_section(inputs: ReportInputs) -> Section:
    """The cost of each stage, and of tuning at the target instead."""
    if inputs.cost is None or not (table := cost.cost_table(inputs.cost)).rows:
        return Section("cost", "Cost")
    at = "the target" if inputs.target_at is None else inputs.axis_text(inputs.target_at)
    text = cost.cost_sentences(inputs.cost, at)
    if inputs.is_under_way and inputs.progress:
        so_far = cost.progress_text(inputs.cost, inputs.progress.flops_left)
        text = (f"So far: {so_far}.", *text)
    return Section("cost", "Cost", text, tables=(table,))


def basis_section(inputs: ReportInputs) -> Section:
    """The evidence and the conditions that the verdict rests on."""
    verdict, question = inputs.verdict, inputs.question
    if verdict is None or question is None:
        return Section("basis", "What the verdict rests on")
    counts = ", ".join(f"{n} {status}" for status, n in verdict.counts.items())
    names = ", ".join(hp_label(hp) for hp in question.parameters)
    n_seeds = sorted({len(question.ladder_seeds(at)) for at in question.axis_values})
    text = (
        f"Trials: {counts}. Sliced HPs: {names}, at {inputs.axis_name} "
        f"{', '.join(map(str, question.axis_values))} with "
        f"{' to '.join(map(str, dict.fromkeys((n_seeds[0], n_seeds[-1]))))} seed(s), and at "
        f"the target, {verdict.target_at}, with {len(question.target_seeds)}. Accepted regret, "
        f"fixed in advance: {verdict.tolerance.text}.",
        "Conditions of a PASS: (a) the upper bound of the regret is below the tolerance; (b) the "
        "optimum is bracketed at the search and at the target; (c) the HP matters in its range; "
        "(d) the transferred value is at least half an octave from divergence; (e) there are two "
        "seeds or more, four values at the target and, in a study, all runs near the optimum. "
        "Bounds and intervals have 95 % confidence and hold for every curve of a library of shapes "
        "that the noise between the seeds, and a misfit that is allowed for, do not reject. With "
        "one seed they rest on the scatter about the curve, and the word is neither PASS nor FAIL.",
    )
    open_tables = (tables.conditions_table(verdict), tables.hps_table(question))
    return Section("basis", "What the verdict rests on", text, tables=open_tables)


def limits_section(inputs: ReportInputs) -> Section:
    """What the verdict does not cover."""
    verdict, question = inputs.verdict, inputs.question
    points = tables.limitations(question, verdict) if verdict and question else ()
    return Section("limits", "What it does not cover", points=(*inputs.notes, *points))


def provenance_section(inputs: ReportInputs) -> Section:
    """Where the numbers come from, and the command that reproduces them."""
    rows = [(str(key), str(value)) for key, value in inputs.run_info.items()]
    rows.append(("rows", str(len(inputs.df))))
    table = TextTable("Provenance", ("item", "value"), tuple(rows))
    return Section("provenance", "Provenance", tables=(table,))


SECTIONS: tuple[Callable[[ReportInputs], Section], ...] = (
    reasons_section,
    curves_section,
    drift_section,
    prediction_section,
    regret_section,
    search_section,
    coordcheck_section,
    convergence_section,
    samples_section,
    cost_section,
    basis_section,
    limits_section,
    provenance_section,
)
