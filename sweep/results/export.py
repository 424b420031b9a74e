"""best.yaml of a study: the transferred set with its verdict, for the production trainer."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from mutransfer.analysis.export import best_yaml
from mutransfer.analysis.export_formats import base_values
from mutransfer.proxies import training
from mutransfer.proxies.config.constraints import depth_faults, width_faults
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.plan.progress import progress
from mutransfer.sweep.plan.request import complete, trial
from mutransfer.sweep.results.analyze import Analysis
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store

GOOD = ("PASS", "PREDICTED")  # verdicts that are exported without --force
UNDER_WAY = "UNDER_WAY"  # in place of the verdict of an unfinished study


def axis_value_of(study: Study, width: int | None, at: int | None) -> int:
    """The axis value of the production run; by default the study's target on another axis.

    Raises:
        UserError: a width for a study along another axis, or none for one along width.
    """
    if study.axis != "width":
        if width is not None:
            raise UserError(
                f"--width: {study.name} is along {study.axis}, and all its trials have width "
                f"{study.search.width}; got {width}; leave it out, or give a value on that axis: "
                "--at …"
            )
        return study.target_at if at is None else at
    if width is None and at is None:
        raise UserError("--width: the production width; got none; add --width …")
    return at if width is None else width  # type: ignore[return-value]


def export(analysis: Analysis, study: Study, store: Store, axis_value: int) -> dict[str, Any]:
    """The content of best.yaml for a production run at a value on the study's axis.

    Raises:
        UserError: the study has no transferred set yet, or no such model can be built.
    """
    if analysis.question.transferred is None:
        raise UserError(
            f"{store.root}: the slices at the search have not finished, so there is no set to "
            f"export; go on with `mutransfer run {study.name}`"
        )
    transferred = analysis.question.transferred
    hps = {name: value for name, value in transferred.items() if value is not None}
    config = trial(study, axis_value=axis_value, arm="mup", hps=hps, seed=0)
    _check_production(study, config, axis_value)
    plan = training.plan(config)
    reported = None if study.trial is None else reported_settings(analysis.table)
    eps = _eps(config, reported)
    optimizer = training.optimizer(config) if reported is None else reported.get("optimizer")
    return best_yaml(
        verdict=analysis.verdict,
        question=analysis.question,
        study=study.name,
        family=study.model.family,
        width=config.width,
        axis_value=axis_value,
        fits=analysis.fits,
        optimizer=optimizer,
        roles=roles(plan, complete(hps), eps, optimizer),
        plan=plan,
        valid_for=valid_for(config, reported),
        provenance=_provenance(study, store),
    )


def _check_production(study: Study, config: TrialConfig, axis_value: int) -> None:
    """Raise UserError where the model or the optimizer of the production run cannot be built."""
    option = "--width" if study.axis == "width" else "--at"
    faults = width_faults(study.model, config.width, (option,)) + depth_faults(config.model)
    if faults:
        raise UserError("\n".join(str(fault) for fault in faults))
    if min(training.betas(config)) <= 0:
        raise UserError(
            f"{option}: the rule must leave β above 0; got {training.betas(config)} at batch size "
            f"{axis_value}; give a smaller one"
        )


def mark_unfinished(
    content: dict[str, Any], analysis: Analysis, study: Study, store: Store
) -> dict[str, Any]:
    """The content unchanged for a finished study; without a verdict where trials are missing."""
    state = progress(study, store.decisions(), analysis.table)
    if state.finished:
        return content
    return content | {
        "verdict": UNDER_WAY,
        "verdict_text": f"{state.sentence} So far: {content['verdict_text']}",
        "verified_up_to_width": None,
        "verified_up_to": None,
    }


def reported_settings(table: pd.DataFrame) -> dict[str, Any]:
    """What the user's own trainer reported alike in all finished trials: `optimizer` and so on.

    What no trial or only some reported, or what differs between trials, is absent: the spec does
    not say what that trainer does.
    """
    texts = table.loc[table["status"] == "done", "settings"]
    if texts.empty or texts.isna().any():
        return {}
    first, *others = [json.loads(text) for text in texts.unique()]
    return {k: v for k, v in first.items() if all(k in o and o[k] == v for o in others)}


def _eps(config: TrialConfig, reported: Mapping[str, Any] | None) -> float | None:
    """Adam's ε: the spec's, or what the user's own trainer reported; None: unknown."""
    if reported is None:
        return config.train.eps
    optimizer = reported.get("optimizer")
    eps = optimizer.get("eps") if isinstance(optimizer, Mapping) else None
    return float(eps) if isinstance(eps, int | float) else None


def roles(
    plan: Mapping[str, Any], hps: Mapping[str, Any], eps: float | None, optimizer: Any = None
) -> dict[str, Any]:
    """The effective HPs of each role at the plan's width, for readers; the plan itself is exact.

    ``sigma`` is init std × √fan_in, for tensors that are drawn at random. ``eps`` is absent where
    it is not known. ``optimizer``: what is known of it.
    """

    def values(row: Mapping[str, Any]) -> tuple[float, float]:
        lr, decay = base_values(hps, plan, optimizer, row.get("algorithm", "adamw"))
        return lr * row["lr_mult"], decay * row["wd_mult"] if row["decay"] else 0.0

    by_role: dict[str, Any] = {}
    for role in ("input", "hidden", "output", "vector", "scalar"):
        rows = [row for row in plan["params"].values() if row["role"] == role]
        if not rows:
            continue
        drawn = [row for row in rows if row["init_std"] is not None]
        by_role[role] = {
            "tensors": len(rows),
            "lr": _shared(values(row)[0] for row in rows),
            "weight_decay": _shared(values(row)[1] for row in rows),
            **({} if eps is None else {"eps": _shared(eps * row["eps_mult"] for row in rows)}),
            "multiplier": _shared(row["input_mult"] for row in rows),
            "sigma": _shared(row["init_std"] * row["fan_in"] ** 0.5 for row in drawn),
        }
    return by_role


def _shared(values: Iterable[float]) -> float | list[float] | None:
    """The value that all share, or the list of the different ones; None where there is none."""
    different = sorted({float(f"{value:.6g}") for value in values})
    return different[0] if len(different) == 1 else different or None


def valid_for(config: TrialConfig, reported: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The settings, besides the width, that the set is for; `load_best` warns where they differ.

    All were constant over the trials, except that of the study's axis. Of a trainer of the user's
    only what the trials are told, and what they reported: it need not follow the rest of the spec.
    """
    model, train = config.model, config.train
    names = ("build", "loss", "depth", "head_dim", "patch_size", "mlp_ratio")
    settings = {
        **{name: getattr(model, name) for name in names if hasattr(model, name)},
        "batch_size": train.batch_size,
        "steps": train.steps,
    }
    if reported is not None:
        return settings | {k: v for k, v in reported.items() if k != "optimizer"}
    return settings | {
        "schedule": train.schedule,
        "ema_frac": train.ema_frac,
        "precision": train.precision,
        "objective": config.objective.kind,
        "t_distribution": config.objective.t_distribution,
        "data": config.data.source,
        "label_dropout": getattr(config.data, "label_dropout", None),
    }


def _provenance(study: Study, store: Store) -> dict[str, Any]:
    provenance = rundir.provenance(store)
    return {
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "run_directory": store.root.rsplit("/", 1)[-1],
        "started_at": provenance["written_at"],
        "commit": provenance["commit"],
        "versions": provenance["versions"],
        "trials": len(store.trial_ids()),
    }
