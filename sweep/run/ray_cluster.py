"""The Ray cluster of a run: connecting, its nodes, what fits on them, Ray's settings."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "100000",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
for _name, _value in QUIET.items():  # Ray reads these when it is imported
    os.environ.setdefault(_name, _value)

import ray  # noqa: E402
import ray.tune.execution.tune_controller as tune_controller  # noqa: E402
import torch  # noqa: E402

import mutransfer  # noqa: E402
from mutransfer.proxies import user_code  # noqa: E402
from mutransfer.sweep.errors import UserError  # noqa: E402
from mutransfer.sweep.spec.sections import Resources  # noqa: E402
from mutransfer.sweep.spec.study import Study  # noqa: E402


@contextmanager
def connected(study: Study) -> Iterator[None]:
    """Connected to the cluster at ``resources.address``, or to one started on this machine."""
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    address = study.resources.address or os.environ.get("RAY_ADDRESS")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address:
        modules = [str(Path(mutransfer.__file__).absolute().parent)]
        modules += user_code.package_folders(study.references)
        options |= {"address": address, "runtime_env": {"py_modules": modules}}
    else:
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # else Ray writes to the home directory
        options |= {"address": "local", "include_dashboard": False}
        options |= {"object_store_memory": 100 * 2**20}  # rows are small and go to disk
    try:
        ray.init(**options)
    except ConnectionError as error:
        raise UserError(
            f"resources.address: no Ray cluster answers at {address} ({error}); start it, correct "
            "the address, or set RAY_AUTH_TOKEN where the cluster asks for a token"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _nodes() -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def check_room(resources: Resources) -> None:
    """Raise where no single node has what one trial needs (sums over nodes would lie)."""
    need = {"CPU": resources.cpus_per_trial, "GPU": resources.gpus_per_trial}
    nodes = _nodes()
    if any(all(node.get(k, 0) >= v for k, v in need.items()) for node in nodes):
        return
    has = "; ".join(f"{n.get('CPU', 0):g} CPU, {n.get('GPU', 0):g} GPU" for n in nodes) or "none"
    raise UserError(
        f"resources: a trial needs {need['CPU']:g} CPU and {need['GPU']:g} GPU on one node; the "
        f"nodes have: {has}; lower cpus_per_trial / gpus_per_trial or add a node"
    )


def slots(resources: Resources) -> int:
    """Trials that run at once. Raises UserError where not even one fits."""
    check_room(resources)
    need = {"CPU": resources.cpus_per_trial, "GPU": resources.gpus_per_trial}
    slots = sum(
        min(int(node.get(name, 0) / amount) for name, amount in need.items() if amount > 0)
        for node in _nodes()
    )
    return min(slots, resources.max_concurrent or slots)


def slot_bytes(resources: Resources, slots: int) -> float:
    """Memory of one trial: of a GPU, as a worker sees it, else its part of the largest node."""
    if resources.gpus_per_trial > 0:
        share = min(1.0, resources.gpus_per_trial)
        ask = ray.remote(num_gpus=resources.gpus_per_trial, num_cpus=0)(_gpu_bytes)
        return share * float(ray.get(ask.remote()))
    return max(
        node.get("memory", 0.0)
        / max(1, min(slots, int(node.get("CPU", 0) / resources.cpus_per_trial)))
        for node in _nodes()
    )


def _gpu_bytes() -> int:
    """Total memory of the GPU that Ray gave to this worker."""
    return int(torch.cuda.mem_get_info()[1])


def keep_actors() -> None:
    """Keep idle actors over the boundary of a generation.

    Stock Tune keeps one idle actor and kills the others when no trial is staged. The next trials
    then start actors that take longer than a short trial; the surviving actor steals the pending
    trial and the starting actor is cancelled: the study runs on one worker for ever (measured:
    46.7 s against 30.7 s on 2 slots). The class is private to Ray, so a Ray without it is left
    as it is; a test counts the worker processes after a boundary.
    """
    stock = getattr(tune_controller, "_ObjectCache", None)
    if stock is None or getattr(stock, "keeps_all", False):
        return

    class KeepAll(stock):  # type: ignore[misc, valid-type]
        keeps_all = True

        def _wanted(self) -> bool:
            return any(count > 0 for count in self._max_num_objects.values())

        def cache_object(self, key: Any, obj: Any) -> bool:
            if self._wanted():
                return bool(super().cache_object(key, obj))
            self._cached_objects[key].append(obj)
            self._num_cached_objects += 1
            return True

        def flush_cached_objects(self, force_all: bool = False) -> Iterator[Any]:
            if force_all or self._wanted():
                yield from super().flush_cached_objects(force_all=force_all)

    tune_controller._ObjectCache = KeepAll  # type: ignore[misc]
