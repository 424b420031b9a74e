"""The figures of a coordinate check."""

from mutransfer.analysis.figures import canvas
from mutransfer.analysis.figures.coordcheck import coordcheck_plots, coordcheck_table
from mutransfer.analysis.verdict import coordcheck
from tests.analysis.planted_sizes import planted, with_control


def test_figures_have_a_row_for_sp_and_one_for_mup_and_name_what_fails():
    plots = coordcheck_plots(coordcheck.judge(with_control(planted(0.5))))
    figure = canvas.on_paper(plots["coordcheck_change"])
    titles = [ax.get_title() for ax in figure.axes]
    assert titles[0] == "SP (control), step 1" and "μP, step 4" in titles
    assert {t.get_text() for t in figure.axes[-1].texts} == {"blocks.7"}
    assert len(plots["coordcheck_change"].on_screen) == 2
    assert canvas.render(figure, "png")[:4] == b"\x89PNG"


def test_the_table_gives_the_last_step_only():
    table = coordcheck_table(coordcheck.judge(with_control(planted(0.5))), "change")
    assert {row[2] for row in table.rows} == {"4"} and len(table.rows) == 2 * 20
    (failing,) = [row for row in table.rows if row[:2] == ("μP", "blocks.7")]
    assert failing[-1] == "growing"
