"""What is measured on a model at initialization."""

import math

import pytest

from mutransfer.proxies.checks.forward import MODEL
from mutransfer.proxies.checks.init_state import init_state, response
from tests.proxies.checks.small_model import LR, WIDE, start_with
from tests.proxies.modules import BASE


def test_responses_are_those_of_an_aligned_change():
    """By hand: a readout moves by its multiplier times the L1 norm of what it reads."""
    run = start_with()("mup", WIDE, 0, LR)
    state = init_state(run, WIDE)
    read = []
    run.model.head.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    run.probe()
    sums = read[0].abs().sum(-1) * BASE / WIDE
    moved = response(state, "head.weight", MODEL)
    assert moved == pytest.approx(sums.mean().item(), rel=0.05)
    assert response(state, "head.bias", MODEL) == 1.0
    assert math.isclose(state.tensors["inner.weight"].lr, LR * BASE / WIDE)
