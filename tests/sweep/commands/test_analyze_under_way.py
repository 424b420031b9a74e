"""`analyze` while a study runs: the report of the trials that ended, never a traceback."""

import json
import shutil
from pathlib import Path

import pytest

from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.reporting.files import to_dict
from mutransfer.sweep.commands import analyze as answer
from mutransfer.sweep.errors import Stopped
from mutransfer.sweep.results import analyze
from mutransfer.sweep.run import driver
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.conftest import TINY, study_of, write_spec

STUDY = study_of(TINY)
N_SEARCH, N_ALL = 4, 32


def run_until(store: Store, n_trials: int) -> None:
    """Continue the study until ``n_trials`` trials have ended."""

    def stop() -> None:
        if len(store.names("trials", ".parquet")) >= n_trials:
            raise Stopped(15)

    with pytest.raises(Stopped):
        driver.run_inline(driver.State.load(STUDY, store), stop)


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Folders with the study cut off, by the number of trials that had ended."""
    folder = tmp_path_factory.mktemp("under-way")
    write_spec(folder)
    store = Store(str(folder / "runs/tiny"))
    rundir.claim(store, STUDY)
    folders = {0: shutil.copytree(folder, folder.with_name("under-way-0"))}
    for n in (1, N_SEARCH, 9, 27):
        run_until(store, n)
        folders[n] = shutil.copytree(folder, folder.with_name(f"under-way-{n}"))
    return folders


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def inputs_of(folder: Path) -> ReportInputs:
    """The report inputs of a folder, nothing drawn."""
    return analyze.report_inputs(STUDY, Store(str(folder / "runs/tiny")))


@pytest.mark.parametrize(
    ("n", "missing", "figures"),
    [
        (1, "3 of search, 18 of slices, 4 of set, 6 of target", set()),  # nothing varies yet
        (N_SEARCH, "18 of slices, 4 of set, 6 of target", {"search"}),
        (9, "of slices, 4 of set, 6 of target", {"search", "loss_lr", "drift_lr"}),
        (27, "of target", {"search", "loss_lr", "drift_lr"}),
    ],
)
def test_it_reports_what_ended_and_what_is_missing_and_decides_nothing(
    cuts: dict[int, Path], n: int, missing: str, figures: set[str]
) -> None:
    run = cuts[n] / "runs/tiny"
    before = files(run)
    done = call(cuts[n], "analyze", "tiny")
    assert done.returncode == 3, done.stderr  # an unfinished study is no PASS
    assert f"Under way: {n} of about" in done.stdout and missing in done.stdout
    page = (run / "report.html").read_text()
    assert f"Under way: {n} of about" in page and missing in page
    assert {p.stem for p in (run / "plots").glob("*.svg")} == figures
    written = files(run) - before
    assert all(name.startswith(("plots/", "report.html", "verdict.json")) for name in written)


def test_without_a_trial_there_is_one_message(cuts: dict[int, Path]) -> None:
    done = call(cuts[0], "analyze", "tiny")
    assert done.returncode == 2 and "no trial has ended yet" in done.stderr
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 2


def test_json_has_no_verdict_or_an_unfinished_one(cuts: dict[int, Path]) -> None:
    result = to_dict(inputs_of(cuts[1]))
    assert result["verdict"] is None and result["progress"]["done"] == 1
    result = to_dict(inputs_of(cuts[27]))
    assert result["verdict"] == "INCONCLUSIVE" and not result["progress"]["finished"]
    assert json.loads(json.dumps(result))["progress"]["missing"][-1][0] == "target"


def test_the_report_opens_in_a_browser_and_does_no_harm_without_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The browser is a script, which the standard library finds in `BROWSER`."""
    seen, script, page = (tmp_path / name for name in ("seen", "browser", "report.html"))
    script.write_text(f'#!/bin/sh\necho "$1" > {seen}\n')
    script.chmod(0o755)
    page.write_text("")
    monkeypatch.setattr("webbrowser._tryorder", None)
    monkeypatch.setenv("BROWSER", str(script))
    answer.open_in_browser(str(page))
    assert seen.read_text().strip() == page.as_uri()
    monkeypatch.setattr("webbrowser._tryorder", [])
    answer.open_in_browser(str(page))
    assert "no browser could be opened" in capfd.readouterr().err


def test_an_export_of_part_of_a_study_is_no_pass(cuts: dict[int, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(cuts[27], tmp_path / "later"))
    run_until(Store(str(folder / "runs/tiny")), N_ALL - 2)
    done = call(folder, "export", "tiny", "--width", "64", "-o", "best.yaml")
    assert done.returncode == 3 and "Under way: 30 of" in done.stderr
    assert not (folder / "best.yaml").exists()
    forced = call(folder, "export", "tiny", "--width", "64", "--json", "--force")
    assert json.loads(forced.stdout)["verdict"] == "UNDER_WAY"
