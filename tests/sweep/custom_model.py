"""A user's module with its loss and data, and the spec of a study of it."""

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
    target: {width: 64, check: slices, points: 3, seeds: 2, tolerance: {rel_loss: 0.05}}
"""
