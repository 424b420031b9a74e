"""The columns of the results table: names, types, units, meanings."""

from collections.abc import Mapping
from dataclasses import dataclass

from mutransfer.words import STAGES

SCHEMA_VERSION = 1
HP_PREFIX = "hp."


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: name, storage type, meaning, unit, whether nulls are legal, whether required."""

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
    "adamw_lr": "under Muon, peak learning rate of AdamW's part at the base width, null: lr",
}


def _required(name: str, dtype: str, meaning: str, unit: str = "") -> Column:
    return Column(name=name, dtype=dtype, meaning=meaning, unit=unit, required=True)


def _optional(name: str, dtype: str, meaning: str, unit: str = "") -> Column:
    return Column(name=name, dtype=dtype, meaning=meaning, unit=unit, nullable=True)


COLUMNS: tuple[Column, ...] = (
    _required("schema", "int64", f"version of this table, {SCHEMA_VERSION}"),
    _required("trial_id", "str", "hash of what determines the result"),
    _required("study", "str", "study that requested the trial"),
    _optional("asked_by", "str", "stage that requested it first: " + ", ".join(STAGES)),
    _optional("generation", "int64", "generation of the search, null for other stages"),
    _required(
        "arm",
        "str",
        "parametrization: mup, sp or unscaled (mup without the study's rule for its axis); at the "
        "base they are one trial",
    ),
    _optional("family", "str", "model family"),
    _required("width", "int64", "model width", "channels"),
    _optional("depth", "int64", "number of blocks"),
    _required("base_width", "int64", "width at which base HPs are written", "channels"),
    _optional("batch_size", "int64", "samples per step"),
    _optional("steps", "int64", "optimizer steps requested"),
    _optional("n_val", "int64", "validations along the training, the last at its end"),
    _required("seed", "int64", "seed of init, data order, timesteps and noise"),
    *(_optional(HP_PREFIX + name, "float64", meaning) for name, meaning in HPS.items()),
    _required("status", "str", "done, diverged, pruned or failed"),
    _optional("diverged_step", "int64", "step at which the trial diverged"),
    _optional("error", "str", "why the trial failed"),
    _optional("train_loss", "float64", "mean training loss of the last 5 % of the steps", "loss"),
    Column(
        name="val_loss",
        dtype="float64",
        meaning="final validation loss; null unless done",
        unit="loss",
        nullable=True,
        required=True,
    ),
    _optional(
        "end_val_loss", "float64", "validation loss at the end, of a diverged trial too", "loss"
    ),
    _optional("init_val_loss", "float64", "validation loss at initialization", "loss"),
    _optional("trivial_val_loss", "float64", "validation loss of the zero predictor", "loss"),
    _optional("flops", "float64", "training FLOPs actually spent", "FLOPs"),
    _optional("n_params", "int64", "number of parameters"),
    _optional("train_s", "float64", "time in training steps", "s"),
    _optional("wall_s", "float64", "wall time of the trial", "s"),
    _optional("resumed_from_step", "int64", "step of the checkpoint from which it resumed"),
    _optional("device", "str", "cpu or cuda"),
    _optional("device_name", "str", "name of the device"),
    _optional("host", "str", "name of the machine"),
    _optional("threads", "int64", "CPU threads"),
    _optional("precision", "str", "number format of training"),
    _optional(
        "settings",
        "str",
        "JSON: what the user's own trainer reported of its optimizer, schedule, precision and loss",
    ),
    _optional("started_at", "str", "start", "ISO 8601, UTC"),
    _optional("finished_at", "str", "end", "ISO 8601, UTC"),
    _optional("versions", "str", "JSON: versions of mutransfer, torch, optuna, ray, python"),
)

# A table from elsewhere along the axis `params` has one column more.
PARAMS = Column(name="params", dtype="int64", meaning="number of parameters: the axis value")

# Columns that two tables of equal results may differ in. asked_by and generation are not among
# them: another order of requests is another table.
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
