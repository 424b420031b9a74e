"""The Ray actor that runs trials."""

import os
import time
from collections.abc import Mapping
from typing import Any

# isort: split
from ray import tune

from mutransfer.proxies import user_code
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.sweep.plan.request import TrialRequest
from mutransfer.sweep.run import worker
from mutransfer.sweep.store.store import Store

CHUNK_S = 0.5  # between two signs of life; also how long a stop may wait for a worker

WARM, WARM_UP_S = ".warm", 60.0  # where processes say that they are up; how long they wait


class TrialWorker(tune.Trainable):
    """An actor that runs one trial after the other; results go to disk, never through Tune."""

    def setup(self, config: dict[str, Any]) -> None:
        """Begin the actor's first trial."""
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next trial in the same process: starting a process costs seconds."""
        self._begin(new_config)
        return True

    def _begin(self, config: Mapping[str, Any]) -> None:
        self._warm_up = config if "warm_up" in config else None
        if self._warm_up is not None:
            self._deadline = time.monotonic() + WARM_UP_S
            Store(config["location"]).write(b"", WARM, f"{config['warm_up']}.up")
            return
        user_code.add_paths(config["imports"])
        self._beats = worker.run(
            request_from_plain(config["ask"]),
            config["study"],
            Store(config["location"]),
            checkpoint_every_s=config["checkpoint_every_s"],
        )

    def step(self) -> dict[str, Any]:
        """Train for about half a second."""
        if self._warm_up is not None:
            return self._wait_for_the_others(self._warm_up)
        deadline = time.monotonic() + CHUNK_S
        beat = None
        try:
            for beat in self._beats:
                if time.monotonic() > deadline:
                    return {"done": False, "beat": vars(beat)}
        except worker.PoisonedProcess:
            os._exit(1)  # the row is written; Tune retries, and a new process finds the row
        return {"done": True, "beat": None if beat is None else vars(beat)}

    def _wait_for_the_others(self, config: Mapping[str, Any]) -> dict[str, Any]:
        up = len(Store(config["location"]).names(WARM, ".up"))
        time.sleep(0.1)
        return {"done": up >= config["slots"] or time.monotonic() > self._deadline, "beat": None}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Save nothing: trials keep checkpoints of their own in the run directory."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Load nothing, as ``save_checkpoint`` saves nothing."""


def plain_of_request(ask: TrialRequest) -> dict[str, Any]:
    """The ask as plain data that Ray can send."""
    return {
        "config": ask.config.to_dict(),
        "asked_by": ask.asked_by,
        "generation": ask.generation,
    }


def request_from_plain(plain: Mapping[str, Any]) -> TrialRequest:
    """The ask that ``plain_of_ask`` wrote."""
    return TrialRequest(
        config=TrialConfig.from_dict(plain["config"]),
        asked_by=plain["asked_by"],
        generation=plain["generation"],
    )
