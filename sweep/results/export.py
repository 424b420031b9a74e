"""best.yaml: the transferred set with its verdict, for the production trainer."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mutransfer.analysis import export as best
from mutransfer.proxies import training as trials
from mutransfer.proxies.config.model import depth_faults, width_faults
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.plan import progress as under_way
from mutransfer.sweep.plan.request import complete, trial
from mutransfer.sweep.results.analyze import Analysis
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store

GOOD = ("PASS", "EXTRAPOLATED")  # the words that are exported without --force
UNDER_WAY = "UNDER_WAY"  # part of a study is no verdict


def axis_value_of(study: Study, width: int | None, at: int | None) -> int:
    """Where on the study's axis the production run stands; its target where nothing is said.

    Raises:
        UserError: a width for a study along another axis, or none for one along width.
    """
    if study.axis != "width":
        if width is not None:
            raise UserError(
                f"--width: {study.name} is along {study.axis}, and all its trials have width "
                f"{study.search.width}; got {width}; leave it out, or name a place on that axis: "
                "--at …"
            )
        return study.target_at if at is None else at
    if width is None and at is None:
        raise UserError("--width: the production width; got none; add --width …")
    return at if width is None else width  # type: ignore[return-value]


def export(found: Analysis, study: Study, store: Store, axis_value: int) -> dict[str, Any]:
    """The content of best.yaml for a production run at a place of the study's axis.

    Raises:
        UserError: the study has no transferred set yet, or no such model can be built.
    """
    if found.question.transferred is None:
        raise UserError(
            f"{store.root}: the slices at the search place are not over, so there is no set to "
            f"export; go on with `mutransfer run {study.name}`"
        )
    hps = {name: value for name, value in found.question.transferred.items() if value is not None}
    config = trial(study, axis_value=axis_value, arm="mup", hps=hps, seed=0)
    option = "--width" if study.axis == "width" else "--at"
    faults = width_faults(study.model, config.width, (option,)) + depth_faults(config.model)
    if faults:
        raise UserError("\n".join(str(fault) for fault in faults))
    if min(trials.betas(config)) <= 0:
        raise UserError(
            f"{option}: the rule leaves β above 0; got {trials.betas(config)} at batch size "
            f"{axis_value}; name a smaller one"
        )
    plan = trials.plan(config)
    return best.best_yaml(
        verdict=found.verdict,
        question=found.question,
        study=study.name,
        family=study.model.family,
        width=config.width,
        axis_value=axis_value,
        optimizer={
            "name": "AdamW",
            "betas": list(trials.betas(config)),
            "eps": study.train.eps,
        },
        roles=roles(plan, complete(hps), study.train.eps),
        plan=plan,
        valid_for=valid_for(config),
        provenance=_provenance(study, store),
    )


def so_far(content: dict[str, Any], found: Analysis, study: Study, store: Store) -> dict[str, Any]:
    """The content as it is where the study is over, with no verdict where trials are missing."""
    progress = under_way.progress(study, store.decisions(), found.table)
    if progress.finished:
        return content
    return content | {
        "verdict": UNDER_WAY,
        "verdict_text": f"{progress.sentence} So far: {content['verdict_text']}",
        "verified_up_to_width": None,
        "verified_up_to": None,
    }


def roles(plan: Mapping[str, Any], hps: Mapping[str, Any], eps: float) -> dict[str, Any]:
    """What each role trains with at the plan's width, for people; the plan itself is exact.

    ``sigma`` is init std × sqrt(fan_in), for tensors that are drawn.
    """
    found: dict[str, Any] = {}
    for role in ("input", "hidden", "output", "vector", "scalar"):
        rows = [row for row in plan["params"].values() if row["role"] == role]
        if not rows:
            continue
        drawn = [row for row in rows if row["init_std"] is not None]
        found[role] = {
            "tensors": len(rows),
            "lr": _one(hps["lr"] * row["lr_mult"] for row in rows),
            "weight_decay": _one(
                hps["weight_decay"] * row["wd_mult"] if row["decay"] else 0.0 for row in rows
            ),
            "eps": _one(eps * row["eps_mult"] for row in rows),
            "multiplier": _one(row["input_mult"] for row in rows),
            "sigma": _one(row["init_std"] * row["fan_in"] ** 0.5 for row in drawn),
        }
    return found


def _one(values: Any) -> Any:
    """The value that all share, or the list of the different ones; None where there is none."""
    different = sorted({float(f"{value:.6g}") for value in values})
    return different[0] if len(different) == 1 else different or None


def valid_for(config: TrialConfig) -> dict[str, Any]:
    """What the set is for besides its width; the loader warns where a trainer differs.

    All of it was the same in every trial, but for the study's axis.
    """
    model, train = config.model, config.train
    of_model = ("build", "loss", "depth", "head_dim", "patch_size", "mlp_ratio")
    return {
        **{name: getattr(model, name) for name in of_model if hasattr(model, name)},
        "batch_size": train.batch_size,
        "steps": train.steps,
        "schedule": train.schedule,
        "ema_frac": train.ema_frac,
        "precision": train.precision,
        "objective": config.objective.kind,
        "t_distribution": config.objective.t_distribution,
        "data": config.data.source,
        "label_dropout": getattr(config.data, "label_dropout", None),
    }


def _provenance(study: Study, store: Store) -> dict[str, Any]:
    known = rundir.provenance(store)
    return {
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "run_directory": store.root.rsplit("/", 1)[-1],
        "started_at": known["written_at"],
        "commit": known["commit"],
        "versions": known["versions"],
        "trials": len(store.names("trials", ".parquet")),
    }
