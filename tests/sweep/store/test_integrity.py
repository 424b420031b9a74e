"""Whatever is damaged, edited or lost in a run directory is named; nothing else is."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store import integrity
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, study_of
from tests.sweep.edited import edit, edit_badly
from tests.sweep.planted import played_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "tiny"
    played_run(study_of(TINY), folder)
    return folder


@pytest.fixture
def run(finished, tmp_path) -> Path:
    return shutil.copytree(finished, tmp_path / "tiny")


def a_part(run: Path, folder: str = "trials", which: int = 0) -> Path:
    return sorted((run / folder).glob("*.parquet"))[which]


def found(run: Path) -> list[tuple[str, str]]:
    return [(f.kind, f.path) for f in integrity.look(Store(str(run)))]


def set_loss(path: Path, loss: float, keep_metadata: bool = False) -> None:
    part = pq.read_table(path)
    column = part.schema.get_field_index("val_loss")
    edited = part.set_column(column, part.schema.field(column), [[loss]])
    pq.write_table(edited if keep_metadata else edited.replace_schema_metadata(None), path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def tolerate(content: dict) -> None:
    content["spec"]["target"]["tolerance"]["rel_loss"] = 0.9


DAMAGES = {
    "an edited loss": ("trials", lambda run: set_loss(a_part(run), 0.001)),
    "an edited loss with the old checksum": (
        "trials", lambda run: set_loss(a_part(run), 0.001, keep_metadata=True),
    ),
    "a torn part": ("trials", lambda run: cut(a_part(run))),
    "an empty part": ("trials", lambda run: a_part(run).write_bytes(b"")),
    "a part under another name": (
        "trials", lambda run: shutil.copy(a_part(run), a_part(run, which=1)),
    ),
    "a torn curve": ("trials", lambda run: cut(a_part(run, "curves"))),
    "a lost curve": ("trials", lambda run: a_part(run, "curves").unlink()),
    "another trial's curve": (
        "trials", lambda run: shutil.copy(a_part(run, "curves"), a_part(run, "curves", 1)),
    ),
    "an edited decision": (
        "decisions", lambda run: edit_badly(run / "decisions/centre.json",
                                            lambda c: c["centre"].update(lr=0.5)),
    ),
    "an edited decision with its checksum": (
        "decisions", lambda run: edit(run / "decisions/centre.json",
                                      lambda c: c["centre"].update(lr=0.5)),
    ),
    "a lost generation": ("decisions", lambda run: (run / "decisions/search-001.json").unlink()),
    "a lost centre": ("decisions", lambda run: (run / "decisions/centre.json").unlink()),
    "a lost set": ("decisions", lambda run: (run / "decisions/transferred.json").unlink()),
    "a decision that is no JSON": (
        "decisions", lambda run: (run / "decisions/centre.json").write_text("{"),
    ),
    "a decision without checksum": (
        "decisions", lambda run: edit_badly(run / "decisions/centre.json",
                                            lambda c: c.pop("checksum")),
    ),
    "an edited tolerance": ("study.json", lambda run: edit_badly(run / "study.json", tolerate)),
    "an edited tolerance with its seal": (
        "study.json", lambda run: edit(run / "study.json", tolerate),
    ),
    "a study without checksum": (
        "study.json", lambda run: edit_badly(run / "study.json", lambda c: c.pop("checksum")),
    ),
    "a lost study": ("study.json", lambda run: (run / "study.json").unlink()),
}  # fmt: skip


@pytest.mark.parametrize(("where", "damage"), DAMAGES.values(), ids=DAMAGES)
def test_a_damage_is_named_and_no_verdict_rests_on_it(run, where, damage):
    assert found(run) == []  # the control
    damage(run)
    findings = found(run)
    assert findings and all(path.startswith(where) for _, path in findings), findings
    with pytest.raises(UserError, match=f"(?s){where}.*doctor"):
        integrity.require_sound(Store(str(run)))


def test_a_row_that_is_not_what_a_decision_rests_on_is_named(run):
    """Edited together with its checksum: the search's best, on which the centre rests."""
    store = Store(str(run))
    trial_id = store.decision("centre")["search_best_trial_id"]
    part = store.read_part(trial_id)
    (run / f"trials/{trial_id}.parquet").unlink()
    (run / f"curves/{trial_id}.parquet").unlink()
    store.write_row(part.row | {"val_loss": 9.0}, [])
    assert found(run) == [("trial", f"trials/{trial_id}.parquet")]


STRANGERS = ("notes.txt", "0123 (conflicted copy).parquet", "a.parquet~", ".DS_Store", "folder/x")


def test_strange_files_are_ignored_with_a_note(run):
    table = Store(str(run)).table()
    for name in STRANGERS:
        for folder in ("trials", "curves", "decisions"):
            path = run / folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text("not ours")
    assert len(Store(str(run)).table()) == len(table)
    findings = integrity.look(Store(str(run)))
    assert {f.kind for f in findings} == {"ignored"} and len(findings) == 12
    integrity.require_sound(Store(str(run)))


def test_a_failed_row_that_was_run_again_is_no_damage(tmp_path):
    study = study_of(TINY)

    def law(config):
        return "failed" if config.seed == 0 and config.hps.lr < 0.005 else 1.0 + config.hps.lr

    store = played_run(study, tmp_path / "tiny", law)
    assert store.forget_failed() > 0
    played_run(study, tmp_path / "tiny")
    assert found(tmp_path / "tiny") == []


def test_the_order_of_keys_and_the_versions_beside_a_decision_are_not_edited(run):
    path = run / "decisions/centre.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(content.items()))))
    assert found(run) == []
