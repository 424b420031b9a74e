"""A journal for optuna-dashboard, written from the table; nothing is read back from it.

Losses of different axis values (widths, say) or arms must not be ranked against each other. So the
search becomes one Optuna study, with the name of the study, and each pair of arm and axis value
another one.
"""

import contextlib
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from mutransfer.analysis.labels import SHORT_ARMS
from mutransfer.analysis.table.axis import axis_value_text
from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.sweep.spec import space
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store.store import Store

FILE = "optuna-journal.log"
STATES = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED}  # other statuses: FAIL
USER_ATTRS = (
    "trial_id", "asked_by", "generation", "seed", "width", "depth", "batch_size", "steps", "status",
    "diverged_step", "error", "train_loss", "flops", "train_s", "host",
)  # fmt: skip


class Journal:
    """The journal of a study; `add` writes the rows that are not in it yet.

    Attributes:
        path: The file, replaced when a journal is opened. It is in the run directory, or in a
            temporary folder where that is not on this machine.
    """

    def __init__(self, study: Study, store: Store) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        folder = Path(store.root if store.local else tempfile.mkdtemp(prefix="mutransfer-"))
        self.path = folder / FILE
        for stale in (self.path, self.path.with_name(f"{FILE}.lock")):
            stale.unlink(missing_ok=True)
        self._study, self._store = study, store
        self._storage = JournalStorage(JournalFileBackend(str(self.path)))
        self._written: set[str] = set()

    def add(self) -> int:
        """Write the trials that are not in the journal yet; returns their number."""
        rows = [row for row in self._store.rows().values() if row["trial_id"] not in self._written]
        by_study: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: (row["finished_at"] or "", row["trial_id"])):
            by_study[self._name(row)].append(row)
        for name in sorted(by_study, key=lambda name: (name != self._study.name, name)):
            self._add(name, by_study[name])
        self._written |= {row["trial_id"] for row in rows}
        return len(rows)

    def _name(self, row: Mapping[str, Any]) -> str:
        if row["asked_by"] == "search":
            return self._study.name
        axis = self._study.axis
        where = axis_value_text(axis, row[axis])
        return f"{self._study.name}: {SHORT_ARMS[row['arm']]}, {where}"

    def _add(self, name: str, rows: list[dict[str, Any]]) -> None:
        optuna_study = optuna.create_study(
            storage=self._storage, study_name=name, direction="minimize", load_if_exists=True
        )
        distributions = _distributions(self._study, rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna warns that constraints are experimental
            optuna_study.set_metric_names([self._study.metric.name])
            optuna_study.add_trials([self._frozen(row, distributions) for row in rows])

    def _frozen(
        self, row: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]
    ) -> FrozenTrial:
        """The row as an Optuna trial. A diverged one is FAIL and infeasible; it has no value."""
        params = {
            name: int(value) if isinstance(kind, IntDistribution) else value
            for name, kind in distributions.items()
            if (value := row[HP_PREFIX + name]) is not None
        }
        state = STATES.get(row["status"], TrialState.FAIL)
        infeasible = {"done": 0.0, "diverged": 1.0}.get(row["status"])
        points = {p["step"]: p["val_loss"] for p in self._store.curve(row["trial_id"])}
        frozen = optuna.trial.create_trial(
            state=state,
            value=row["val_loss"] if state == TrialState.COMPLETE else None,
            params=params,
            distributions={name: distributions[name] for name in params},
            user_attrs={name: row[name] for name in USER_ATTRS if row.get(name) is not None},
            intermediate_values={s: v for s, v in points.items() if v is not None},
            constraints=None if infeasible is None else {"diverged": infeasible},
        )
        with contextlib.suppress(TypeError, ValueError):  # without times in the row: the time now
            frozen.datetime_start = _local(row["started_at"])
            frozen.datetime_complete = _local(row["finished_at"])
        return frozen


def _local(utc: str) -> datetime:
    """The time as Optuna stores it: local, without a time zone."""
    return datetime.fromisoformat(utc).astimezone().replace(tzinfo=None)


def _distributions(study: Study, rows: Iterable[Mapping[str, Any]]) -> dict[str, BaseDistribution]:
    """The search ranges as Optuna's, widened to the values that slices used beyond them."""
    rows = list(rows)
    distributions: dict[str, BaseDistribution] = {}
    for name, searched in study.parameters.items():
        used = [row[HP_PREFIX + name] for row in rows if row[HP_PREFIX + name] is not None]
        if isinstance(searched, space.Categorical):
            distributions[name] = CategoricalDistribution(sorted({*searched.values, *used}))
            continue
        if isinstance(searched, space.Constant):
            ends, is_log = [searched.value], True
        else:
            ends, is_log = [searched.min, searched.max], isinstance(searched, space.LogUniform)
        low, high = min([*ends, *used]), max([*ends, *used])
        is_log = is_log and low > 0
        if name in space.INTEGER_HPS:
            distributions[name] = IntDistribution(int(low), int(high), log=is_log)
        else:
            distributions[name] = FloatDistribution(low, high, log=is_log)
    return distributions
