"""The sections of the report, in order. A new one is a function and a line in `SECTIONS`."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from markupsafe import Markup

from mutransfer.analysis.figures import canvas, coordcheck, figure_set
from mutransfer.analysis.figures import convergence as figure_tables_convergence
from mutransfer.analysis.figures.canvas import Plot
from mutransfer.analysis.figures.convergence import convergence_plot
from mutransfer.analysis.labels import hp_label
from mutransfer.analysis.reporting import convergence as convergence_rows
from mutransfer.analysis.reporting import tables as rows
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.reporting.samples import Gallery
from mutransfer.analysis.table.axis import at
from mutransfer.analysis.text_table import TextTable


class Shown(NamedTuple):
    """A figure in the report: its pictures, what it shows, and its data."""

    name: str
    pictures: tuple[Markup, ...]
    caption: str
    table: TextTable


class Section(NamedTuple):
    """A part of the report; one that holds nothing is left out."""

    key: str
    title: str
    text: tuple[str, ...] = ()
    figures: tuple[Shown, ...] = ()
    tables: tuple[TextTable, ...] = ()
    more: tuple[TextTable, ...] = ()  # folded away
    points: tuple[str, ...] = ()
    gallery: Gallery | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        tables = [t for t in (*self.tables, *self.more) if t.rows]
        return not (self.text or self.figures or tables or self.points or self.gallery)


def sections(material: ReportInputs) -> list[Section]:
    """Return the sections that have something to show."""
    made = [make(material) for make in SECTIONS]
    return [section for section in made if not section.is_empty]


def _shown(
    plots: Mapping[str, Plot], material: ReportInputs, caption: str, *kinds: str
) -> list[Shown]:
    """The figures of some kinds, drawn for the screen, with their tables."""
    tables = figure_set.all_tables(material.data)
    chosen = {n: drawn for n, drawn in plots.items() if n.partition("_")[0] in kinds}
    return [
        Shown(n, tuple(canvas.on_screen(n, drawn)), caption if i == 0 else "", tables[n])
        for i, (n, drawn) in enumerate(chosen.items())
    ]


def _of(material: ReportInputs, caption: str, *kinds: str) -> tuple[Shown, ...]:
    return tuple(_shown(figure_set.all_figures(material.data), material, caption, *kinds))


def reasons(material: ReportInputs) -> Section:
    """Why there is no PASS, and what would settle it."""
    verdict = material.verdict
    if verdict is None:
        return Section("reasons", "Reasons")
    tables = (rows.causes_table(verdict), rows.settle_table(verdict))
    return Section("reasons", "Why not PASS, and what would settle it", tables=tables)


def curves(material: ReportInputs) -> Section:
    """Loss against each HP, and the minima."""
    caption = (
        f"Final validation loss at each {material.one}: mean of the seeds with their range (band), "
        "minimum of the fitted curve with its 95 % interval (bar), divergence (hatched), "
        "transferred value (dotted)."
    )
    verdict = material.verdict
    more = (rows.optima_table(verdict),) if verdict else ()
    return Section(
        "curves", "Loss against each HP", figures=_of(material, caption, "loss"), more=more
    )


def drift(material: ReportInputs) -> Section:
    """The optimum along the axis."""
    caption = (
        f"The best value against {material.one} with 95 % intervals (an arrow: open end; hollow: "
        "not bracketed) and the fitted drift. The star is the check at the target, not fitted."
    )
    verdict = material.verdict
    tables = (rows.drift_table(verdict),) if verdict and verdict.hps else ()
    more = (rows.scaling_table(verdict),) if verdict else ()
    return Section(
        "drift",
        f"Optimum against {material.one}",
        figures=_of(material, caption, "drift"),
        tables=tables,
        more=more,
    )


OF_CONTROL = {
    "sp": "SP's own is its optimum at the search width, kept as the width grows; its regret is on "
    "SP's curve.",
    "unscaled": "Kept, without the rule: the optimum at the search place on the control's curve at "
    "the last place that has one.",
}


def regret(material: ReportInputs) -> Section:
    """What the transferred value loses at the target, beside other values."""
    caption = (
        "What a value loses against the curve's best at the target: estimate with 95 % bounds, "
        "against the accepted regret (dashed). Values off the axis are written out. "
        + OF_CONTROL.get(material.question.control or "" if material.question else "", "")
    )
    verdict = material.verdict
    more = (rows.alternatives_table(verdict),) if verdict else ()
    return Section(
        "regret", "Regret at the target", figures=_of(material, caption, "regret"), more=more
    )


def search(material: ReportInputs) -> Section:
    """The trials of the search: each HP, pairs, importance."""
    place = at(material.axis, material.search_at)
    drawn = figure_set.all_figures(material.data)
    alone = f"All trials of the search at {place}; crosses diverged."
    maps = (
        "Pairs of HPs: every place has the colour of its nearest trial, nothing is smoothed; grey: "
        "that one diverged. The other HPs differ from trial to trial."
    )
    ranked = material.data.importance
    shares = (
        "Share of the variation of the losses' ranks (diverged last) that an HP explains alone in "
        "the searched range: functional ANOVA of a random forest, median and 90 % over resampled "
        f"trials ({ranked.n_trials}). A share under the dashed line is what random numbers get. "
        "Trials crowd where losses are low, and what HPs do together is not shown."
    )
    shown = [
        *_shown(drawn, material, alone, "search"),
        *_shown(drawn, material, maps, "heatmap"),
        *_shown(drawn, material, shares, "importance"),
    ]
    text = (f"Importance: {ranked.reason}",) if ranked.reason and shown else ()
    return Section("search", "Search", text, tuple(shown))


def coordinates(material: ReportInputs) -> Section:
    """The coordinate check."""
    check = material.check
    shown = []
    for name, drawn in coordcheck.all_figures(check).items() if check else ():
        kind = name.removeprefix("coordcheck_")
        caption = (
            f"{coordcheck.KINDS[kind]} against width at the last step, "
            "a line for each series: under μP it is to be flat."
        )
        table = coordcheck.coordinate_table(check, kind)  # type: ignore[arg-type]
        shown.append(Shown(name, tuple(canvas.on_screen(name, drawn)), caption, table))
    text = tuple(material.check_text.splitlines())
    return Section("coordinates", "Coordinate check", text, tuple(shown))


def convergence(material: ReportInputs) -> Section:
    """How soon μP with the transferred set is where SP ends."""
    found, info = material.convergence, material.convergence_info
    if found is None:
        return Section("convergence", "Convergence")
    told = convergence_rows.told(found)
    shown: tuple[Shown, ...] = ()
    if info is not None:
        caption = (
            f"Validation loss against steps at width {info.width}, a line for each seed, and "
            "where μP reaches the final loss of SP with the same seed."
        )
        pictures = tuple(canvas.on_screen("convergence", convergence_plot(info)))
        table = figure_tables_convergence.convergence_table(info)
        shown = (Shown("convergence", pictures, caption, table),)
    return Section(
        "convergence",
        "Convergence",
        told.sentences,
        shown,
        tables=told.tables[:1],
        more=told.tables[1:],
        points=told.caveats,
    )


def samples(material: ReportInputs) -> Section:
    """Samples of the transferred set beside real images."""
    return Section("samples", "Samples", gallery=material.gallery)


def cost(material: ReportInputs) -> Section:
    """What it cost."""
    tables = (rows.cost_table(material.verdict.cost),) if material.verdict else ()
    return Section("cost", "Cost", tables=tables)


def basis(material: ReportInputs) -> Section:
    """What the verdict rests on, and what it does not cover."""
    verdict, question = material.verdict, material.question
    if verdict is None or question is None:
        return Section("basis", "What the verdict rests on")
    counts = ", ".join(f"{n} {status}" for status, n in verdict.counts.items())
    names = ", ".join(hp_label(hp) for hp in question.parameters)
    text = (
        f"{counts} trials; {names} sliced at {material.one} "
        f"{', '.join(map(str, question.axis_values))} with {len(question.seeds)} seed(s) and at "
        f"the target, {verdict.target_at}, with {len(question.target_seeds)}. Accepted regret, "
        f"fixed beforehand: {verdict.tolerance.text}.",
        "Conditions: (a) upper bound of the regret under the tolerance; (b) optimum bracketed at "
        "search and target; (c) the HP matters in its range; (d) half an octave from divergence; "
        "(e) rows complete, at least two seeds and four values. Intervals are of 95 %, from the "
        "fitted curve with seeds as blocks; with one seed from the scatter about the curve.",
    )
    tables = (rows.conditions_table(verdict), rows.hps_table(question))
    return Section("basis", "What the verdict rests on", text, tables=tables)


def limits(material: ReportInputs) -> Section:
    """What the verdict does not cover."""
    verdict, question = material.verdict, material.question
    points = rows.limits(question, verdict) if verdict and question else ()
    return Section("limits", "What it does not cover", points=points)


def provenance(material: ReportInputs) -> Section:
    """Where the numbers come from, and the command that makes them again."""
    found = [(str(key), str(value)) for key, value in material.run_info.items()]
    found.append(("rows", str(len(material.df))))
    table = TextTable("Provenance", ("what", "value"), tuple(found))
    return Section("provenance", "Provenance", tables=(table,))


SECTIONS: tuple[Callable[[ReportInputs], Section], ...] = (
    reasons,
    curves,
    drift,
    regret,
    search,
    coordinates,
    convergence,
    samples,
    cost,
    basis,
    limits,
    provenance,
)
