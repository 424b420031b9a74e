"""The Python blocks of the pages about optimizers and exports run."""

import re
from pathlib import Path

import pytest
import torch

from mutransfer.analysis import export_formats
from mutransfer.proxies import mup
from tests.analysis.test_export_formats import HPS, best_of, expected
from tests.proxies.mup.small_dit import build, plan

DOCS = Path(__file__).parent.parent / "docs"


def blocks(page: str) -> list[str]:
    found = re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.M | re.S)
    assert found
    return found


def test_the_blocks_about_optimizers_run_in_their_order(capsys):
    names = {"build": build}
    for block in blocks("optimizers.md"):
        exec(compile(block, "docs/optimizers.md", "exec"), names)
    assert "at step" in capsys.readouterr().out


@pytest.fixture
def exported(tmp_path, monkeypatch):
    best = best_of(build, verdict="PASS", optimizer={"name": "adamw", "eps": 1e-10})
    best["hps"] = {"lr": HPS["lr"], "weight_decay": HPS["weight_decay"]}
    best["valid_for"] = {"steps": 1000}
    for format_, file in export_formats.FILES.items():
        (tmp_path / file).write_text(export_formats.text(best, format_))
    monkeypatch.chdir(tmp_path)
    return best


@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_each_block_about_exports_makes_the_optimizer_of_the_plan(exported):
    _, values = expected(build, exported)
    for block in blocks("exports.md"):
        torch.manual_seed(0)
        model = build(64)
        names = {"model": model, "width": 64}
        exec(compile(block, "docs/exports.md", "exec"), names)
        group_of = {id(p): g for g in names["optimizer"].param_groups for p in g["params"]}
        for name, parameter in model.named_parameters():
            group = group_of[id(parameter)]
            assert [group[k] for k in ("lr", "weight_decay", "eps")] == values[name]


def test_the_json_block_gives_the_init_of_the_plan(exported):
    (block,) = [b for b in blocks("exports.md") if "best.json" in b]
    model, ours, fresh = (seeded_model() for _ in range(3))
    exec(compile(block, "docs/exports.md", "exec"), {"model": model})
    mup.init_(ours, plan(64, scale_eps=True))
    for own, other in zip(model.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-6, atol=0)
    pairs = zip(model.parameters(), fresh.parameters(), strict=True)
    assert not all(torch.equal(own, other) for own, other in pairs)  # some factor is not one


def seeded_model():
    torch.manual_seed(0)
    return build(64)
