"""The Ray actor that runs trials, and a trial request as plain data that Ray can send to it."""

import os
import time
from collections.abc import Mapping
from typing import Any

from mutransfer.sweep.run import ray_settings  # noqa: F401  # before Ray, which reads it

# isort: split
from ray import tune

from mutransfer.proxies import user_code
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.sweep.plan.request import TrialRequest
from mutransfer.sweep.run import worker
from mutransfer.sweep.run.start_barrier import StartBarrier
from mutransfer.sweep.store.store import Store

CHUNK_S = 0.5  # between two heartbeats, and the longest that a stop waits for a worker
BARRIER_POLL_S = 0.1


class TrialWorker(tune.Trainable):
    """An actor that runs one trial after the other; results go to disk, never through Tune."""

    def setup(self, config: dict[str, Any]) -> None:
        """Begin the actor's first trial."""
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next trial in the same process: starting a process takes seconds."""
        self._begin(new_config)
        return True

    def _begin(self, config: Mapping[str, Any]) -> None:
        self._barrier: StartBarrier | None = None
        if "barrier_index" in config:
            self._barrier = StartBarrier(config["location"], config["n_processes"])
            self._barrier.arrive(config["barrier_index"])
            return
        user_code.allow(config["code_names"], config["imports"])  # the driver's spec names them
        self._heartbeats = worker.run(
            request_from_plain(config["request"]),
            config["study"],
            Store(config["location"]),
            checkpoint_every_s=config["checkpoint_every_s"],
        )

    def step(self) -> dict[str, Any]:
        """Train for about `CHUNK_S`."""
        if self._barrier is not None:
            is_open = self._barrier.is_open()
            time.sleep(BARRIER_POLL_S)
            return {"done": is_open, "heartbeat": None}
        deadline = time.monotonic() + CHUNK_S
        heartbeat = None
        try:
            for heartbeat in self._heartbeats:
                if time.monotonic() > deadline:
                    return {"done": False, "heartbeat": vars(heartbeat)}
        except worker.PoisonedProcess:
            os._exit(1)  # the row is written; Tune retries, and the new process finds the row
        return {"done": True, "heartbeat": None if heartbeat is None else vars(heartbeat)}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Save nothing: trials write checkpoints to the run directory, and Ray's own raises."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Load nothing, as ``save_checkpoint`` saves nothing."""


def plain_of_request(request: TrialRequest) -> dict[str, Any]:
    """The request as plain data."""
    return {
        "config": request.config.to_dict(),
        "asked_by": request.asked_by,
        "generation": request.generation,
    }


def request_from_plain(plain: Mapping[str, Any]) -> TrialRequest:
    """The request from which `plain_of_request` made ``plain``."""
    return TrialRequest(
        config=TrialConfig.from_dict(plain["config"]),
        asked_by=plain["asked_by"],
        generation=plain["generation"],
    )
