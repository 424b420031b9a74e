"""The Ray cluster of a run: connecting to it, and how many trials fit on its nodes."""

import contextlib
import logging
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mutransfer.sweep.run import ray_settings  # noqa: F401  # before Ray, which reads it

# isort: split
import ray
import ray.tune.execution.tune_controller as tune_controller
import torch

import mutransfer
from mutransfer.proxies import user_code
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.spec.sections import Resources
from mutransfer.sweep.spec.study import Study

QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
# Of the clusters that this process starts. Ray's servers listen on every interface and run any code
# that they are sent, so they ask for it. Ray reads a token once per process.
TOKEN = secrets.token_hex(32)
MAX_TEMP_BYTES = 32
SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
AUTH_VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


@contextmanager
def connected(study: Study) -> Iterator[None]:
    """Connect to the cluster at ``resources.address``, or to one started on this machine.

    A cluster at an address is sent `sent_packages`, so they need not be installed on its nodes. It
    is given the token that the environment has for it; one started here has a token of its own.

    Raises:
        UserError: no cluster answers at the address, or it refuses the token.
    """
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    address = study.resources.address or os.environ.get("RAY_ADDRESS")
    with contextlib.ExitStack() as stack:
        if address:
            _connect(address, study)
        else:
            stack.enter_context(_own_token())
            _start()
        stack.callback(ray.shutdown)
        yield


def _start() -> None:
    """Start a cluster on this machine; rows are small and go to disk, so its memory is small."""
    options = QUIET | {"include_dashboard": False, "object_store_memory": 100 * 2**20}
    if (folder := short_temp_dir()) is not None:
        options["_temp_dir"] = folder
    ray.init(address="local", **options)


def short_temp_dir() -> str | None:
    """A folder for Ray's sockets where that of temporary files is too long for them; else None.

    The path of a socket has at most 107 bytes, and Ray appends up to 70 to this folder. Slurm gives
    a job a TMPDIR of its own, which may be long.
    """
    usual = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    if len(os.fsencode(usual)) <= MAX_TEMP_BYTES:
        return None
    for folder in SHORT_FOLDERS:
        if os.access(folder, os.W_OK):
            return f"{folder}/ray-{os.getuid()}"
    raise UserError(
        f"TMPDIR: a path of at most {MAX_TEMP_BYTES} bytes, for Ray's sockets; got {usual}; set "
        "TMPDIR or RAY_TMPDIR to a short one"
    )


def _connect(address: str, study: Study) -> None:
    try:
        ray.init(address=address, runtime_env={"py_modules": sent_packages(study)}, **QUIET)
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        reason = " ".join(str(error).split())
        if "token" in reason.lower():
            raise UserError(
                f"resources.address: the Ray cluster at {address} asks for a token; got none, or "
                "another; set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to "
                "the token of the cluster"
            ) from None
        raise UserError(
            f"resources.address: no Ray cluster answers at {address} ({reason[:500]}); start it, "
            "correct the address, or set RAY_AUTH_TOKEN where the cluster asks for a token"
        ) from None


@contextmanager
def _own_token() -> Iterator[None]:
    """The environment of a cluster of our own, in which every process inherits its token.

    Without a mode in the environment Ray asks for tokens. Were there no token in it, Ray would
    write one to the home directory.
    """
    before = {name: os.environ.pop(name, None) for name in AUTH_VARIABLES}
    os.environ["RAY_AUTH_TOKEN"] = TOKEN
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def sent_packages(study: Study) -> list[str]:
    """The folders that a cluster at an address receives, `mutransfer` first.

    In an editable install `mutransfer` holds links to three folders; Ray's archive follows them.
    """
    ours = str(Path(mutransfer.__file__).absolute().parent)
    return [ours, *user_code.package_folders(study.references)]


def check_fits(resources: Resources) -> None:
    """Raise UserError where no single node has the resources of one trial.

    The sum over nodes is no measure: a trial runs on one node.
    """
    need = _need(resources)
    nodes = _nodes()
    if any(all(node.get(k, 0) >= v for k, v in need.items()) for node in nodes):
        return
    has = "; ".join(f"{n.get('CPU', 0):g} CPU, {n.get('GPU', 0):g} GPU" for n in nodes) or "none"
    raise UserError(
        f"resources: a trial needs {need['CPU']:g} CPU and {need['GPU']:g} GPU on one node; the "
        f"nodes have: {has}; lower cpus_per_trial / gpus_per_trial or add a node"
    )


def slots(resources: Resources) -> int:
    """Number of trials that run at once. Raises UserError where not even one fits."""
    check_fits(resources)
    need = _need(resources)
    n_slots = sum(
        min(int(node.get(name, 0) / amount) for name, amount in need.items() if amount > 0)
        for node in _nodes()
    )
    return min(n_slots, resources.max_concurrent or n_slots)


def _need(resources: Resources) -> dict[str, float]:
    return {"CPU": resources.cpus_per_trial, "GPU": resources.gpus_per_trial}


def _nodes() -> list[dict[str, float]]:
    """The resources of every node that is alive, in Ray's names and units."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def slot_bytes(resources: Resources, slots: int) -> float:
    """Memory of one trial in bytes: its share of a GPU, or of the node with most per trial."""
    if resources.gpus_per_trial > 0:
        share = min(1.0, resources.gpus_per_trial)
        measure = ray.remote(num_gpus=resources.gpus_per_trial, num_cpus=0)(_gpu_bytes)
        return share * float(ray.get(measure.remote()))
    return max(
        node.get("memory", 0.0)
        / max(1, min(slots, int(node.get("CPU", 0) / resources.cpus_per_trial)))
        for node in _nodes()
    )


def _gpu_bytes() -> int:
    """Total memory of the GPU that Ray assigned to this worker."""
    return int(torch.cuda.mem_get_info()[1])


def keep_actors() -> None:
    """Make Tune keep its idle actors between two generations of the search.

    Tune itself keeps one idle actor and kills the others while no trial is pending. Starting a new
    actor takes longer than a short trial, so the remaining actor takes the pending trial, the
    starting actor is cancelled, and the study stays on one worker (measured: 46.7 s against 30.7 s
    on 2 slots). The class is private to Ray: a Ray version without it is left unchanged, and a
    test counts the worker processes after a generation.
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
