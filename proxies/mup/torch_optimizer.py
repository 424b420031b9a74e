"""The optimizer of a plan in one call, and Muon with AdamW as one optimizer."""

from collections.abc import Callable, Mapping
from typing import Any, TypedDict, Unpack

import torch
from torch import nn
from torch.optim import Optimizer

from mutransfer.proxies.mup.groups import param_groups
from mutransfer.proxies.mup.lrs import check_lrs
from mutransfer.proxies.mup.optimizers import OptimizerRule, rule_of
from mutransfer.proxies.mup.parameters import PlanError
from mutransfer.proxies.mup.plan import Plan

MOMENTUM = {"sgd": 0.9, "muon": 0.95}


class OptimizerOptions(TypedDict, total=False):
    """Optional arguments of `optimizer`; those that an algorithm does not have are not used.

    Attributes:
        betas: Of AdamW, Adam and Lion; default: (0.9, 0.999), of Lion (0.9, 0.99).
        eps: Base ε of AdamW and Adam.
        momentum: Of SGD (default 0.9) and Muon (default 0.95).
        nesterov: Of SGD (default False) and Muon (default True).
        fused: Use torch's fused AdamW, Adam or SGD.
        adamw_lr: Base LR of what trains with AdamW under `muon`; default: `lr`.
        adamw_weight_decay: Its base weight decay; default: `weight_decay`.
    """

    betas: tuple[float, float]
    eps: float
    momentum: float | None
    nesterov: bool | None
    fused: bool | None
    adamw_lr: float | None
    adamw_weight_decay: float | None


def optimizer(
    model: nn.Module,
    plan: Plan,
    *,
    lr: float,
    weight_decay: float = 0.0,
    name: str | Mapping[str, Any] | OptimizerRule | None = None,
    **options: Unpack[OptimizerOptions],
) -> Optimizer:
    """Return the optimizer of a model, over groups from `mup.param_groups`.

    For `muon` it is one optimizer, `MuonAdamW`; schedulers and gradient scalers see all its groups.

    Args:
        model: Initialized by `mup.init_`; bare or wrapped.
        plan: Of the model.
        lr: Base LR.
        weight_decay: Base weight decay.
        name: Another optimizer than the plan's; see `mup.plan`.
        **options: See `OptimizerOptions`.

    Raises:
        PlanError: as `param_groups`; or this torch has no Muon; or Adam with weight decay.
        ImportError: lion without `pip install 'mutransfer[lion]'`.
    """
    of_groups = ("eps", "adamw_lr", "adamw_weight_decay")
    bases = {k: v for k, v in options.items() if k in of_groups and v is not None}
    groups = param_groups(
        model,
        plan,
        lr=lr,
        weight_decay=weight_decay,
        optimizer=name,
        **bases,  # type: ignore[arg-type]
    )
    rule = rule_of(plan.get("optimizer") if name is None else name)
    made = _MAKERS[rule.name](groups, lr, options)
    check_lrs(made)
    return made


def _betas(options: OptimizerOptions, default: tuple[float, float]) -> tuple[float, float]:
    """Return the given β as a tuple: read back from a file they are a list."""
    beta1, beta2 = options.get("betas") or default
    return beta1, beta2


def _adamw(groups: list[dict[str, Any]], lr: float, options: OptimizerOptions) -> Optimizer:
    betas = _betas(options, (0.9, 0.999))
    return torch.optim.AdamW(groups, lr=lr, betas=betas, fused=options.get("fused"))


def _adam(groups: list[dict[str, Any]], lr: float, options: OptimizerOptions) -> Optimizer:
    betas = _betas(options, (0.9, 0.999))
    return torch.optim.Adam(groups, lr=lr, betas=betas, fused=options.get("fused"))


def _lion(groups: list[dict[str, Any]], lr: float, options: OptimizerOptions) -> Optimizer:
    try:
        from lion_pytorch import Lion
    except ImportError as error:
        raise ImportError(
            "optimizer: lion comes from the package lion-pytorch; got none; "
            "pip install 'mutransfer[lion]'"
        ) from error
    made: Optimizer = Lion(groups, lr=lr, betas=_betas(options, (0.9, 0.99)))
    return made


def _sgd(groups: list[dict[str, Any]], lr: float, options: OptimizerOptions) -> Optimizer:
    momentum, fused = options.get("momentum"), options.get("fused")
    return torch.optim.SGD(
        groups,
        lr=lr,
        momentum=MOMENTUM["sgd"] if momentum is None else momentum,
        nesterov=bool(options.get("nesterov")),
        fused=fused,
    )


def _muon(groups: list[dict[str, Any]], lr: float, options: OptimizerOptions) -> Optimizer:
    momentum, nesterov = options.get("momentum"), options.get("nesterov")
    return MuonAdamW(
        groups,
        lr=lr,
        momentum=MOMENTUM["muon"] if momentum is None else momentum,
        nesterov=True if nesterov is None else nesterov,
        betas=_betas(options, (0.9, 0.999)),
        fused=options.get("fused"),
    )


_MAKERS: Mapping[str, Callable[[list[dict[str, Any]], float, OptimizerOptions], Optimizer]] = {
    "adamw": _adamw,
    "adam": _adam,
    "lion": _lion,
    "sgd": _sgd,
    "muon": _muon,
}


class MuonAdamW(Optimizer):
    """torch's Muon for the groups whose algorithm is "muon", and torch's AdamW for the others.

    Both parts share its groups and its state, so that schedulers, `state_dict` and gradient scalers
    work as with one optimizer.
    """

    has_group_algorithms = True

    def __init__(
        self,
        groups: list[dict[str, Any]],
        *,
        lr: float,
        momentum: float = MOMENTUM["muon"],
        nesterov: bool = True,
        betas: tuple[float, float] = (0.9, 0.999),
        fused: bool | None = None,
    ) -> None:
        """Take groups from `mup.param_groups` and the options of both parts.

        Raises:
            PlanError: this version of torch has no Muon.
        """
        if not hasattr(torch.optim, "Muon"):
            raise PlanError(
                f"optimizer: muon is torch.optim.Muon, of torch 2.9 and newer; got torch "
                f"{torch.__version__}; update it"
            )
        super().__init__(groups, {"lr": lr})
        of_muon, of_adamw = self._split()
        self._parts: list[tuple[str, Optimizer]] = []
        if of_muon:
            muon = torch.optim.Muon(of_muon, lr=lr, momentum=momentum, nesterov=nesterov)
            self._parts.append(("muon", muon))
        if of_adamw:
            adamw = torch.optim.AdamW(of_adamw, lr=lr, betas=betas, fused=fused)
            self._parts.append(("adamw", adamw))
        self._share()

    def _split(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        of_muon = [g for g in self.param_groups if g["algorithm"] == "muon"]
        return of_muon, [g for g in self.param_groups if g["algorithm"] != "muon"]

    def _share(self) -> None:
        """Give both parts this optimizer's own groups and state."""
        of_muon, of_adamw = self._split()
        for algorithm, part in self._parts:
            part.param_groups = of_muon if algorithm == "muon" else of_adamw
            part.state = self.state

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Do one step of both parts; return what the closure returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for _, part in self._parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of another `MuonAdamW` with the same groups."""
        super().load_state_dict(state_dict)
        self._share()
