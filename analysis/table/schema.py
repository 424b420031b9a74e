"""The columns of the results table: names, types, units, meanings."""

from collections.abc import Mapping
from dataclasses import dataclass

from mutransfer.words import STAGES

SCHEMA_VERSION = 1
HP_PREFIX = "hp."


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: name, storage type, whether nulls are legal, whether a reader needs it."""

    name: str
    dtype: str
    meaning: str
    unit: str = ""
    nullable: bool = False
    required: bool = False

    @property
    def pandas_dtype(self) -> str:
        """The pandas dtype: nullable integers are ``Int64``."""
        return "Int64" if self.dtype == "int64" and self.nullable else self.dtype


HPS: Mapping[str, str] = {
    "lr": "peak learning rate at the base width",
    "init_std": "multiplier of the init std of all input and hidden weights",
    "init_std_hidden": "multiplier of the init std of hidden weights",
    "init_std_input": "multiplier of the init std of input weights",
    "init_std_vector": "multiplier of the init std of vectors",
    "output_mult": "readout multiplier α",
    "weight_decay": "AdamW weight decay λ at the base width",
    "warmup_steps": "steps of linear warmup",
    "grad_clip": "global gradient norm limit, null: no clipping",
    "repa_weight": "weight of REPA's alignment, null: no projector",
}


def _must(name: str, dtype: str, meaning: str, unit: str = "") -> Column:
    return Column(name=name, dtype=dtype, meaning=meaning, unit=unit, required=True)


def _may(name: str, dtype: str, meaning: str, unit: str = "") -> Column:
    return Column(name=name, dtype=dtype, meaning=meaning, unit=unit, nullable=True)


COLUMNS: tuple[Column, ...] = (
    _must("schema", "int64", f"version of this table, {SCHEMA_VERSION}"),
    _must("trial_id", "str", "hash of what determines the result"),
    _must("study", "str", "study that asked for the trial"),
    _may("asked_by", "str", "stage that asked first: " + ", ".join(STAGES)),
    _may("generation", "int64", "generation of the search, null for other stages"),
    _must(
        "arm",
        "str",
        "parametrization: mup, sp or unscaled (mup without the study's rule for its axis); at the "
        "base they are one trial",
    ),
    _may("family", "str", "model family"),
    _must("width", "int64", "model width", "channels"),
    _may("depth", "int64", "number of blocks"),
    _must("base_width", "int64", "width at which base HPs are written", "channels"),
    _may("batch_size", "int64", "samples per step"),
    _may("steps", "int64", "optimizer steps asked for"),
    _may("n_val", "int64", "validations along the training, the last at its end"),
    _must("seed", "int64", "seed of init, data order, timesteps and noise"),
    *(_may(HP_PREFIX + name, "float64", meaning) for name, meaning in HPS.items()),
    _must("status", "str", "done, diverged, pruned or failed"),
    _may("diverged_step", "int64", "step at which the trial diverged"),
    _may("error", "str", "why the trial failed"),
    _may("train_loss", "float64", "mean training loss of the last 5 % of the steps", "loss"),
    Column(
        name="val_loss",
        dtype="float64",
        meaning="final validation loss; null unless done",
        unit="loss",
        nullable=True,
        required=True,
    ),
    _may("init_val_loss", "float64", "validation loss at initialization", "loss"),
    _may("trivial_val_loss", "float64", "validation loss of the zero predictor", "loss"),
    _may("flops", "float64", "training FLOPs actually spent", "FLOPs"),
    _may("n_params", "int64", "number of parameters"),
    _may("train_s", "float64", "time in training steps", "s"),
    _may("wall_s", "float64", "wall time of the trial", "s"),
    _may("resumed_from_step", "int64", "step of the checkpoint it went on from"),
    _may("device", "str", "cpu or cuda"),
    _may("device_name", "str", "name of the device"),
    _may("host", "str", "name of the machine"),
    _may("threads", "int64", "CPU threads"),
    _may("precision", "str", "number format of training"),
    _may("started_at", "str", "start", "ISO 8601, UTC"),
    _may("finished_at", "str", "end", "ISO 8601, UTC"),
    _may("versions", "str", "JSON: versions of mutransfer, torch, optuna, ray, python"),
)

# asked_by and generation say who asked first: another order of asking is another table.
VOLATILE = frozenset(
    {
        "train_s",
        "wall_s",
        "resumed_from_step",
        "device_name",
        "host",
        "started_at",
        "finished_at",
        "versions",
    }
)


def markdown() -> str:
    """Return the column documentation as a Markdown table."""
    lines = ["| column | type | unit | meaning |", "|---|---|---|---|"]
    for c in COLUMNS:
        dtype = c.dtype + (" or null" if c.nullable else "")
        lines.append(f"| `{c.name}` | {dtype} | {c.unit} | {c.meaning} |")
    return "\n".join(lines) + "\n"
