"""The run directory as rows, curves and decisions; only `Store` writes them.

    runs/<study>/
      study.json        the resolved spec, versions, commit, history of extensions
      decisions/        one JSON file per decision, written once
      trials/           the results table, one Parquet part per trial
      curves/           training curves, one Parquet part per trial
      checkpoints/      only while a trial runs
      events.jsonl      what happened, for people and log collectors; see `run.events`
      retried.json      failed attempts that were run again: what they cost
      set-aside/        damaged files, and what they are kept for; see `set_aside`

A part is written completely or not at all, and the first part written for a trial is kept: a
worker that is killed or started twice cannot lose, truncate or change a result. Each has a
checksum, so a part that is damaged or edited is never taken for a result.
"""

import contextlib
import math
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import pandas as pd
import pyarrow as pa

from mutransfer.analysis import table as results_table
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.plan import contents
from mutransfer.sweep.store import lock, parts
from mutransfer.sweep.store.checksums import SEAL, of_decision
from mutransfer.sweep.store.files import Files
from mutransfer.sweep.store.parts import CURVE_SCHEMA, DamagedError, Part
from mutransfer.words import STAGES

STUDY_FILE = "study.json"
RETRIED_FILE = "retried.json"
EVENTS_FILE = "events.jsonl"
# How the error of a trial begins whose worker process died: the machine's failure, not the trial's.
WORKER_LOST = "worker lost"
# Runs in which a trial may lose its worker. Each has `resources.max_failures` restarts of its own:
# a trial that is lost in all of them is too large for its machine rather than unlucky.
MOST_LOST = 3
# What a run writes into; a link there would lead out of the run directory.
WRITTEN = (
    "trials",
    "curves",
    "decisions",
    "checkpoints",
    "samples",
    "plots",
    "ray.log",
    EVENTS_FILE,
)
TRIAL_ID = re.compile(r"[0-9a-f]{16}")


