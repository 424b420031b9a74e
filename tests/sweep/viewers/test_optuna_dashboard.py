"""What optuna-dashboard shows of a study."""

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from mutransfer.sweep.viewers.optuna_dashboard import Journal
from tests.sweep.axis_studies import text_of
from tests.sweep.conftest import study_of
from tests.sweep.planted import filled_run, write_trial


@pytest.fixture
def filled(tiny, tmp_path) -> Store:
    return filled_run(tiny, tmp_path / "tiny")


def studies(path) -> dict[str, optuna.Study]:
    storage = JournalStorage(JournalFileBackend(str(path)))
    names = optuna.get_all_study_names(storage)
    return {name: optuna.load_study(study_name=name, storage=storage) for name in names}


def test_the_journal_holds_the_search_and_each_arm_and_width(tiny, filled):
    journal = Journal(tiny, filled)
    assert journal.add() == 4
    by_name = studies(journal.path)
    assert list(by_name) == ["tiny", "tiny: μP, width 32"]
    done, diverged, failed = by_name["tiny"].trials
    assert (done.state, done.value) == (TrialState.COMPLETE, 0.5)
    assert done.params["lr"] == 2**-6 and done.distributions["lr"].log
    assert done.intermediate_values == {3: 0.9, 6: 0.5}
    assert done.duration.total_seconds() == 60
    for trial_, status in ((diverged, "diverged"), (failed, "failed")):
        assert (trial_.state, trial_.value) == (TrialState.FAIL, None)  # it has no loss
        assert trial_.user_attrs["status"] == status
    assert diverged.user_attrs["diverged_step"] == 4
    assert failed.user_attrs["error"] == "OSError: lost"
    assert by_name["tiny"].best_value == 0.5
    wide = by_name["tiny: μP, width 32"].trials[0]
    assert wide.params["lr"] == pytest.approx(2**-11) and wide.user_attrs["seed"] == 1


def test_along_another_axis_each_of_its_values_and_arms_is_a_study(tmp_path):
    study, store = study_of(text_of("batch_size", rule=True)), Store(str(tmp_path / "axis"))
    rundir.claim(store, study)
    for batch_size, arm in ((32, "mup"), (64, "mup"), (64, "unscaled")):
        write_trial(study, store, 2**-6, 0.5, stage="slices", at=batch_size, arm=arm)
    journal = Journal(study, store)
    assert journal.add() == 3
    assert {name.partition(": ")[2] for name in studies(journal.path)} == {
        "μP, batch size 32", "μP, batch size 64", "no rule, batch size 64",
    }  # fmt: skip


def test_new_rows_are_added_once_and_a_new_journal_holds_all_rows(tiny, filled):
    journal = Journal(tiny, filled)
    journal.add()
    write_trial(tiny, filled, 2**-10.5, 0.4)
    assert (journal.add(), journal.add()) == (1, 0)
    assert [t.value for t in studies(journal.path)["tiny"].trials] == [0.5, None, None, 0.4]
    again = Journal(tiny, filled)
    assert again.add() == 5
    assert len(studies(again.path)["tiny"].trials) == 4
