"""The gate: the studies of this repository pass under μP and fail under SP; omitted widths."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from mutransfer.analysis.verdict.coordcheck import judge
from mutransfer.proxies.checks import coordcheck, invariants
from mutransfer.proxies.config.model import DiTConfig
from mutransfer.sweep import spec
from mutransfer.sweep.run import gate
from tests.sweep.conftest import TINY, study_of

ROOT = Path(__file__).parents[3]
STUDIES = {
    "digits-dit": "sweeps.yaml",
    "digits-uvit": "sweeps.yaml",
    "emoji-pixart": "sweeps.yaml",
    "emoji-mmdit": "sweeps.yaml",
    "language": "examples/custom/sweeps.yaml",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_mup_passes_the_gate_and_sp_fails_it(name):
    study = spec.read(ROOT / STUDIES[name], (name,))[name]
    result = gate.measure(study)
    assert result.verdict == "PASS", [*result.broken, *result.check.findings]
    assert result.check.control_grows and not result.broken

    def as_sp(arm, *settings):
        return coordcheck.of_trial(gate.config(study, "sp", *settings))

    widths = result.check.widths
    base = study.model.base_width
    assert invariants.broken_laws(as_sp, base_width=base, width=widths[-1], lr=result.lr)
    sizes = coordcheck.measure(as_sp, widths=widths, seeds=range(3), steps=4, lr=result.lr)
    assert judge(pd.DataFrame([vars(s) for s in sizes])).verdict == "FAIL"


def test_the_widest_widths_are_omitted_where_they_cost_too_much():
    tiny = study_of(TINY)
    assert gate.widths(tiny) == (8, 16, 32, 64) and gate.too_costly(tiny) == ()
    model = DiTConfig(depth=28, head_dim=64, base_width=128, patch_size=2)
    transfer = dataclasses.replace(tiny.transfer, widths=(128, 256, 512))
    target = dataclasses.replace(tiny.target, width=2048)
    search = dataclasses.replace(tiny.search, width=128)
    large = dataclasses.replace(tiny, model=model, search=search, transfer=transfer, target=target)
    assert gate.widths(large) == (128, 256, 512) and gate.too_costly(large) == (2048,)
    assert gate.flops(large) < gate.MAX_FLOPS["cpu"]
    named = dataclasses.replace(tiny.coordcheck, widths=(128, 256, 2048))
    requested = dataclasses.replace(large, coordcheck=named)
    assert gate.widths(requested) == (128, 256, 2048) and gate.too_costly(requested) == ()
    content = {
        "verdict": "PASS", "findings": [], "widths": [128, 256, 512], "n_seeds": 3, "log2_lr": -7,
        "n_series": 9, "tolerance": 0.15, "detectable": 0.2, "not_checked": [2048],
    }  # fmt: skip
    assert "not checked because of their cost: 2048" in gate.result_text("large", content)
