"""Recorded facts give what the data and the code themselves give, or say what is missing."""

import dataclasses

import pytest
from torch import nn

from mutransfer.proxies import data
from mutransfer.proxies.config.data import DigitsConfig
from mutransfer.proxies.config.recorded import NotRecordedError, Recorded, RecordedModel
from mutransfer.proxies.config.trial import HPs, TrainConfig, TrialConfig
from mutransfer.proxies.models.dit import DiT
from mutransfer.proxies.mup.roles import tensor_facts
from mutransfer.proxies.training import identity, plan
from mutransfer.proxies.training.flops import n_params, training_flops
from mutransfer.proxies.training.record import record
from tests.proxies import own_model

TRIAL = TrialConfig(
    model=own_model.config(), data=DigitsConfig(), train=TrainConfig(steps=4, batch_size=8),
    hps=HPs(lr=0.01), width=16,
)  # fmt: skip


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return record(TRIAL, trained_widths=(8, 16), other_widths=(32,))


@pytest.mark.parametrize("arm", ["mup", "sp"])
def test_identity_plan_and_cost_are_those_of_the_code(recorded, arm):
    own = dataclasses.replace(TRIAL, arm=arm)
    by_files = dataclasses.replace(own, recorded=recorded)
    for fact in (identity, plan, n_params, training_flops):
        assert fact(by_files) == fact(own)
    assert by_files.to_dict() == own.to_dict()
    other = dataclasses.replace(recorded, code="another")
    assert identity(dataclasses.replace(own, recorded=other)) != identity(own)  # the control


def test_what_an_older_record_lacks_is_named():
    empty = dataclasses.replace(TRIAL, recorded=Recorded())
    for fact, what in ((identity, "the model"), (training_flops, "the FLOPs"), (n_params, "the m")):
        with pytest.raises(NotRecordedError, match=what):
            fact(empty)
    built_in = dataclasses.replace(empty, model=dataclasses.replace(TRIAL.model, base_width=8))
    for missing in ("data_info", "data_fingerprint", "code_digest"):
        with pytest.raises(NotRecordedError):
            getattr(built_in.recorded, missing)()


def facts_of(build, widths):
    return {w: tensor_facts(build, base_width=8, width=w) for w in widths}


def from_record(build, width, widths=(8, 16, 32)):
    models = {w: RecordedModel(tensors=facts) for w, facts in facts_of(build, widths).items()}
    return Recorded(models=models).tensors(width)


def test_a_width_that_was_not_recorded_follows_from_those_that_were(trial_of):
    config = trial_of().model
    info = data.info(trial_of().data)

    def dit(width: int) -> nn.Module:
        return DiT(dataclasses.replace(config, base_width=8), width=width, info=info)

    for build in (own_model.sound, dit):
        for width in (24, 96, 1024):
            built = facts_of(build, [width])[width]
            without_sp = tuple(dataclasses.replace(fact, own_std=None) for fact in built)
            assert from_record(build, width) == without_sp


def test_a_dimension_off_the_line_is_refused_and_so_are_two_points_alone():
    def rounded(width: int) -> nn.Module:  # as SwiGLU's hidden size is
        return nn.Sequential(nn.Linear(64, width), nn.Linear(width, (width * 8 // 3) // 4 * 4))

    with pytest.raises(NotRecordedError, match=r"not linear in the width; `production: {width: 40"):
        from_record(rounded, 40)
    with pytest.raises(NotRecordedError, match="the model at width 64"):
        from_record(own_model.sound, 64, widths=(8, 16))
    with pytest.raises(NotRecordedError, match="the model at width 64"):
        models = {
            w: RecordedModel(tensors=f) for w, f in facts_of(own_model.sound, (8, 16, 32)).items()
        }
        Recorded(models=models).tensors(64, is_exact=True)
