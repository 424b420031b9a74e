"""A model that does not fit into memory is refused before any trial."""

import dataclasses

import pytest

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.run import driver, memory
from mutransfer.sweep.store.store import Store


def test_a_model_too_big_for_memory_is_refused_before_any_trial(tiny, tmp_path):
    needed = 16 * 13_000  # four copies in float32 of about as many parameters
    memory.check(tiny, 1e9, "this machine")
    with pytest.raises(UserError, match="a model of width 32 has"):
        memory.check(tiny, needed / 2, "this machine")
    config = driver.State.load(tiny, Store(str(tmp_path))).next.trials[0].config
    averaged = dataclasses.replace(config, train=dataclasses.replace(config.train, ema_frac=0.5))
    assert memory.needed_bytes(averaged) == 1.25 * memory.needed_bytes(config)
    assert 1e9 < memory.of_this_machine() < 1e15
