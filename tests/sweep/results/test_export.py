"""The content of best.yaml from a study."""

import dataclasses
import json

import pandas as pd
import pytest

from mutransfer.proxies.config.trial import TrainerConfig
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.results.analyze import analyze
from mutransfer.sweep.results.export import (
    axis_value_of,
    export,
    mark_unfinished,
    reported_settings,
    roles,
)
from tests.sweep.results.conftest import PlantedRun


def test_the_set_is_exported_with_its_verdict_and_its_plan(planted_run: PlantedRun):
    study, store = planted_run
    analysis = analyze(study, store)
    best = export(analysis, study, store, axis_value_of(study, 64, None))
    assert best["verdict"] in ("PREDICTED", "NOT_SUPPORTED") and best["width"] == 64
    assert best["hps"]["lr"] == analysis.question.transferred["lr"]
    assert best["plan"]["width"] == 64 and best["provenance"]["trials"] == len(analysis.table)
    hidden = best["roles"]["hidden"]
    assert hidden["lr"] == pytest.approx(best["hps"]["lr"] / 4, rel=1e-5)  # width 64, base width 16
    assert mark_unfinished(best, analysis, study, store) == best


def test_a_study_with_missing_trials_has_no_verdict_to_export(planted_run: PlantedRun):
    study, store = planted_run
    analysis = analyze(study, store)
    part = analysis.table[analysis.table["width"] != 32]
    fewer = type(analysis)(
        verdict=analysis.verdict, question=analysis.question, fits=analysis.fits, table=part
    )
    content = export(analysis, study, store, 32)
    marked = mark_unfinished(content, fewer, study, store)
    assert marked["verdict"] == "UNDER_WAY" and marked["verified_up_to"] is None
    assert content["verdict_text"] in marked["verdict_text"]


def test_a_width_that_cannot_be_built_is_refused(planted_run: PlantedRun):
    study, store = planted_run
    with pytest.raises(UserError, match="--width"):
        export(analyze(study, store), study, store, 33)


def test_a_role_has_one_value_or_the_list_of_those_that_differ():
    def row(role, lr_mult):
        return {"role": role, "lr_mult": lr_mult, "wd_mult": 1, "decay": True, "eps_mult": 1,
                "input_mult": 1, "init_std": None, "fan_in": 4}  # fmt: skip

    plan = {"params": {"a": row("hidden", 0.5), "b": row("hidden", 0.5), "c": row("vector", 1)}}
    hps = {"lr": 0.1, "weight_decay": 0.2}
    by_role = roles(plan, hps, 1e-8)
    assert by_role["hidden"]["lr"] == 0.05 and by_role["hidden"]["sigma"] is None
    plan["params"]["b"]["lr_mult"] = 0.25
    assert roles(plan, hps, 1e-8)["hidden"]["lr"] == [0.025, 0.05]


SAID = {"optimizer": {"name": "lion", "betas": [0.9, 0.99]}, "schedule": "wsd"}


def with_trainer(analysis, settings):
    """The analysis as if a trainer of the user's had reported settings in each row."""
    table = analysis.table.assign(settings=settings)
    return dataclasses.replace(analysis, table=table)


def test_of_a_trainer_of_the_users_only_what_it_reported_is_exported(planted_run: PlantedRun):
    study, store = planted_run
    analysis, own = (
        analyze(study, store),
        dataclasses.replace(study, trial=TrainerConfig(run="a:b")),
    )
    ours = export(analysis, study, store, 32)
    assert ours["optimizer"]["name"] == "adamw" and ours["valid_for"]["schedule"] == "constant"
    said = export(with_trainer(analysis, json.dumps(SAID)), own, store, 32)
    assert said["optimizer"] == SAID["optimizer"] and said["valid_for"]["schedule"] == "wsd"
    silent = export(with_trainer(analysis, None), own, store, 32)
    assert silent["optimizer"] is None
    for best in (said, silent):
        assert "eps" not in best["roles"]["hidden"] and "eps" in ours["roles"]["hidden"]
        absent = {"objective", "precision", "ema_frac", "t_distribution", "label_dropout"}
        assert not absent & best["valid_for"].keys() and absent < ours["valid_for"].keys()
    assert "schedule" not in silent["valid_for"]


def test_what_trials_report_differently_or_in_part_is_left_out():
    def settings(*said):
        texts = [None if s is None else json.dumps(s) for s in said]
        return reported_settings(pd.DataFrame({"status": "done", "settings": texts}))

    assert settings(SAID, SAID) == SAID
    assert settings(SAID, {**SAID, "schedule": "cosine"}) == {"optimizer": SAID["optimizer"]}
    assert settings(SAID, {"schedule": "wsd"}) == {"schedule": "wsd"}
    assert settings(SAID, None) == settings() == {}