class Store(Files):
    """One run directory.

    Attributes:
        hidden: Trials that are not shown: those of another code than the one that is judged.
    """

    def __init__(self, location: str, hidden: frozenset[str] = frozenset()) -> None:
        super().__init__(location)
        self.hidden = hidden
        self._digests: dict[str, str] = {}
        # Parts that were read, by the time and size of their files.
        self._parts: dict[str, tuple[tuple[int | None, int | None], Part]] = {}

    # Results -------------------------------------------------------------------------------

    def trial_ids(self, folder: str = "trials") -> list[str]:
        """The trials that have a part in a folder; a file of another name is no part."""
        ids = filter(TRIAL_ID.fullmatch, self.names(folder, ".parquet"))
        return [trial_id for trial_id in ids if trial_id not in self.hidden]

    def has_row(self, trial_id: str) -> bool:
        """Whether the trial has a result."""
        return self.exists("trials", f"{trial_id}.parquet")

    def write_row(self, row: Mapping[str, Any], curve: list[dict[str, Any]]) -> bool:
        """Write a trial's curve, then its row; True unless the trial has a row already."""
        trial_id = str(row["trial_id"])
        checksum = None
        if curve:
            content = parts.curve_bytes(trial_id, curve)
            self.write(content, "curves", f"{trial_id}.parquet", keep_first=True)
            checksum = self._kept_curve(trial_id, content)
        beside = parts.Beside(curve=checksum, decisions=self._decision_digests(), seal=self.seal)
        content = parts.row_bytes(row, beside)
        return self.write(content, "trials", f"{trial_id}.parquet", keep_first=True)

    def _kept_curve(self, trial_id: str, content: bytes) -> str | None:
        """The checksum of a trial's curve: the first one, or ours in place of a damaged one."""
        name = f"{trial_id}.parquet"
        try:
            return parts.read_curve(self.read_bytes("curves", name), trial_id)[1]
        except DamagedError:
            self.write(content, "curves", name)
            return parts.read_curve(content, trial_id)[1]

    @cached_property
    def seal(self) -> str | None:
        """The seal of the run directory's spec; None where it has none."""
        return self.read_json(STUDY_FILE).get(SEAL) if self.exists(STUDY_FILE) else None

    def forget_seal(self) -> None:
        """Read the seal anew: study.json was written."""
        self.__dict__.pop("seal", None)

    def read_part(self, trial_id: str) -> Part:
        """The part of a trial's row.

        Raises:
            FileNotFoundError: there is none.
            DamagedError: it is not what was written.
        """
        name = f"{trial_id}.parquet"
        info = self.fs.get_file_info(self.path("trials", name))
        version = info.mtime_ns, info.size
        known_version, part = self._parts.get(trial_id, (None, None))
        if part is None or version != known_version:
            part = parts.read_row(self.read_bytes("trials", name), trial_id)
            self._parts[trial_id] = version, part
        if part.beside is None and self._has_seal():
            raise DamagedError("was written by another program: it has no checksum")
        return part

    def read_row(self, trial_id: str) -> dict[str, Any]:
        """One row as plain values. Raises FileNotFoundError, or UserError where it is damaged."""
        try:
            return self.read_part(trial_id).row
        except DamagedError as error:
            raise self._damaged("trials", {trial_id: str(error)}) from None

    def intact_parts(self) -> tuple[dict[str, Part], dict[str, str]]:
        """The parts of the table by trial_id, and what is wrong with those that are damaged."""
        intact: dict[str, Part] = {}
        damaged: dict[str, str] = {}
        for trial_id in self.trial_ids():
            try:
                intact[trial_id] = self.read_part(trial_id)
            except DamagedError as error:
                damaged[trial_id] = str(error)
        return intact, damaged

    def table(self) -> pd.DataFrame:
        """The results table.

        Raises:
            TableError: parts of another schema.
            UserError: damaged parts, by name.
        """
        intact, damaged = self.intact_parts()
        if damaged:
            raise self._damaged("trials", damaged)
        return table_of(intact.values())

    def _damaged(self, folder: str, damaged: Mapping[str, str]) -> UserError:
        trial_id, reason = next(iter(damaged.items()))
        count = "1 part is" if len(damaged) == 1 else f"{len(damaged)} parts are"
        return UserError(
            f"{self.path(folder)}: {count} damaged: {trial_id}.parquet {reason}"
            + (f"; and {', '.join(list(damaged)[1:4])}" if len(damaged) > 1 else "")
            + f"; `mutransfer doctor {self.location}` names all, and `mutransfer run` sets them "
            "aside and runs only these trials again"
        )

    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows as plain values, None where a cell is empty, by trial_id."""
        table = self.table().astype(object)
        plain = table.where(table.notna(), None).to_dict("records")
        return {str(row["trial_id"]): row for row in plain}

    def curves(self) -> pd.DataFrame:
        """All training curves, one row per point. Raises UserError where one is damaged."""
        curves, damaged = [CURVE_SCHEMA.empty_table()], {}
        for trial_id in self.trial_ids("curves"):
            try:
                curves.append(self._curve(trial_id))
            except DamagedError as error:
                damaged[trial_id] = str(error)
        if damaged:
            raise self._damaged("curves", damaged)
        return pa.concat_tables(curves).to_pandas(ignore_metadata=True)

    def _curve(self, trial_id: str) -> pa.Table:
        content = self.read_bytes("curves", f"{trial_id}.parquet")
        table, _ = parts.read_curve(content, trial_id)
        return table.cast(CURVE_SCHEMA).replace_schema_metadata(None)

    def curve(self, trial_id: str) -> list[dict[str, Any]]:
        """The training curve of one trial, one dict per point; empty where it has none."""
        if not self.exists("curves", f"{trial_id}.parquet"):
            return []
        try:
            points: list[dict[str, Any]] = self._curve(trial_id).to_pylist()
        except DamagedError as error:
            raise self._damaged("curves", {trial_id: str(error)}) from None
        return points

    def lost_too_often(self) -> set[str]:
        """The trials that lost their worker in `MOST_LOST` runs, the last one included."""
        earlier = self.retried()
        ids = set()
        for row in self._failed(WORKER_LOST).itertuples():
            attempt = _attempt(row)  # may be among the earlier ones, as in `forget_failed`
            lost = [a for a in earlier if a.get("lost") and a.get("trial_id") == row.trial_id]
            if len([a for a in lost if a != attempt]) + 1 >= MOST_LOST:
                ids.add(str(row.trial_id))
        return ids

    def _failed(self, error: str) -> pd.DataFrame:
        """The rows of failed trials whose error begins with a text."""
        rows = self.table().query("status == 'failed'")
        return rows[rows["error"].fillna("").str.startswith(error)]

    def forget_failed(self, error: str = "", keep: set[str] | None = None) -> int:
        """Remove the rows of failed trials, so that these run again; returns their number.

        Their FLOPs were spent all the same, so they are kept (`retried`).

        Args:
            error: Only those whose error begins with this text.
            keep: Trials whose rows stay.
        """
        rows = self._failed(error)
        rows = rows[~rows["trial_id"].isin(set() if keep is None else keep)]
        earlier = self.retried()
        # A row may be there already: `run` was killed before it was removed.
        new = [attempt for attempt in map(_attempt, rows.itertuples()) if attempt not in earlier]
        if new:
            self.write_json({"attempts": earlier + new}, RETRIED_FILE)
        failed = rows["trial_id"]
        for trial_id in failed:
            self.remove("trials", f"{trial_id}.parquet")
            self.remove("curves", f"{trial_id}.parquet")
        return len(failed)

    def retried(self) -> list[dict[str, Any]]:
        """The failed attempts whose rows were removed.

        Each with trial_id, asked_by, flops, started_at, and ``lost``: whether its worker was.
        """
        if not self.exists(RETRIED_FILE):
            return []
        attempts: Any = self.read_json(RETRIED_FILE).get("attempts")
        if not isinstance(attempts, list) or not all(map(_is_attempt, attempts)):
            raise UserError(
                f"{self.path(RETRIED_FILE)}: must list failed attempts, each with a stage and its "
                "FLOPs; restore it, or delete it: what they cost is then not counted"
            )
        return attempts

    # Decisions -----------------------------------------------------------------------------

    def decide(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Write a decision unless there is one of that name; returns the stored content."""
        sealed = {**content, SEAL: self.seal} if self.seal else content
        self.write_json(sealed, "decisions", f"{name}.json", keep_first=True)
        return self.decision(name)

    def decision(self, name: str) -> dict[str, Any]:
        """A decision. Raises UserError where it is not what was written, or the spec is not."""
        content, its_seal = self.sealed_decision(name)
        if None not in (its_seal, self.seal) and its_seal != self.seal:
            raise UserError(
                f"{self.path(STUDY_FILE)}: what the verdict rests on (tolerance, target, …) was "
                f"changed: its seal is {self.seal}, and that of decision {name} is {its_seal}; "
                "restore the file; `mutransfer doctor` says what else can be done"
            )
        return content

    def sealed_decision(self, name: str) -> tuple[dict[str, Any], str | None]:
        """A decision, and the seal of the spec that it was made under.

        Raises:
            UserError: it is not what was written.
        """
        path = ("decisions", f"{name}.json")
        content = self.read_json(*path)
        if not self.has_checksum(*path) and self._has_seal():
            raise UserError(
                f"{self.path(*path)}: was written by another program: it has no checksum; restore "
                "it; `mutransfer doctor` says what else can be done"
            )
        parameters = self._parameters()
        if parameters is not None and (fault := contents.fault(name, content, parameters)):
            raise UserError(
                f"{self.path(*path)}: is no decision '{name}' ({fault}); restore it; `mutransfer "
                "doctor` says what else can be done"
            )
        return content, content.pop(SEAL, None)

    def _parameters(self) -> list[str] | None:
        """The HPs that the study varies, as far as study.json says; None where there is none."""
        if not self.exists(STUDY_FILE):
            return None
        try:
            spec = self.read_json(STUDY_FILE).get("spec")
        except UserError:
            return []
        parameters = spec.get("parameters") if isinstance(spec, dict) else None
        return list(parameters) if isinstance(parameters, dict) else []

    def _has_seal(self) -> bool:
        try:
            return self.seal is not None
        except UserError:  # study.json is damaged
            return True

    def decisions(self) -> dict[str, dict[str, Any]]:
        """All decisions by name. Raises UserError where one is not what was written."""
        return {name: self.decision(name) for name in self.names("decisions", ".json")}

    def _decision_digests(self) -> dict[str, str]:
        """The digest of every decision; they are written once, so each is read once."""
        for name in self.names("decisions", ".json"):
            if name not in self._digests:
                self._digests[name] = of_decision(self.decision(name))
        return dict(self._digests)

    # Files of dead processes, and the lock ---------------------------------------------------

    def sweep_temporaries(self) -> None:
        """Delete the unfinished files of killed processes; call only under the lock."""
        if not self.local:
            return
        for folder in ("trials", "curves", "decisions", "checkpoints", "."):
            for name in self.names(folder, ".tmp"):
                self.remove(folder, f"{name}.tmp")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other drivers out of the run directory, as `lock.held`; refuse links in it."""
        for name in WRITTEN:
            self.own_path(name)
        with lock.held(self):
            yield


def table_of(rows: Iterator[Part] | Any) -> pd.DataFrame:
    """The validated table of some parts. Raises TableError."""
    tables = [part.table.replace_schema_metadata(None) for part in rows]
    if not tables:
        return results_table.empty()
    data = pa.concat_tables(tables, promote_options="permissive")
    return results_table.validate(data.to_pandas(ignore_metadata=True))


def _attempt(row: Any) -> dict[str, Any]:
    """What is kept of a failed attempt, from its row as a named tuple."""
    return {
        "trial_id": row.trial_id,
        "asked_by": "unknown" if pd.isna(row.asked_by) else row.asked_by,
        "flops": 0.0 if pd.isna(row.flops) else row.flops,
        "started_at": None if pd.isna(row.started_at) else row.started_at,
        "lost": str(row.error).startswith(WORKER_LOST),
    }


def _is_attempt(value: Any) -> bool:
    flops = value.get("flops") if isinstance(value, dict) else None
    is_number = isinstance(flops, int | float) and 0 <= flops < math.inf
    return is_number and value.get("asked_by") in (*STAGES, "unknown")
