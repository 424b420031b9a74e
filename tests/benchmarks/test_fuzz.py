"""The fuzzers find nothing, and would find what is wrong."""

import random

import pytest
from benchmarks.fuzz import rundirs, specs, tables
from benchmarks.fuzz.__main__ import planted_run
from benchmarks.fuzz.outcome import Tally
from benchmarks.fuzz.values import mutated

from mutransfer.sweep.errors import UserError


def run_specs(n: int, seed: int) -> Tally:
    tally = Tally()
    specs.fuzz(n, seed, tally)
    return tally


def run_tables(n: int, seed: int) -> Tally:
    tally = Tally()
    tables.fuzz(n, seed, tally)
    return tally


def run_rundirs(n: int, seed: int) -> Tally:
    tally = Tally()
    rundirs.fuzz(n, seed, tally, planted_run)
    return tally


@pytest.mark.parametrize(("fuzz", "n"), [(run_specs, 6), (run_tables, 3)])
def test_some_generated_inputs_are_answered(fuzz, n):
    assert fuzz(n, 1).bugs == []


@pytest.mark.slow
@pytest.mark.parametrize(("fuzz", "n"), [(run_specs, 500), (run_tables, 200), (run_rundirs, 200)])
def test_many_generated_inputs_are_answered(fuzz, n):
    assert fuzz(n, 2).bugs == []


def forever() -> None:
    while True:
        pass


def test_the_control_bugs_hangs_and_wrong_answers_are_noted(tmp_path, monkeypatch):
    tally = Tally()
    tally.add("a", lambda: {}["missing"])
    tally.add("b", lambda: (_ for _ in ()).throw(UserError("say so")))
    assert tally.outcomes == {"bug": 1, "message": 1} and "KeyError" in tally.bugs[0]
    monkeypatch.setattr("benchmarks.fuzz.outcome.LIMIT_S", 1)
    tally.add("c", forever)
    assert "Hang" in tally.bugs[1]
    rng = random.Random(0)
    assert any(mutated({"a": {"b": 1}}, rng, 1) != {"a": {"b": 1}} for _ in range(5))


def test_the_control_a_verdict_that_changes_is_found():
    """A reader that believes whatever it finds: the first word of any file."""
    tally = Tally()

    def make(folder):
        folder.mkdir()
        for i in range(4):
            (folder / f"{i}.json").write_text('{"word": "PASS"}')

    def credulous(run):
        texts = [path.read_text(errors="replace") for path in sorted(run.glob("*.json"))]
        return {"verdict": "".join(texts), "finished": True}

    rundirs.fuzz(12, 0, tally, make, credulous)
    assert tally.outcomes["wrong"] > 0
