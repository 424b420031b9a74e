"""The answer: its sentence, its key figures and its table."""

from dataclasses import replace

from mutransfer.analysis.reporting import answer
from mutransfer.analysis.reporting.contents import ReportInputs, StudyProgress
from mutransfer.analysis.verdict.cost import ReferenceRuns, total


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
    cost = inputs.verdict.cost
    assert facts["Cost of all trials"].value == f"{cost.target_runs:.3g} target runs"
    assert facts["Cost of all trials"].note == ""
    runs = ReferenceRuns(target_flops=1e9, production_flops=1e10, n_searched=24)
    known = replace(inputs.verdict, cost=total({"search": (3, 5e9)}, runs))
    (fact,) = [f for f in answer.facts(replace(inputs, verdict=known)) if "Cost" in f.label]
    assert fact.value == "5 target runs" and fact.note.startswith("50 % of the production run; ")
    assert "tuning at the target instead: 24 target runs (240 % of" in fact.note
    (lr, std) = answer.answer_table(inputs.verdict).rows
    assert lr[:2] == ("lr", "PASS") and std[0] == "init_std"
