"""A run directory belongs to one study; what may change, grow or be added later."""

import dataclasses
import shutil

import pytest
from PIL import Image

from mutransfer.proxies import data
from mutransfer.sweep import spec
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.plan import estimate, next_trials
from mutransfer.sweep.plan.question import study_question
from mutransfer.sweep.spec.sections import Convergence
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.axis_studies import text_of
from tests.sweep.conftest import STAR, TINY, study_of, write_spec
from tests.sweep.data_studies import IMAGES, LATENTS, pictures, shards, tiny_with
from tests.sweep.edited import edit_badly, make_old
from tests.sweep.planted import WITH_CONVERGENCE, a_row, play


def test_a_run_directory_belongs_to_one_spec(tiny, tmp_path):
    store = Store(str(tmp_path))
    assert rundir.claim(store, tiny) == []
    assert rundir.claim(store, tiny) == []
    for change in (("rel_loss: 0.02", "rel_loss: 0.5"), ("steps: 6", "steps: 7"),
                   ("seeds: 2, max", "seeds: 1, max"), ("max: 2^-5", "max: 2^-4")):  # fmt: skip
        with pytest.raises(UserError, match="belongs to another spec"):
            rundir.claim(store, study_of(TINY.replace(*change)))


def test_a_study_may_grow(tiny, tmp_path):
    store = Store(str(tmp_path))
    rundir.claim(store, tiny)
    started = "2026-01-02T03:04:05+00:00"
    store.write_json(store.read_json("study.json") | {"written_at": started}, "study.json")
    grown = study_of(
        TINY.replace("[8, 16]", "[8, 16, 24]").replace("seeds: 2, max", "seeds: 3, max")
    )
    assert {c.path for c in rundir.claim(store, grown)} == {"transfer.widths", "transfer.seeds"}
    history = rundir.provenance(store)["history"]
    assert rundir.provenance(store)["written_at"] == started, "the start of the study"
    assert len(history) == 1 and len(history[0]["changed"]) == 2


def test_results_without_a_spec_are_refused(tiny, tmp_path):
    store = Store(str(tmp_path))
    store.write_row(a_row(tiny), [])
    with pytest.raises(UserError, match="move it away"):
        rundir.claim(store, tiny)


def test_convergence_may_be_added_and_grow_but_not_change(tiny, tmp_path):
    study_with, store = study_of(WITH_CONVERGENCE), Store(str(tmp_path))
    rundir.claim(store, tiny)
    assert [c.path for c in rundir.claim(store, study_with)] == ["convergence"]
    more = dataclasses.replace(
        study_with, convergence=dataclasses.replace(study_with.convergence, seeds=3)
    )
    assert [c.path for c in rundir.claim(store, more)] == ["convergence.seeds"]
    other = dataclasses.replace(more, convergence=Convergence(default_lr=1.0, n_val=6, seeds=3))
    with pytest.raises(UserError, match="default_lr"):
        rundir.claim(store, other)
    with pytest.raises(UserError, match="convergence"):
        rundir.claim(store, tiny)


def test_a_run_directory_older_than_the_axes_can_be_continued(tmp_path):
    study, store = study_of(TINY), Store(str(tmp_path))
    rundir.claim(store, study)
    make_old(tmp_path)

    def without_axes(content):
        for key in ("axis", "rule", "batch_sizes", "steps", "depths"):
            del content["spec"]["transfer"][key]
        for key in ("batch_size", "steps", "depth"):
            del content["spec"]["target"][key]

    edit_badly(tmp_path / "study.json", without_axes)
    store = Store(str(tmp_path))
    assert rundir.claim(store, study) == []
    along = study_of(text_of("depth"))
    with pytest.raises(UserError, match=r"transfer\.axis"):
        rundir.claim(store, dataclasses.replace(along, name=study.name))


def older_than_stars(folder) -> None:
    """Make a run directory one that was written before a target could be checked by a star."""
    make_old(folder)

    def without(content):
        for key in ("check", "max_looks"):
            del content["spec"]["target"][key]

    edit_badly(folder / "study.json", without)


def test_a_run_directory_older_than_the_stars_goes_on_with_slices(tiny, tmp_path):
    store = Store(str(tmp_path / "tiny"))
    rundir.claim(store, tiny)
    older_than_stars(tmp_path / "tiny")
    study, _ = rundir.find_run(store.root, tmp_path / "none.yaml", "runs")
    assert study.target == tiny.target and study.target.check == "slices"
    assert next_trials.nominal(study) == next_trials.nominal(dataclasses.replace(
        tiny, recorded=study.recorded))  # fmt: skip
    assert rundir.claim(store, tiny) == []
    star = study_of(STAR.replace("control: none", "control: sp"))
    with pytest.raises(UserError, match=r'target\.check: "slices" there, "star" in the spec'):
        rundir.claim(store, star)
    newer = Store(str(tmp_path / "star"))  # the control
    rundir.claim(newer, star)
    assert rundir.find_run(newer.root, tmp_path / "none.yaml", "runs")[0].target == star.target


