"""W&B runs: one per trial, grouped by stage, in a project with the study's name.

W&B's environment variables apply: WANDB_PROJECT, WANDB_ENTITY, WANDB_MODE. With
WANDB_MODE=offline, runs are written into the run directory, and `wandb sync` sends them later.
"""

import os
import tempfile

import wandb

from mutransfer.sweep.store.store import Store
from mutransfer.sweep.viewers.finished_trial import FinishedTrial


def writer(study: str, store: Store) -> "WeightsAndBiases":
    """The writer of a study."""
    folder = store.root if store.local else tempfile.mkdtemp(prefix="mutransfer-wandb-")
    return WeightsAndBiases(study, folder)


class WeightsAndBiases:
    """Writes runs that have the trial's id, so an interrupted attempt is continued."""

    def __init__(self, study: str, folder: str) -> None:
        self._folder = folder
        self._project = os.environ.get("WANDB_PROJECT") or study

    def write(self, trial: FinishedTrial) -> None:
        """Write the trial's run."""
        outcome = trial.outcome
        run = wandb.init(
            project=self._project,
            id=f"{trial.study}-{trial.row['trial_id']}",
            name=trial.name,
            group=trial.stage,
            tags=[str(trial.row["arm"]), f"width {trial.row['width']}", outcome["status"]],
            config=trial.config,
            dir=self._folder,
            resume="allow",
            reinit="finish_previous",
            settings=wandb.Settings(
                silent=True, console="off", disable_git=True, disable_code=True,
                x_disable_stats=True,
            ),
        )  # fmt: skip
        for step, _, values in trial.points():
            run.log(values, step=step)
        run.summary.update(outcome)
        run.finish(exit_code=0 if outcome["status"] == "done" else 1)
