"""The shipped studies in small: the same families and data, few and short trials."""

import dataclasses

import pytest

from mutransfer.sweep import spec
from mutransfer.sweep.results import analyze
from mutransfer.sweep.run import driver, ray_tune
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store

STUDIES = ("digits-uvit", "emoji-dit", "emoji-pixart", "emoji-mmdit")


def small(study: Study) -> Study:
    """The study with numbers of seconds: patches of 4, 12 steps, 4 proposals, 3 values, 1 seed."""
    features = {"feature_side": 4} if getattr(study.data, "features", None) else {}
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
        target=dataclasses.replace(study.target, width=24, points=3, seeds=1),
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
    found = analyze.analyze(study, store)
    assert found.verdict.verdict != "PASS"  # twelve steps and one seed prove nothing
    assert all(path for path in analyze.write(analyze.material(study, store), store))


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
