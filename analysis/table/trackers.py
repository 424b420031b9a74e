"""What other trackers write: their words of status, and their names of our columns."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from mutransfer.words import STATUSES

# By status, in lower case. Sources: optuna.trial.TrialState; the run states of wandb.Api;
# ray.tune.experiment.trial.Trial; mlflow.entities.RunStatus; JOB STATE CODES in `man sacct`.
# A run that has not ended, was killed or ran out of time has a loss, but not its final one.
_WORDS: Mapping[str, str] = {
    "done": "complete completed finished terminated success succeeded",
    "diverged": "nan inf",
    "pruned": "early_stopped",
    "failed": (
        "fail error crashed killed cancelled canceled aborted timeout deadline out_of_memory oom "
        "node_fail boot_fail preempted preempting revoked suspended requeued stopped running "
        "waiting pending paused scheduled queued starting configuring completing"
    ),
}
STATUS_WORDS: Mapping[str, str] = {status: status for status in STATUSES} | {
    word: status for status, words in _WORDS.items() for word in words.split()
}
# A column of more words than this holds no status.
MOST_STATUS_WORDS = 20

# Names of our columns elsewhere, without what a tracker puts before them. Of several in one file
# the first counts.
_NAMES: Mapping[str, str] = {
    "width": "width d_model n_embd hidden_size hidden_dim model_width n",
    "params": "params n_params num_params parameters param_count model_size",
    "batch_size": "batch_size bs global_batch_size train_batch_size",
    "steps": "steps n_steps num_steps max_steps train_steps total_steps",
    "depth": "depth n_layers num_layers n_layer layers",
    "hp.lr": "lr learning_rate max_lr peak_lr base_lr",
    "seed": "seed random_seed random_state",
    "val_loss": (
        "val_loss val/loss valid_loss validation_loss eval_loss eval/loss test_loss final_loss "
        "loss value val_acc val/acc val_accuracy accuracy acc score"
    ),
}
_PREFIX = re.compile(r"^(params_|user_attrs_|hp\.|(params|config|hparams|summary|metrics)[./])")
_ASCENDS = re.compile(r"acc|score")

# Columns by which the rows of one run differ where a file holds its whole history.
HISTORY = re.compile(r"(.*[._/])?(_?step|steps|epoch|iter|iteration|training_iteration)s?")


def status_of(word: str) -> str | None:
    """Return our word for a status of another tracker; None for no word of status.

    Python's name of Optuna's states and what Slurm adds are left out: ``TrialState.COMPLETE``,
    ``CANCELLED by 1000``, ``CANCELLED+``.
    """
    plain = word.strip().lower().removeprefix("trialstate.").removesuffix("+")
    return STATUS_WORDS.get(re.sub(r" by \d+$", "", plain).replace(" ", "_").replace("-", "_"))


def status_columns(df: pd.DataFrame, names: Iterable[str]) -> list[str]:
    """Return those of the columns in which every word is one of status."""
    return [name for name in names if _is_status(df[name])]


def _is_status(cells: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(cells):
        return False
    try:
        words = cells.dropna().unique()
    except TypeError:  # lists and the like
        return False
    if not 0 < len(words) <= MOST_STATUS_WORDS:
        return False
    return all(status_of(str(word)) is not None for word in words)


def mapping_hint(
    names: Iterable[object], mapping: Mapping[str, str], missing: Iterable[str]
) -> str:
    """Return the options that map a file's columns to ours; empty where no name is known.

    Args:
        names: The columns of the file.
        mapping: Our names by those columns, as far as they are mapped.
        missing: Our columns that are still needed; any HP counts as ``hp.lr``.
    """
    free = [name for name in names if isinstance(name, str) and name not in mapping]
    wanted = [ours.replace("<name>", "lr") for ours in missing]
    pairs = {name: ours for ours in wanted if (name := _named(free, ours))}
    if not pairs:
        return ""
    more = [ours for ours in ("hp.lr", "seed") if ours not in {*mapping.values(), *names}]
    pairs = {**mapping, **{n: ours for ours in more if (n := _named(free, ours))}, **pairs}
    states = [name for name in free if name.lower() == "state"]
    pairs |= dict.fromkeys(states[:1], "status")
    ascends = any(ours == "val_loss" and _ASCENDS.search(name) for name, ours in pairs.items())
    return columns_option(pairs) + (" --goal maximize" if ascends else "")


def columns_option(pairs: Mapping[str, str]) -> str:
    """Return the option --columns; empty where a name cannot be written in it."""
    names = [name for pair in pairs.items() for name in pair]
    if any(not re.fullmatch(r"[^,=\s]([^,=]*[^,=\s])?", name) for name in names):
        return ""
    text = shlex.quote(",".join(f"{theirs}={ours}" for theirs, ours in pairs.items()))
    return f"--columns {text}" if text.isprintable() else ""


def _named(names: Sequence[str], ours: str) -> str | None:
    """The column that has a known name of ours, if any."""
    plain = {_PREFIX.sub("", name.lower()): name for name in reversed(names)}
    return next((plain[word] for word in _NAMES.get(ours, ours).split() if word in plain), None)