# How data are read, by keys that are newer than the first run directories.
READING = {
    "images": (IMAGES, pictures, "aspect splits captions caption_key", "aspect: pad"),
    "latents": (LATENTS, shards, "vae scale shift first_label keys", "scale: 0.5"),
}


@pytest.mark.parametrize("source", READING)
def test_a_run_directory_older_than_how_data_are_read_can_be_continued(source, tmp_path):
    section, make, newer, other = READING[source]
    make(tmp_path)
    study = spec.read(write_spec(tmp_path, tiny_with(section)))["tiny"]
    folder = tmp_path / "runs"
    rundir.claim(Store(str(folder)), study)
    make_old(folder)

    def without(content):
        for key in newer.split():
            del content["spec"]["data"][key]

    edit_badly(folder / "study.json", without)
    assert rundir.claim(Store(str(folder)), study) == []
    changed = tiny_with(section.replace("val_draws", f"{other}, val_draws"))
    read_otherwise = spec.read(write_spec(tmp_path, changed))["tiny"]
    with pytest.raises(UserError, match=rf"data\.{other.partition(':')[0]}"):
        rundir.claim(Store(str(folder)), read_otherwise)


def test_the_ladder_of_an_axis_may_grow(tmp_path):
    store = Store(str(tmp_path))
    rundir.claim(store, study_of(text_of("depth")))
    grown = study_of(text_of("depth").replace("[1, 2, 4]", "[1, 2, 3, 4]"))
    assert [change.path for change in rundir.claim(store, grown)] == ["transfer.depths"]
    assert next_trials.nominal(grown)


def test_a_run_directory_belongs_to_the_content_of_its_data_and_not_to_their_path(tmp_path):
    pictures(tmp_path / "one")
    store = Store(str(tmp_path / "runs"))
    study = spec.read(write_spec(tmp_path / "one", tiny_with(IMAGES)))["tiny"]
    assert rundir.claim(store, study) == []
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    moved = spec.read(tmp_path / "two" / "sweeps.yaml")["tiny"]
    assert [change.path for change in rundir.claim(store, moved)] == ["data.path"]
    path = tmp_path / "two" / "pictures" / "a" / "0.png"
    Image.new("RGB", (8, 8), "red").save(path)
    data.load.cache_clear()
    with pytest.raises(UserError, match="the content of the data"):
        rundir.claim(store, moved)


def test_a_spec_that_grows_once_a_verdict_could_be_seen_counts_as_an_interim_analysis(tmp_path):
    grown = study_of(TINY.replace("points: 3, seeds: 2", "points: 3, seeds: 3"))
    wider = study_of(TINY.replace("points: 3, seeds: 2", "points: 3, seeds: 4"))
    study, store = study_of(TINY), Store(str(tmp_path))
    rundir.claim(store, study)
    rundir.claim(store, grown)
    assert store.decisions() == {}, "no verdict could be seen yet"
    decisions, table, _ = play(grown)
    for name, content in decisions.items():
        store.decide(name, content)
    free = study_of(
        TINY.replace("points: 3, seeds: 2", "points: 3, seeds: 3") + "    loggers: [tensorboard]\n"
    )
    rundir.claim(store, free)
    assert study_question(free, store.decisions()).n_interim == 0, "no trials are added"
    rundir.claim(store, wider)
    rundir.claim(store, wider)
    recorded = store.decisions()
    assert study_question(wider, recorded).n_interim == 1
    assert study_question(wider, recorded).confidence > study_question(grown, decisions).confidence
    assert recorded["settle-000"]["grown"] == ["target.seeds: 3 there, 4 in the spec"]
    assert next_trials.next_trials(wider, recorded, table).trials, "and its trials are requested"


def test_the_recorded_flops_are_the_units_of_the_cost_and_damaged_ones_one_message(tiny, tmp_path):
    store = Store(str(tmp_path))
    assert rundir.reference_runs(store, tiny) == estimate.reference_runs(tiny)  # not started
    rundir.claim(store, tiny)
    content = store.read_json("study.json")
    for changes in ({}, {"target_flops": 5.0}, {"production_flops": 7.0}):
        store.write_json(content | changes, "study.json")
        runs = rundir.reference_runs(store, tiny)
        assert runs.target_flops == changes.get("target_flops", estimate.target_flops(tiny))
        assert runs.production_flops == changes.get("production_flops")
    earlier = {key: value for key, value in content.items() if key != "production_flops"}
    store.write_json(earlier, "study.json")
    assert rundir.reference_runs(store, tiny) == estimate.reference_runs(tiny)
    for wrong in ("1", -1, True, [1]):
        store.write_json(content | {"target_flops": wrong}, "study.json")
        with pytest.raises(UserError, match=r"study\.json: target_flops must be a number above 0"):
            rundir.reference_runs(store, tiny)
