"""The coordinate check: sizes of activations and updates are flat in width, but under SP grow."""

import numpy as np
import pytest
import torch

from proxies.config import TrialConfig
from proxies.train import Training

WIDTHS = (32, 64, 128, 256)
STEPS = 4
# Large, so that updates dominate what was drawn; zero gates would hide the blocks at first.
LR = 2**-5
# Slopes of log2 size against log2 width, measured: within ±0.07 under μP, 1.3 to 2.2 under SP.
FLAT, GROWING = 0.15, 1.0


def sizes(config: TrialConfig) -> dict[str, tuple[float, float]]:
    """RMS of each watched output after a few steps, and of its change since birth."""
    training = Training(config)
    watched = {
        "block 0": training.model.blocks[0],
        "block 1": training.model.blocks[1],
        "attention": training.model.blocks[1].attn,
        "mlp": training.model.blocks[1].mlp,
        "readout": training.model.final.readout,
    }
    outputs: dict[str, torch.Tensor] = {}
    hooks = [
        module.register_forward_hook(
            lambda _module, _inputs, out, name=name: outputs.__setitem__(name, out.detach())
        )
        for name, module in watched.items()
    ]
    training.validate()
    born = dict(outputs)
    list(training.run())
    training.validate()
    for hook in hooks:
        hook.remove()

    def rms(x: torch.Tensor) -> float:
        return x.square().mean().sqrt().item()

    return {name: (rms(outputs[name]), rms(outputs[name] - born[name])) for name in watched}


@pytest.fixture(scope="module")
def slopes(trial_of):
    """Slope of log2 size against log2 width, of values and updates, by arm and output."""

    def of(arm):
        model = {"head_dim": 16, "base_width": 32, "patch_size": 4, "depth": 2}
        found = [
            [
                sizes(
                    trial_of(
                        **model, arm=arm, width=w, seed=s, steps=STEPS, lr=LR, weight_decay=0.1
                    )
                )
                for w in WIDTHS
            ]
            for s in range(2)
        ]
        return {
            name: [
                np.polyfit(
                    np.log2(WIDTHS),
                    np.log2([[size[name][kind] for size in row] for row in found]).mean(0),
                    1,
                )[0]
                for kind in (0, 1)
            ]
            for name in found[0][0]
        }

    return {arm: of(arm) for arm in ("mup", "sp")}


def test_under_mup_nothing_grows_or_vanishes_with_width(slopes):
    for name, (value, update) in slopes["mup"].items():
        assert abs(value) < FLAT, (name, value)
        assert abs(update) < FLAT, (name, update)


def test_under_sp_updates_grow_with_width(slopes):
    for name, (_, update) in slopes["sp"].items():
        assert update > GROWING, (name, update)
