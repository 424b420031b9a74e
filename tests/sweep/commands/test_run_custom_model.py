"""The user's own module, loss and data: they are swept, or refused with one message."""

import json
import sys
import textwrap

import pytest

from mutransfer.proxies import user_code
from mutransfer.proxies.training.identity import identity
from mutransfer.proxies.training.trial import plan
from mutransfer.sweep import spec
from mutransfer.sweep.errors import SpecError
from mutransfer.sweep.run import driver, gate, ray_tune
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call

MODULE = """
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.stem, self.inner, self.head = (
            nn.Linear(5, width), nn.Linear(width, width), nn.Linear(width, 2)
        )

    def forward(self, x):
        return self.head(torch.relu(self.inner(torch.relu(self.stem(x)))))


def build(width):
    return Model(width)


def loss(model, batch, generator):
    noise = 0.1 * torch.randn(batch["x"].shape, generator=generator)
    return (model(batch["x"] + noise) - batch["y"]).square().mean(1)


class Data:
    fingerprint = "normal"

    def __init__(self, scale=1.0):
        self.scale = scale

    def batch(self, seed, step, size):
        rng = torch.Generator().manual_seed(1000 * seed + step)
        x = self.scale * torch.randn(size, 5, generator=rng)
        return {"x": x, "y": x[:, :2].sin() + x[:, 2:4]}

    def validation(self):
        return self.batch(10**6, 0, 32)
"""

SPEC = """
version: 1
studies:
  own:
    model: {family: custom, build: 'NAME:build', loss: 'NAME:loss', base_width: 16}
    data: {source: custom, build: 'NAME:Data', args: {scale: 1.5}}
    train: {steps: 8, batch_size: 16, n_val: 1}
    parameters:
      lr: {log2: [-8, -5]}
    search: {width: 16, trials: 2, generation: 2}
    transfer: {parameters: [lr], widths: [16, 32], points: 3, refine: false, seeds: 2}
    target: {width: 64, points: 3, seeds: 2, tolerance: {rel_loss: 0.05}}
"""


@pytest.fixture
def user(tmp_path, monkeypatch, request):
    """Write a spec and a module with a unique name (a module is imported once per process)."""
    name = "user_" + "".join(c if c.isalnum() else "_" for c in request.node.name)[-60:]
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(*changes: tuple[str, str], roles: str = "{}"):
        code, text = MODULE, SPEC.replace("NAME", name)
        for old, new in changes:
            assert old in code
            code = code.replace(old, new)
        text = text.replace("base_width: 16", f"base_width: 16, roles: {roles}")
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))
        (tmp_path / "sweeps.yaml").write_text(text)
        return spec.read(tmp_path / "sweeps.yaml", ("own",))["own"]

    write.folder, write.name = tmp_path, name
    return write


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


INIT = "super().__init__()"
ADD_PARAMETER = f"{INIT}\n        self.odd = "
BUILD = "return Model(width)"
TIED = """m = Model(width)
    m.t = nn.Embedding(2, width)
    m.head.weight = m.t.weight
    return m"""
SAME_MODULE = """global m
    m = globals().get('m') or Model(width)
    return m"""
DEEPER = """m = Model(width)
    m.more = nn.Linear(3, 3) if width > 16 else None
    return m"""
# A text of the module above, what replaces it, and a part of the message.
FAULTY = {
    "build fails": (INIT, "raise OSError('no disk')", "no disk"),
    "build ignores its argument": (BUILD, "return Model(16)", "2 × base_width"),
    "another structure at another width": (BUILD, DEEPER, "more.weight"),
    "build returns no module": (BUILD, "return 3", "nn.Module"),
    "loss not finite": (".mean(1)", ".mean(1) / 0", "finite"),
    "loss not per sample": (".mean(1)", ".mean()", "one loss a sample"),
    "global randomness": (", generator=generator)", ")", "generator"),
    "dropout": ("torch.relu(self.inner(", "nn.functional.dropout(self.inner(", "dropout"),
    "data differ between calls": (", generator=rng)", ")", "every call"),
    "data not one row per sample": ('"y": x[:, :2].sin() + x[:, 2:4]', '"y": x[:1, :2]', "axis 0"),
    "data without fingerprint": ('fingerprint = "normal"', "other = 1", "fingerprint"),
    "data fail": ("self.scale = scale", "raise OSError('no share')", "no share"),
    "import ends the process": ("import torch\n", "import torch\nexit('usage')\n", "usage"),
    "build ends the process": (BUILD, "raise SystemExit(3)", "SystemExit"),
    "one module for all": (BUILD, SAME_MODULE, "a new module"),
    "build reads values": (BUILD, f"{BUILD} if float(torch.ones(1)) else None", "meta device"),
    "loss ends the process": ("noise = 0.1", "exit()\n    noise = 0.1", "SystemExit"),
    "data differ at some step": (
        "manual_seed(1000 * seed + step)", "manual_seed(step) if step < 9 else None", "every call",
    ),
    "no validation": ("self.batch(10**6, 0, 32)", "self.batch(10**6, 0, 0)", "has samples"),
    "validation not finite": (
        "return self.batch(10**6, 0, 32)",
        "return {k: v / 0 for k, v in self.batch(10**6, 0, 32).items()}", "finite",
    ),
    "fingerprint not constant": (
        'fingerprint = "normal"', "fingerprint = property(lambda self: torch.rand(1))", "always",
    ),
    "import fails": ("import torch\n", "import torch\nimport no_such_package\n", "no_such_package"),
    "a raw matrix": (INIT, f"{ADD_PARAMETER}nn.Parameter(torch.randn(width, width))", "hidden@1"),
    "tied weights": (BUILD, TIED, "declare"),
    "an equal dimension": (INIT, f"{ADD_PARAMETER}nn.Linear(3, max(32, width))", "odd.weight"),
    "three growing dimensions": (
        INIT, f"{ADD_PARAMETER}nn.Parameter(torch.randn(3 * [width]))", "roles",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "text"), FAULTY.values(), ids=FAULTY)
def test_bad_input_is_one_clear_message_before_any_trial(user, old, new, text):
    with pytest.raises(SpecError) as error:
        user((old, new))
    assert len(error.value.faults) == 1, str(error.value)
    assert text in str(error.value) and "Traceback" not in str(error.value)
    assert not (user.folder / "runs").exists()


def test_a_declared_role_is_used_and_a_pattern_that_matches_nothing_is_refused(user):
    raw = "super().__init__()\n        self.mix = nn.Parameter(torch.randn(width, width))"
    study = user(("super().__init__()", raw), roles="{m*x: 'hidden@1'}")
    row = plan(gate.config(study, "mup", 64, 0, 0.01))["params"]["mix"]
    assert (row["role"], row["fan_in"], row["lr_mult"]) == ("hidden", 64, 0.25)
    with pytest.raises(SpecError, match="matches some parameter"):
        user(("super().__init__()", raw), roles="{mixer: hidden}")


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
        q = self.inner(torch.relu(self.stem(x))).unflatten(1, (2, -1)).transpose(0, 1)
        mixed = nn.functional.scaled_dot_product_attention(q, q, q)
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


def test_the_commands_print_slopes_and_roles(user):
    user()
    done = call(user.folder, "coordcheck", "own")
    assert done.returncode == 0 and "inner.weight" in done.stdout and "growing" in done.stdout
    rows = json.loads(call(user.folder, "roles", "own", "--json").stdout)
    assert {row["name"]: row["role"] for row in rows}["inner.weight"] == "hidden"
    assert "head.weight" in call(user.folder, "roles", "own").stdout
