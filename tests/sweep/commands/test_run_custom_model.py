"""The user's own module, loss and data: they are swept, or refused with one message."""

import json

import pytest

from mutransfer.proxies import user_code
from mutransfer.proxies.training.identity import identity
from mutransfer.sweep import spec
from mutransfer.sweep.run import driver, gate, ray_tune
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.custom_model import MODULE


def test_a_custom_study_runs_to_its_verdict_and_its_plan_is_exported(user):
    user()
    done = call(user.folder, "run", "own", "--inline", "--no-coordcheck")
    assert done.returncode == 0, done.stderr
    assert call(user.folder, "analyze", "own").returncode in (0, 3)
    call(user.folder, "export", "own", "--width", "256", "--force", "-o", "best.yaml")
    assert "head.weight" in (user.folder / "best.yaml").read_text()
    rows = Store(str(user.folder / "runs/own")).table()
    assert set(rows["family"]) == {"custom"} and rows["depth"].isna().all()
    assert set(rows["status"]) <= {"done", "diverged"} and rows["flops"].gt(0).all()


@pytest.mark.parametrize(("exponents", "is_unlearnable"), [("[-12, -3]", True), ("[5, 9]", False)])
def test_what_cannot_be_learned_is_told_from_what_diverges(user, exponents, is_unlearnable):
    whole = '    return (model(batch["x"] + noise) - batch["y"]).square().mean(1)'
    none = '    return 0 * model(batch["x"])[:, 0] + batch["y"][:, 0].square()'
    user(*[(whole, none)] * is_unlearnable)
    spec_file = user.folder / "sweeps.yaml"
    text = spec_file.read_text().replace("[-8, -5]", exponents)
    spec_file.write_text(text.replace("trials: 2, generation: 2", "trials: 6, generation: 6"))
    done = call(user.folder, "run", "own", "--inline", "--no-coordcheck")
    assert done.returncode == 1 and "no trial of the search gave a loss" in done.stderr
    assert ("the loss does not go down at any learning rate" in done.stderr) == is_unlearnable
    assert ("usually: lower learning rates" in done.stderr) != is_unlearnable


@pytest.mark.slow
def test_ray_workers_find_the_users_code(user):
    study, store = user(), Store(str(user.folder / "runs/own"))
    rundir.claim(store, study)
    state = driver.State.load(study, store)
    ray_tune.run(state)
    assert state.counts()["failed"] == 0, store.table()["error"].dropna().tolist()


def test_identity_follows_the_users_source(user, tmp_path):
    first = identity(gate.config(user(), "mup", 32, 0, 0.01))
    assert identity(gate.config(user(), "mup", 32, 0, 0.01)) == first
    user_code.source_digest.cache_clear()
    (tmp_path / f"{user.name}.py").write_text(MODULE + "\n# another comment\n")
    again = spec.read(tmp_path / "sweeps.yaml")["own"]
    assert identity(gate.config(again, "mup", 32, 0, 0.01)) != first


def test_a_wrong_role_fails_the_check_and_stops_the_run(user):
    """The negative control: with inferred roles the model passes, and is checked only once."""
    user(roles="{inner.weight: input}")
    done = call(user.folder, "run", "own", "--inline")
    assert done.returncode == 1 and "inner.weight" in done.stderr
    assert "learning rate that is not divided" in done.stderr
    assert not (user.folder / "runs/own/trials").exists()
    user()
    where = ("--inline", "--runs", "good")
    done = call(user.folder, "run", "own", *where)
    assert done.returncode == 0 and "PASS" in done.stdout
    stored = user.folder / "good/own/coordcheck.json"
    first = stored.stat().st_mtime_ns
    assert call(user.folder, "run", "own", *where).returncode == 0
    assert stored.stat().st_mtime_ns == first
    assert json.loads(stored.read_text())["verdict"] == "PASS"
    names = {path.name for path in (user.folder / "good/own/plots").iterdir()}
    assert {"coordcheck_change.png", "coordcheck_update.svg"} <= names


FORWARD = """
    def forward(self, x):
        return self.head(torch.relu(self.inner(torch.relu(self.stem(x)))))
"""
ATTENDS = """
    def forward(self, x):
        h = torch.relu(self.stem(x))
        q, k = (y.unflatten(1, (2, -1)).transpose(0, 1) for y in (self.inner(h), h))
        mixed = nn.functional.scaled_dot_product_attention(q, k, k)
        return self.head(mixed.transpose(0, 1).flatten(1))
"""


def test_a_broken_invariant_stops_the_run_and_is_named(user):
    """A head dim that grows with width under 1/√d, which a check of a few steps does not show."""
    user((FORWARD, ATTENDS))
    with (user.folder / "sweeps.yaml").open("a") as file:
        file.write("    coordcheck: {lr: 0.001, seeds: 2, max_seeds: 2, steps: 3}\n")
    done = call(user.folder, "run", "own", "--inline")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "coordinate check: FAIL" in done.stderr and "head dim grows" in done.stderr
    stored = json.loads((user.folder / "runs/own/coordcheck.json").read_text())
    assert stored["broken"] and not stored["findings"], "only the invariants detect it"
    assert not (user.folder / "runs/own/trials").exists()
    assert "invariant broken" in call(user.folder, "run", "own", "--inline").stderr  # as stored
