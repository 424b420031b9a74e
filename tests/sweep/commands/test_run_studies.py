"""Whole studies from spec to report: shipped ones in small, other data, another axis."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from mutransfer.analysis import table as results
from mutransfer.analysis.verdict.judge import judge
from mutransfer.proxies import data
from mutransfer.sweep import spec
from mutransfer.sweep.results import analyze
from mutransfer.sweep.run import driver, ray_tune
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.axis_studies import text_of
from tests.sweep.command_line import call
from tests.sweep.conftest import study_of, write_spec
from tests.sweep.data_studies import IMAGES, PIXART, pictures, tiny_with
from tests.sweep.planted import WITH_CONVERGENCE

STUDIES = ("digits-uvit", "emoji-dit", "emoji-pixart", "emoji-mmdit")


def small(study: Study) -> Study:
    """The study cut to seconds: patches of 4, 12 steps, 4 proposals, 3 values, 1 seed."""
    features = {"feature_side": 4} if getattr(study.data, "features", None) else {}
    few = {"points": 3, "seeds": 1} if study.target.check == "slices" else {}
    parameters = dict(study.parameters)
    if "warmup_steps" in parameters:
        parameters["warmup_steps"] = dataclasses.replace(parameters["warmup_steps"], max=4)
    return dataclasses.replace(
        study,
        model=dataclasses.replace(study.model, patch_size=4, head_dim=8, base_width=16),
        data=dataclasses.replace(study.data, val_draws=1, **features),
        train=dataclasses.replace(study.train, steps=12, batch_size=16),
        parameters=parameters,
        search=dataclasses.replace(study.search, width=16, trials=4),
        transfer=dataclasses.replace(
            study.transfer, widths=(8, 16), points=3, seeds=1, max_extend=0
        ),
        target=dataclasses.replace(study.target, width=24, **few),
        resources=dataclasses.replace(study.resources, max_concurrent=2),
    )


@pytest.fixture
def shipped(request):
    """A shipped study by name, in small."""

    def read(name: str) -> Study:
        return small(spec.read(request.config.rootpath / "sweeps.yaml", (name,))[name])

    return read


def assert_runs_to_its_report(study: Study, store: Store, executor) -> None:
    rundir.claim(store, study)
    executor(driver.State.load(study, store))
    table = store.table()
    assert set(table["status"]) <= {"done", "diverged"}, table["error"].tolist()
    assert set(table["asked_by"]) >= {"search", "slices", "target"}
    analysis = analyze.analyze(study, store)
    assert analysis.verdict.verdict != "PASS"  # twelve steps and one seed prove nothing
    assert all(path for path in analyze.write(analyze.report_inputs(study, store), store))


def test_captions_features_and_the_papers_hps_run_from_search_to_report(shipped, tmp_path):
    assert_runs_to_its_report(shipped("emoji-mmdit"), Store(str(tmp_path)), driver.run_inline)


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_a_shipped_study_runs_on_ray(shipped, name, tmp_path):
    assert_runs_to_its_report(shipped(name), Store(str(tmp_path)), ray_tune.run)


def test_the_papers_four_hps_are_searched_at_random(request):
    study = spec.read(request.config.rootpath / "sweeps.yaml", ("emoji-mmdit",))["emoji-mmdit"]
    assert study.method == "random"
    assert set(study.parameters) == {"lr", "grad_clip", "warmup_steps", "repa_weight"}


def test_a_folder_of_captioned_images_runs_from_spec_to_verdict(tmp_path):
    pictures(tmp_path, captions=["a flat colour"])
    write_spec(tmp_path, tiny_with(IMAGES, PIXART))
    done = call(tmp_path, "run", "tiny", "--inline")
    assert done.returncode == 0, done.stderr
    table = Store(str(tmp_path / "runs/tiny")).table()
    assert len(table) > 10 and not (table["status"] == "failed").any()
    assert call(tmp_path, "analyze", "tiny").returncode in (0, 3)
    shutil.rmtree(tmp_path / "pictures")
    data.load.cache_clear()  # another process: results outlive the data
    assert call(tmp_path, "analyze", "tiny").returncode in (0, 3)
    assert call(tmp_path, "run", "tiny", "--inline").returncode == 2


def test_a_study_along_depth_runs_from_search_to_report(tmp_path):
    text = text_of("depth", rule=True, seeds=2)
    for was, now in {
        "points: 7": "points: 3",
        "[1, 2, 4]": "[1, 2]",
        "depth: 8": "depth: 3",
    }.items():
        text = text.replace(was, now)
    study, store = study_of(text.replace("max_extend: 2", "max_extend: 0")), Store(str(tmp_path))
    rundir.claim(store, study)
    driver.run_inline(driver.State.load(study, store))
    table = store.table()
    assert set(table["status"]) <= {"done", "diverged"}, table["error"].tolist()
    assert set(table["depth"]) == {1, 2, 3} and set(table["arm"]) == {"mup", "unscaled"}
    analysis = analyze.analyze(study, store)
    assert analysis.verdict.verdict != "PASS"  # six steps prove nothing
    paths = analyze.write(analyze.report_inputs(study, store), store)
    assert all(Path(path).exists() for path in paths)
    page = store.read_bytes("report.html").decode()
    assert "depth 3" in page and "at each depth" in page and "completep" in page
    assert "SP (control)" not in page


def test_a_study_with_convergence_reports_ratios_of_steps(tmp_path):
    study_with = study_of(WITH_CONVERGENCE)
    longer = dataclasses.replace(study_with, train=dataclasses.replace(study_with.train, steps=12))
    store = Store(str(tmp_path))
    rundir.claim(store, longer)
    state = driver.State.load(longer, store)
    driver.run_inline(state)
    inputs = analyze.report_inputs(longer, store)
    assert [s.baseline for s in inputs.convergence.speed_ups] == ["default", "tuned"]
    assert all(len(s.pairs) == 2 for s in inputs.convergence.speed_ups if s.kind != "none")
    analyze.write(inputs, store)
    written = json.loads(store.read_bytes("verdict.json"))
    assert written["convergence"]["width"] == 32
    assert store.exists("plots", "convergence.svg")
    page = store.read_bytes("report.html").decode()
    assert "final loss of SP" in page and "default LR" in page
    # The runs with a curve have bitwise the same final loss as those without.
    table = store.table()
    sets = table[(table["arm"] == "mup") & (table["width"] == 32) & (table["seed"] == 1)]
    twice = sets.groupby("hp.lr").filter(lambda rows: len(rows) == 2)
    assert set(twice["n_val"]) == {1, 6} and twice["val_loss"].nunique() == 1
    # The verdict is the same without the rows of the stage.
    alone = results.from_rows(
        row for row in store.rows().values() if row["asked_by"] != "convergence"
    )
    assert judge(alone, inputs.question).hps == inputs.verdict.hps
