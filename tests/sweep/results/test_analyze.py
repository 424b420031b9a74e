"""From a run directory to verdict.json, plots/ and report.html."""

import json
from collections import Counter

import pytest

from mutransfer.analysis.fit import curve
from mutransfer.analysis.reporting.contents import all_plots
from mutransfer.analysis.verdict.verdict_file import read_verdict
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.results.analyze import analyze, report_inputs, run_info, write
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.results.conftest import PlantedRun


@pytest.fixture
def n_fits(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """How often each slice has been fitted."""
    counts: Counter = Counter()
    window_of = curve.window_of

    def counting(slice_, tolerance_loss):
        fixed = tuple(sorted(slice_.fixed.items()))
        counts[slice_.hp, slice_.arm, slice_.axis_value, fixed] += 1
        return window_of(slice_, tolerance_loss)

    monkeypatch.setattr(curve, "window_of", counting)
    return counts


def test_the_report_of_a_study_fits_each_slice_once(planted_run: PlantedRun, n_fits: Counter):
    assert all_plots(report_inputs(*planted_run))
    curves = {key[1:3] for key in n_fits}
    assert curves == {("mup", 8), ("mup", 16), ("mup", 32), ("sp", 8), ("sp", 16)}
    assert set(n_fits.values()) == {1}
    analyze(*planted_run)  # the control: a second analysis fits again
    assert set(n_fits.values()) == {2}


def test_the_files_are_those_of_the_verdict(planted_run: PlantedRun):
    study, store = planted_run
    paths = write(report_inputs(study, store), store)
    assert paths[-1] == store.path("report.html")
    analysis = analyze(study, store)
    assert read_verdict(store.path("verdict.json")) == analysis.verdict
    assert json.loads(store.read_bytes("verdict.json"))["format"] == 6
    assert {"mup", "sp"} == {arm for arm, _ in analysis.fits["lr"].ladder}


def test_the_run_info_names_the_command_that_makes_it_again(planted_run: PlantedRun):
    info = run_info(*planted_run)
    assert info["command"] == "mutransfer run tiny; mutransfer analyze tiny"
    assert info["extended"] == "no" and "torch" in info["versions"]


def test_before_its_search_has_finished_a_study_cannot_be_judged(planted_run, tmp_path):
    store = Store(str(tmp_path))
    rundir.claim(store, planted_run.study)
    with pytest.raises(UserError, match="the search has not finished"):
        analyze(planted_run.study, store)
    with pytest.raises(UserError, match="no trial has ended yet"):
        report_inputs(planted_run.study, store)
