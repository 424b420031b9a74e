"""The question of a study, from its spec and its decisions."""

from mutransfer.sweep.results.question import study_question
from tests.sweep.results.conftest import PlantedRun


def test_there_is_no_question_before_the_search_has_given_a_centre(planted_run: PlantedRun):
    study, store = planted_run
    assert study_question(study, {}) is None
    centre = {"centre": store.decisions()["centre"]}
    question = study_question(study, centre)
    assert question is not None and question.transferred is None


def test_the_question_is_that_of_the_spec(planted_run: PlantedRun):
    study, store = planted_run
    question = study_question(study, store.decisions())
    assert (question.search_at, question.axis_values, question.target_at) == (16, (8, 16), 32)
    assert (question.seeds, question.target_seeds) == ((1, 2), (1, 2))
    assert question.tolerance.kind == "rel_loss" and question.tolerance.value == 0.02
    assert (question.control, question.control_parameters) == ("sp", ("lr",))
    assert question.n_interim == 0 and question.transferred["init_std"] == 1.0
