"""The words of other trackers, and hints at columns that are not mapped."""

import pandas as pd
import pytest

from mutransfer.analysis.table.trackers import mapping_hint, status_columns, status_of


@pytest.mark.parametrize(
    ("status", "words"),
    [
        # Optuna's TrialState, as text too; W&B, Ray, MLflow, Slurm.
        ("done", "COMPLETE TrialState.COMPLETE finished TERMINATED FINISHED COMPLETED done"),
        ("pruned", "PRUNED TrialState.PRUNED"),
        ("failed", "FAIL RUNNING WAITING crashed failed killed running preempted ERROR PENDING"),
        ("failed", "PAUSED KILLED FAILED TIMEOUT CANCELLED+ OUT_OF_MEMORY NODE_FAIL PREEMPTED"),
        ("diverged", "diverged NaN"),
    ],
)
def test_words_of_trackers_are_understood(status: str, words: str) -> None:
    assert {status_of(word) for word in words.split()} == {status}
    assert status_of(f" {words.split()[0]} ") == status


@pytest.mark.parametrize("word", ["", "adam", "donee", "run-1", "fail by", "1"])
def test_other_words_are_none(word: str) -> None:
    assert status_of(word) is None
    assert status_of("CANCELLED by 1000") == "failed"  # the control: what Slurm adds


def test_a_column_all_of_whose_words_are_statuses_is_noticed() -> None:
    df = pd.DataFrame(
        {
            "State": ["finished", None, "crashed"],
            "Name": ["run-1", "finished", "failed"],
            "code": [0, 1, 0],
            "nothing": [None, None, None],
            "tags": [["done"], ["done"], ["done"]],
        }
    )
    assert status_columns(df, df.columns) == ["State"]
    assert status_columns(df, ["Name", "code"]) == []


def test_the_names_of_optuna_and_wandb_give_the_option_to_type() -> None:
    missing = ["width", "val_loss", "hp.<name>"]
    optuna = ["number", "value", "datetime_start", "params_lr", "params_width", "state"]
    assert set(mapping_hint(optuna, {}, missing).removeprefix("--columns ").split(",")) == {
        "params_lr=hp.lr",
        "params_width=width",
        "value=val_loss",
        "state=status",
    }
    wandb = ["Name", "State", "config.width", "config.lr", "config.seed", "val/loss"]
    hint = mapping_hint(wandb, {"config.lr": "hp.lr"}, missing[:2])
    assert set(hint.removeprefix("--columns ").split(",")) == {
        "config.lr=hp.lr",
        "config.width=width",
        "config.seed=seed",
        "val/loss=val_loss",
        "State=status",
    }
    assert mapping_hint(["a", "b"], {}, missing) == ""


def test_a_metric_that_ascends_is_hinted_with_its_goal_and_odd_names_are_quoted() -> None:
    assert mapping_hint(["val_acc"], {}, ["val_loss"]) == (
        "--columns val_acc=val_loss --goal maximize"
    )
    assert mapping_hint(["loss"], {"my lr": "hp.lr"}, ["val_loss"]) == (
        "--columns 'my lr=hp.lr,loss=val_loss'"
    )
    assert mapping_hint(["loss"], {"a=b": "hp.lr"}, ["val_loss"]) == ""
