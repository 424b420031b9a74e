"""The scheduler that multiplies the LR of every group by one factor."""

import pytest
import torch

from mutransfer.proxies import mup
from tests.proxies.mup.test_lrs import BASE_LR, optimizer_at


@pytest.mark.parametrize("schedule", ["constant", "cosine", "wsd"])
def test_every_group_has_its_ratio_times_the_factor_of_the_step(schedule):
    optimizer = optimizer_at()
    options = {"steps": 20, "schedule": schedule, "warmup_steps": 5, "final_lr_frac": 0.1}
    scheduler = mup.scheduler(optimizer, **options)
    for step in range(20):
        for group in optimizer.param_groups:
            wanted = BASE_LR * group["lr_mult"] * mup.lr_scale(step, **options)
            assert group["lr"] == pytest.approx(wanted, rel=1e-12)
        mup.check_lrs(optimizer)
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(
        BASE_LR * (1 if schedule == "constant" else 0.1)
    )


def test_a_warmup_as_long_as_the_run_and_foreign_groups_are_refused():
    with pytest.raises(mup.PlanError, match="20 of 20"):
        mup.scheduler(optimizer_at(), steps=20, warmup_steps=20)
    with pytest.raises(mup.PlanError, match="param_groups"):
        mup.scheduler(torch.optim.AdamW(torch.nn.Linear(2, 2).parameters()), steps=20)
