"""The figure of convergence: every run, and every step at which SP's final loss is reached."""

from mutransfer.analysis.figures import canvas
from mutransfer.analysis.figures.convergence import convergence_info, convergence_plot
from mutransfer.analysis.transfer.speed_up import compare_convergence
from tests.analysis import planted_curves


def test_the_figure_shows_each_run_and_each_crossing():
    table, curves = planted_curves.tables()
    result = compare_convergence(table, curves, planted_curves.COMPARISON)
    info = convergence_info(table, curves, result)
    assert info is not None and len(info.panels) == 2
    low, high = info.loss_limits
    for panel in info.panels:
        assert [line.arm for line in panel.lines] == ["sp", "sp", "mup", "mup"]
        assert all(c.mup_step < c.sp_step for c in panel.crossings)
        assert all(low < c.loss < high for c in panel.crossings)
    svg, again = (canvas.render(canvas.on_paper(convergence_plot(info)), "svg") for _ in range(2))
    assert svg == again and "reaches" in svg.decode()


def test_without_runs_there_is_no_figure():
    table, curves = planted_curves.tables()
    result = compare_convergence(table, curves, planted_curves.COMPARISON)
    assert convergence_info(table.iloc[:0], curves, result) is None
