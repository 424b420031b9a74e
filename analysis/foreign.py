"""Results from elsewhere: a user's own CSV or Parquet as our table, and what to ask of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from analysis.axis import WORDS, Axis, at
from analysis.curve import fit
from analysis.optimum import optimum
from analysis.question import Question, Tolerance
from analysis.schema import COLUMNS, HP_PREFIX, SCHEMA_VERSION
from analysis.slices import log2_of, slice_of
from analysis.table import TableError, hp_columns, in_arm, round_hp, validate

# Words of other trackers (W&B, Ray Tune) for ours.
STATUS_WORDS: Mapping[str, str] = {
    "finished": "done",
    "completed": "done",
    "terminated": "done",
    "crashed": "failed",
    "error": "failed",
    "killed": "failed",
    "running": "failed",
    "nan": "diverged",
}
# A learning rate is not above this, and not above 1 throughout.
LARGEST_LR = 10.0
_WHOLE = ("width", "seed", "depth", "batch_size", "steps")
_CELL = ("arm", "width", "depth", "batch_size", "steps", "seed")


def read(path: Path, columns: Mapping[str, str], axis: Axis = "width") -> pd.DataFrame:
    """Return the user's table in our columns, validated.

    Needed: ``width``, the column of the axis, ``val_loss`` (empty where diverged) and one or more
    ``hp.<name>``. Taken where they are: arm (else ``mup``), seed (else 0), status, base_width,
    batch_size, steps, depth, flops.

    Args:
        path: A .csv or .parquet file.
        columns: Our name of each column by the user's name.
        axis: Along which transfer will be asked about.

    Raises:
        TableError: no such file or column, no numbers, an LR that is a log, losses that are not
            finite, one place on the axis only, two results of one trial. All that can be told
            together is.
    """
    if not path.is_file():
        raise TableError(f"{path}: a .csv or .parquet file; got nothing there; check the path")
    try:
        raw = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: cannot be read: {error}; write it again") from None
    df = _renamed(raw, columns, path)
    faults = _missing(df, path, list(raw.columns), axis) or _faults(df, path, axis)
    if faults:
        raise TableError("\n".join(faults))
    return validate(_completed(df, path.stem))


def _renamed(raw: pd.DataFrame, columns: Mapping[str, str], path: Path) -> pd.DataFrame:
    absent = [name for name in columns if name not in raw.columns]
    if absent:
        raise TableError(
            f"{path}: --columns names {', '.join(map(repr, absent))}; got the columns "
            f"{', '.join(map(str, raw.columns))}; correct the mapping"
        )
    twice = sorted({ours for ours in columns.values() if [*columns.values()].count(ours) > 1})
    if twice:
        raise TableError(
            f"{path}: --columns gives each name once; got {', '.join(twice)} for several columns; "
            "keep one"
        )
    if len(raw.columns) == 1 and ";" in str(raw.columns[0]):
        raise TableError(f"{path}: cells parted by commas; got semicolons; write it again")
    mapped = raw.drop(columns=[n for n in columns.values() if n in raw and n not in columns])
    df = mapped.rename(columns=dict(columns))
    known = [c.name for c in COLUMNS if c.name in df and c.name not in ("schema", "trial_id")]
    extra = [name for name in hp_columns(df) if name not in known]
    return df[[*dict.fromkeys([*known, *extra])]].dropna(how="all").reset_index(drop=True)


def _missing(df: pd.DataFrame, path: Path, found: list[str], axis: Axis) -> list[str]:
    needs = [name for name in dict.fromkeys(("width", axis, "val_loss")) if name not in df]
    needs += [] if hp_columns(df) else ["hp.<name>"]
    hint = "rename it or map it: --columns learning_rate=hp.lr,loss=val_loss"
    got = ", ".join(map(str, found))
    return [f"{path}: needs a column {name}; got {got}; {hint}" for name in needs]


def _faults(df: pd.DataFrame, path: Path, axis: Axis) -> list[str]:
    faults = []
    numeric = ["width", "val_loss", *hp_columns(df)]
    numeric += [n for n in ("seed", "depth", "batch_size", "steps", "flops") if n in df]
    for name in numeric:
        cells = pd.to_numeric(df[name], errors="coerce")
        bad = df.index[cells.isna() & df[name].notna()]
        if len(bad):
            got = f"{df[name][bad[0]]!r} in row {bad[0] + 2}"
            faults.append(f"{path}: {name}: numbers; got {got}; correct it or leave it empty")
        broken = df.index[np.isfinite(cells) & (cells != np.floor(cells))]
        if name in _WHOLE and len(broken):
            got = f"{cells[broken[0]]:g} in row {broken[0] + 2}"
            faults.append(f"{path}: {name}: whole numbers; got {got}; correct it")
        df[name] = cells
    faults += _bad_numbers(df, path, axis)
    if not faults and df[axis].nunique() < 2:
        got = df[axis].dropna().unique().tolist()
        one, many = WORDS[axis]
        rule = f"transfer needs two {many} or more"
        faults.append(f"{path}: {axis}: {rule}; got {got}; add runs of another {one}")
    return faults or _doubled(df, path)


def _bad_numbers(df: pd.DataFrame, path: Path, axis: Axis) -> list[str]:
    faults = []
    if np.isinf(df["val_loss"]).any():
        n = int(np.isinf(df["val_loss"]).sum())
        rule = "finite, and empty where a run diverged"
        faults.append(f"{path}: val_loss: {rule}; got {n} infinite; empty these cells")
    for name in dict.fromkeys(["width", str(axis)]):
        if df[name].isna().any() or (df[name] <= 0).any():
            faults.append(f"{path}: {name}: above 0 in every row; got other cells; fill them")
    for name in hp_columns(df):
        cells = df[name].dropna()
        if len(cells) and _is_logarithm(name, cells):
            got = f"{cells.min():g} to {cells.max():g}"
            faults.append(
                f"{path}: {name}: the learning rate itself, above 0; got {got}, which looks like "
                "a logarithm; give 2**x or 10**x of it"
            )
    return faults


def _is_logarithm(name: str, cells: pd.Series) -> bool:
    """Whether cells that should be learning rates are likely to be logarithms of them."""
    word = name.removeprefix(HP_PREFIX).lower()
    if not word.endswith(("lr", "learning_rate")):
        return False
    outside = (cells <= 0).any() or (cells > LARGEST_LR).any() or (cells > 1).all()
    return word.startswith("log") or bool(outside)


def _doubled(df: pd.DataFrame, path: Path) -> list[str]:
    key = [n for n in (*_CELL, *hp_columns(df)) if n in df]
    twice = df.duplicated(key, keep=False)
    if not twice.any():
        return []
    rows = ", ".join(str(i + 2) for i in df.index[twice][:4])
    remedy = "keep one, or add a column seed" if "seed" not in df else "keep one"
    return [
        f"{path}: one row a run ({', '.join(key)}); got {int(twice.sum())} alike (rows {rows}); "
        f"{remedy}"
    ]


def _completed(df: pd.DataFrame, study: str) -> pd.DataFrame:
    out = df.copy()
    defaults: dict[str, Any] = {"arm": "mup", "seed": 0, "study": study}
    for name, value in defaults.items():
        out[name] = out[name].fillna(value) if name in out else value
    given = out["status"] if "status" in out else pd.Series([None] * len(out), index=out.index)
    words = given.where(given.notna(), None).map(lambda w: w if w is None else str(w).lower())
    finished = out["val_loss"].notna().map({True: "done", False: "diverged"})
    out["status"] = words.map(lambda w: STATUS_WORDS.get(w, w)).where(given.notna(), finished)
    # A run that ended without a loss did not end well; a loss of one that failed is no result.
    out.loc[(out["status"] == "done") & out["val_loss"].isna(), "status"] = "diverged"
    out.loc[out["status"] != "done", "val_loss"] = np.nan
    if "base_width" not in out:
        # None of the widths: then no run counts for both arms.
        out["base_width"] = next(n for n in range(1, 10**9) if n not in set(out["width"]))
    for name in hp_columns(out):
        out[name] = out[name].map(lambda v: v if pd.isna(v) else round_hp(v))
    out["schema"] = SCHEMA_VERSION
    out["trial_id"] = [f"row-{i + 2}" for i in range(len(out))]
    return out


def question(
    df: pd.DataFrame,
    *,
    tolerance: Tolerance,
    search_width: int | None = None,
    target_width: int | None = None,
    defaults: Mapping[str, float] | None = None,
    axis: Axis = "width",
) -> Question:
    """Return what can be asked of a table: does the best of its search place hold at the target?

    Sliced are the HPs with 3 or more values above 0 at the search place. The transferred set is the
    best combination there that was run at the target too; of a single HP the value run
    nearest to the fitted optimum.

    Args:
        df: A validated table.
        tolerance: Accepted regret.
        search_width: The place where HPs are tuned; None: the narrowest.
        target_width: The place where they are checked; None: the widest.
        defaults: Untuned values whose regret is told beside.
        axis: Along which transfer is asked about; the place of a row is in the column of its name.

    Raises:
        TableError: a place without μP runs, or nothing that was run at both places.
    """
    ours = df[in_arm(df, "mup", axis=axis)]
    widths = sorted({int(w) for w in ours[axis]})
    if not widths:
        raise TableError("table: runs of arm mup; got none; without μP nothing is to transfer")
    search, target = search_width or widths[0], target_width or widths[-1]
    option = "width" if axis == "width" else "at"
    for name, width in (("search", search), ("target", target)):
        if width not in widths:
            raise TableError(f"--{name}-{option}: one of {widths} (arm mup); got {width}; pick one")
    if search == target:
        raise TableError(f"--search-{option}: another than the target; got {search}; pick one")
    best = _best_shared(ours, search, target, axis)
    hps = [n.removeprefix(HP_PREFIX) for n in hp_columns(df)]
    sliced = tuple(
        hp for hp in hps if best[hp] is not None and _n_values(ours, hp, best, search, axis) >= 3
    )
    if not sliced:
        raise TableError(
            f"table: some HP with 3 values or more at {at(axis, search)}, the others alike; got "
            "none; add runs that vary one HP"
        )
    control: Literal["sp", "unscaled"] = "sp" if axis == "width" else "unscaled"
    both = control in set(df["arm"])
    seeds = tuple(sorted({int(s) for s in ours["seed"]}))
    there = tuple(sorted({int(s) for s in ours[ours[axis] == target]["seed"]}))
    spacing = _spacing(ours, sliced[0])
    if len(sliced) == 1:
        best = _near_optimum(ours, sliced[0], best, (search, target), seeds, spacing, axis)
    return Question(
        parameters=sliced,
        search_width=search,
        widths=tuple(w for w in widths if w != target or len(widths) > 2),
        target_width=target,
        base_width=int(df["base_width"].iloc[0]),
        seeds=seeds,
        target_seeds=there,
        spacing_log2=spacing,
        tolerance=tolerance,
        center=best,
        control=control if both else None,
        control_parameters=sliced if both else (),
        transferred=best,
        search_best=best,
        defaults=dict(defaults or {}),
        axis=axis,
    )


def _best_shared(df: pd.DataFrame, search: int, target: int, axis: Axis) -> dict[str, float | None]:
    """The HP combination of lowest mean loss at the search place that the target has too."""
    names = hp_columns(df)
    done = df[df["status"] == "done"]
    means = done[done[axis] == search].groupby(names, dropna=False)["val_loss"].mean()
    there = df[df[axis] == target].groupby(names, dropna=False).size()
    shared = (
        means[means.index.isin(there.index)]
        if len(names) == 1
        else means.loc[[key for key in means.index if key in set(there.index)]]
    )
    if shared.empty:
        raise TableError(
            f"table: an HP set with a loss at {at(axis, search)} that was run at "
            f"{at(axis, target)} too; got none; run the best one there"
        )
    key = shared.idxmin()
    cells = key if isinstance(key, tuple) else (key,)
    return {
        n.removeprefix(HP_PREFIX): None if pd.isna(v) else float(v)
        for n, v in zip(names, cells, strict=True)
    }


def _n_values(
    df: pd.DataFrame, hp: str, best: Mapping[str, float | None], place: int, axis: Axis
) -> int:
    seeds = sorted({int(s) for s in df["seed"]})
    found = slice_of(df, hp=hp, fixed=best, width=place, arm="mup", seeds=seeds, axis=axis)
    return len(found.log2_x)


def _spacing(df: pd.DataFrame, hp: str) -> float:
    values = np.unique([log2_of(v) for v in df[HP_PREFIX + hp].dropna() if v > 0])
    return float(np.median(np.diff(values))) if values.size > 1 else 1.0


def _near_optimum(
    df: pd.DataFrame,
    hp: str,
    best: Mapping[str, float | None],
    places: tuple[int, int],
    seeds: tuple[int, ...],
    spacing: float,
    axis: Axis,
) -> dict[str, float | None]:
    """The set with the HP at the value of both places that is nearest to its optimum."""
    here, there = (
        slice_of(df, hp=hp, fixed=best, width=p, arm="mup", seeds=seeds, axis=axis) for p in places
    )
    place = optimum(fit(here, spacing_log2=spacing)).log2_opt
    shared = [x for x in here.log2_x[here.usable] if there.index(float(x)) is not None]
    if place is None or not shared:
        return dict(best)
    nearest = min(shared, key=lambda x: abs(x - place))
    return {**best, hp: round_hp(2.0 ** float(nearest))}
