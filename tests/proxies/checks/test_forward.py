"""The trace of a forward pass: outputs and inputs of modules, logits, attentions."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mutransfer.proxies.checks.forward import KEPT, LOGITS, trace


class Attends(nn.Module):
    """Attention by hand or fused, with logits scaled by 1/√(head dim)."""

    def __init__(self, width: int, *, is_fused: bool) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(width, width), nn.Linear(width, width)
        self.is_fused = is_fused

    def forward(self, x):
        q, k = self.q(x).unsqueeze(1), self.k(x).unsqueeze(1)
        if self.is_fused:
            return F.scaled_dot_product_attention(q, k, k).squeeze(1)
        return ((q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1) @ k).squeeze(1)


def test_logits_are_the_same_in_fused_and_in_plain_attention():
    x, models = torch.randn(2, 3, 8), [Attends(8, is_fused=f) for f in (True, False)]
    models[1].load_state_dict(models[0].state_dict())
    traces = [trace(model, lambda model=model: model(x)) for model in models]
    expected = models[0].q(x) @ models[0].k(x).mT / math.sqrt(8)
    for outputs in (t.outputs for t in traces):
        name = f"(model).{LOGITS}"
        torch.testing.assert_close(outputs[name][0], expected.flatten(), rtol=1e-5, atol=1e-6)
    assert all(t.outputs.keys() == {"q", "k", "(model)", name} for t in traces)


def test_torchs_transformer_shows_its_modules_in_evaluation_mode_too():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    outputs = trace(layer, lambda: layer(torch.randn(2, 3, 8))).outputs
    assert {"linear1", "linear2", "self_attn", "norm1", f"self_attn.{LOGITS}"} <= outputs.keys()
    assert layer.training


def test_attentions_have_the_path_of_their_module_with_and_without_a_graph():
    x = torch.randn(2, 3, 8)
    for is_fused in (True, False):
        model = nn.Sequential(nn.Linear(8, 8), Attends(8, is_fused=is_fused))
        for with_graph in (False, True):
            (attention,) = trace(model, lambda m=model: m(x), with_graph=with_graph).attentions
            assert (attention.module, attention.head_dim) == ("1", 8)
            assert attention.scale == pytest.approx(8**-0.5)


def test_a_trace_with_graph_keeps_complete_outputs_that_can_be_differentiated():
    model = nn.Sequential(nn.Linear(3, 400), nn.Linear(400, 400))
    x = torch.randn(400, 3)
    complete = trace(model, lambda: model(x).sum(), with_graph=True)
    sampled = trace(model, lambda: model(x).sum())
    assert complete.inputs["0"] == [(400, 3)] and complete.inputs["1"] == [(400, 400)]
    assert complete.outputs["0"][0].shape == (400, 400) and complete.outputs["0"][0].requires_grad
    (output,) = sampled.outputs["0"]
    assert output.numel() <= KEPT < 400 * 400 and not output.requires_grad


class Raw(nn.Module):
    """Parameters that the model uses by itself: one is added, the others are multiplied with."""

    def __init__(self) -> None:
        super().__init__()
        self.added, self.read, self.cast, self.stacked = (
            nn.Parameter(torch.randn(3, 3)) for _ in range(4)
        )

    def forward(self, x):
        x = F.linear(x + self.added, self.read) @ self.cast.to(torch.bfloat16).float()
        return torch.einsum("bi,oi->bo", x, self.stacked)


def test_what_is_multiplied_is_told_from_what_is_added():
    model = Raw()
    recorded = trace(model, lambda: model(torch.randn(3, 3)), with_graph=True)
    multiplied = {n for n, p in model.named_parameters() if recorded.was_multiplied(p)}
    assert multiplied == {"read", "cast", "stacked"}
