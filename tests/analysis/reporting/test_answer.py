"""The answer: its sentence, its key figures and its table."""

from dataclasses import replace

from mutransfer.analysis.reporting import answer
from mutransfer.analysis.reporting.contents import ReportInputs, StudyProgress


def test_a_pass_while_trials_are_missing_is_marked_as_preliminary(inputs: ReportInputs) -> None:
    assert inputs.verdict.verdict == "PASS"
    part = replace(inputs, progress=StudyProgress(150, 160, (("target", 10),)))
    assert answer.sentence(part).startswith("So far: PASS")
    finished = replace(inputs, progress=StudyProgress(160, 160, finished=True))
    assert answer.sentence(finished).startswith("PASS")


def test_without_a_verdict_there_is_a_sentence_and_no_figure(inputs: ReportInputs) -> None:
    searching = replace(inputs, verdict=None, question=None)
    assert answer.word(searching) == "UNDER WAY"
    assert answer.sentence(searching).startswith("No verdict yet")
    assert answer.facts(searching) == []


def test_the_key_figures_are_regret_drift_set_and_cost(inputs: ReportInputs) -> None:
    facts = {fact.label: fact for fact in answer.facts(inputs)}
    assert facts["Regret at width 512"].value.startswith("at most 0.")
    assert "SP −" in facts["Drift of lr under μP"].note
    assert "lr 0.0031" in facts["Transferred set"].value
    (lr, std) = answer.answer_table(inputs.verdict).rows
    assert lr[:2] == ("lr", "PASS") and std[0] == "init_std"
