"""The rules about what is trained: widths, data, and the user's own module."""

import pytest

from mutransfer.proxies.training.trial import plan
from mutransfer.sweep.errors import SpecError
from mutransfer.sweep.run import gate
from tests.sweep.spec_faults import assert_fault

CASES = [
    ("width and head_dim", ("widths: [8, 16]", "widths: [12, 16]"), "transfer.widths.0", "take 8"),
    ("target and head_dim", ("{width: 32, c", "{width: 36, c"), "target.width", "take 32"),
    ("patch", ("patch_size: 4", "patch_size: 3"), "model.patch_size", "take one of"),
    ("data without features", ("family: dit", "family: dit, repa_block: 0"), "model.repa_block",
     "leave `repa_block` out"),
    ("captioned family", ("family: dit", "family: pixart"), "data", "data with captions"),
    ("even U-ViT", ("family: dit, depth: 1", "family: uvit, depth: 2"), "model.depth", "take 1"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "path", "remedy"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
def test_each_fault_of_the_model_has_position_rule_and_remedy(change, path, remedy):
    assert_fault(change, path, remedy)


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
# A text of the user's module, what replaces it, and a part of the message.
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
