"""The question of a study, from its spec and its decisions."""

from mutransfer.sweep.plan.question import study_question


def test_there_is_no_question_before_the_search_has_given_a_centre(tiny, played):
    decisions, _, _ = played
    assert study_question(tiny, {}) is None
    centre = {"centre": decisions["centre"]}
    question = study_question(tiny, centre)
    assert question is not None and question.transferred is None


def test_the_question_is_that_of_the_spec(tiny, played):
    decisions, _, _ = played
    question = study_question(tiny, decisions)
    assert (question.search_at, question.axis_values, question.target_at) == (16, (8, 16), 32)
    assert (question.seeds, question.target_seeds) == ((1, 2), (1, 2))
    assert question.tolerance.kind == "rel_loss" and question.tolerance.value == 0.02
    assert (question.control, question.control_parameters) == ("sp", ("lr",))
    assert question.n_interim == 0 and question.transferred["init_std"] == 1.0
