"""A plan survives compile, sharding, deepcopy, EMA and files: the training is the same."""

import copy
import json
import os
import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from ruamel.yaml import YAML
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.optim.swa_utils import AveragedModel

from mutransfer.analysis.export import dump
from mutransfer.proxies import mup
from mutransfer.proxies.mup.parameters import plain_name
from tests.proxies.modules import BASE, CASES

CASE, WIDE, STEPS, CLIP = CASES["TransformerEncoder"], 2 * BASE, 3, 0.05


def initialized():
    plan = mup.plan(CASE.build, base_width=BASE, width=WIDE)
    torch.manual_seed(0)
    model = CASE.build(WIDE)
    mup.init_(model, plan)
    return model, plan


def train(model: nn.Module, called: nn.Module, plan: dict) -> dict[str, torch.Tensor]:
    """Weights after a few clipped steps, by name."""
    groups = mup.param_groups(model, plan, lr=2**-6, weight_decay=0.1)
    optimizer = torch.optim.AdamW(groups)
    for step in range(STEPS):
        optimizer.zero_grad()
        CASE.loss(called, CASE.inputs(step)).backward()
        mup.clip_grad_norm_(groups, CLIP)
        optimizer.step()
    full = {
        n: p.full_tensor() if hasattr(p, "full_tensor") else p for n, p in model.named_parameters()
    }
    return {plain_name(name): p.detach().clone() for name, p in full.items()}


@pytest.fixture(scope="module", autouse=True)
def single_thread():
    """Sums in one order: a bias of keys has no gradient but rounding, which Adam amplifies."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def expected():
    model, plan = initialized()
    return train(model, model, plan)


def assert_same(weights, expected, **tolerance):
    assert weights.keys() == expected.keys()
    for name, own in weights.items():
        torch.testing.assert_close(
            own, expected[name], msg=lambda m, n=name: f"{n}: {m}", **tolerance
        )


def test_a_plan_read_back_from_json_and_from_yaml_trains_the_same(expected):
    def through_yaml(plan):
        return YAML(typ="safe").load(dump({"verdict": "PASS", "plan": plan}))["plan"]

    for read in (lambda plan: json.loads(json.dumps(plan)), through_yaml):
        model, plan = initialized()
        assert_same(train(model, model, read(plan)), expected, rtol=0, atol=0)


def test_deepcopies_and_averages_need_no_new_plan(expected):
    model, plan = initialized()
    twin, average = copy.deepcopy(model), AveragedModel(model)
    assert_same(train(twin, twin, plan), expected, rtol=0, atol=0)
    assert_same(train(average.module, average, plan), expected, rtol=0, atol=0)


COMPILES = (
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # inside torch
)


@pytest.mark.parametrize(
    "wrapped",
    [
        copy.deepcopy,
        lambda model: AveragedModel(model).module,
        pytest.param(torch.compile, marks=COMPILES),
    ],
)
def test_a_plan_of_wrapped_builds_is_that_of_the_bare_ones(wrapped):
    """Before or after: wrappers put parts into names, which the plan does not have."""
    _, plan = initialized()
    build = CASE.build
    assert mup.plan(lambda width: wrapped(build(width)), base_width=BASE, width=WIDE) == plan


def with_gradients(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A bias of keys has no gradient but rounding, which Adam makes as large as any other."""
    return {name: w for name, w in weights.items() if not name.endswith("in_proj_bias")}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside torch
@pytest.mark.parametrize("is_before", [True, False])
def test_a_compiled_model_trains_the_same(expected, is_before):
    """Parameter groups are of the bare model, before it is compiled, or of the compiled one."""
    model, plan = initialized()
    compiled = torch.compile(model)
    weights = train(model if is_before else compiled, compiled, plan)
    assert_same(with_gradients(weights), with_gradients(expected), rtol=1e-3, atol=1e-4)


def sharded(rank: int, port: int, path: str) -> None:
    """One of two processes: the same batch on both, so that the mean gradient is the same."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    try:
        model, plan = initialized()
        for layer in model.encoder.layers:
            fully_shard(layer)
        fully_shard(model)
        weights = train(model, model, plan)
        late = initialized_after_sharding(plan)
        if rank == 0:
            torch.save({"trained": weights, "late": late}, path)
    finally:
        dist.destroy_process_group()


def initialized_after_sharding(plan) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    model = CASE.build(WIDE)
    fully_shard(model)
    mup.init_(model, plan)
    return {name: p.full_tensor().detach() for name, p in model.named_parameters()}


def test_two_processes_of_fsdp2_train_the_same(expected, tmp_path):
    """And `init_` after sharding is `init_` before it, to the bit."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(sharded, args=(port, str(tmp_path / "weights.pt")), nprocs=2)
    saved = torch.load(tmp_path / "weights.pt", weights_only=True)
    weights, whole = with_gradients(saved["trained"]), with_gradients(expected)
    assert_same(weights, whole, rtol=1e-4, atol=1e-5)
    model, plan = initialized()
    assert_same(saved["late"], dict(model.named_parameters()), rtol=0, atol=0)
    plan["params"]["encoder.layers.0.linear1.weight"]["lr_mult"] = 1.0
    with pytest.raises(AssertionError):  # the negative control: another plan shows
        assert_same(with_gradients(train(model, model, plan)), whole, rtol=1e-4, atol=1e-5)
