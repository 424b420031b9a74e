"""Studies of an optimizer's own HPs: weight decay beside the LR, and Muon's second base LR."""

import pytest
from ruamel.yaml import YAML

from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.conftest import TINY, write_spec

LR = "lr: {distribution: log_uniform_values, min: 2^-9, max: 2^-5}"
DECAY = "weight_decay: {distribution: log_uniform_values, min: 2^-6, max: 2^-2}"
OF_ADAMW = "adamw_lr: {distribution: log_uniform_values, min: 2^-10, max: 2^-6}"


def run(folder, second, name, optimizer="adamw"):
    """Run a study that slices the LR and a second HP; return its table and best.yaml."""
    text = TINY.replace("init_std: {value: 1}", second)
    text = text.replace("parameters: [lr]", f"parameters: [lr, {name}]")
    text = text.replace("max_extend: 1", "max_extend: 0").replace("control: sp", "control: none")
    assert "max_extend: 0" in text and "control: none" in text
    assert LR in text and second in text and name in text
    write_spec(folder, text.replace("train: {", f"train: {{optimizer: {optimizer}, "))
    done = call(folder, "run", "tiny", "--inline")
    assert done.returncode == 0, done.stderr
    done = call(folder, "export", "tiny", "--width", "32", "--force")
    assert done.returncode == 3, done.stderr  # six steps prove nothing
    best = YAML(typ="safe").load(folder / "runs/tiny/best.yaml")
    return Store(str(folder / "runs/tiny")).table(), best


@pytest.mark.parametrize("optimizer", ["adamw", pytest.param("muon", marks=pytest.mark.slow)])
def test_weight_decay_is_sliced_and_judged_beside_the_lr(tmp_path, optimizer):
    table, best = run(tmp_path, DECAY, "weight_decay", optimizer)
    assert list(best["regret"]["hps"]) == ["lr", "weight_decay"]
    at_target = table[table["width"] == 32]
    for hp in ("lr", "weight_decay"):
        slices = table[(table["asked_by"] == "slices") & (table["width"] == 8)]
        assert slices[f"hp.{hp}"].nunique() >= 3 and at_target[f"hp.{hp}"].nunique() >= 3
    # The set is judged as one: its runs at the target have both transferred values.
    sets = at_target[at_target["asked_by"] == "set"]
    assert len(sets[["hp.lr", "hp.weight_decay"]].drop_duplicates()) == 1
    hidden = best["roles"]["hidden"]
    assert hidden["lr"] * hidden["weight_decay"] == pytest.approx(
        best["hps"]["lr"] * best["hps"]["weight_decay"], rel=1e-4
    )


def test_the_base_lr_of_adamws_part_is_searched_and_exported(tmp_path):
    table, best = run(tmp_path, OF_ADAMW, "adamw_lr", "muon")
    assert list(best["regret"]["hps"]) == ["lr", "adamw_lr"]
    search = table[table["asked_by"] == "search"]
    assert search["hp.adamw_lr"].nunique() == len(search)
    assert table["val_loss"].nunique() == len(table)  # it acts in every trial
    own = best["hps"]["adamw_lr"]
    assert best["optimizer"]["adamw_lr"] == own != best["hps"]["lr"]
    assert best["roles"]["input"]["lr"] == pytest.approx(own)
