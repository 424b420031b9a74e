"""TensorBoard files: the curve and the outcome of each trial, once."""

import struct
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event

from mutransfer.sweep.viewers import log_writer


def events(path: Path) -> list[Event]:
    """The events of a TensorBoard file: length, its check sum, content, its check sum."""
    content, result = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        result.append(Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    return result


def scalars(path: Path) -> dict[str, list[tuple[int, float]]]:
    series: dict[str, list[tuple[int, float]]] = {}
    for event in events(path):
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                series.setdefault(value.tag, []).append((event.step, value.simple_value))
    return series


def test_tensorboard_has_the_curve_and_the_outcome_of_each_trial_once(logged):
    first = log_writer.write_new("tiny", logged, ["tensorboard"])
    assert (first.written, first.faults) == ({"tensorboard": 2}, {})  # not the failed one
    files = sorted(Path(logged.root, "tensorboard").rglob("events.*"))
    assert len(files) == 2 and all("slices/mup-w16-lr0.0156-s" in str(f) for f in files)
    done = next(series for series in map(scalars, files) if "final/val_loss" in series)
    assert done["train_loss"] == [(2, 0.5), (4, 0.25), (6, pytest.approx(1 / 6))]
    assert done["val_loss"] == [(6, 0.5)] and done["final/val_loss"] == [(6, 0.5)]
    times = [event.wall_time for event in events(files[0]) if event.step == 6]
    assert {round(t) for t in times} == {1767323105}
    tags = {v.tag for event in events(files[0]) for v in event.summary.value}
    assert "_hparams_/session_start_info" in tags

    before = {file: file.read_bytes() for file in files}
    again = log_writer.write_new("tiny", logged, ["tensorboard"])
    assert again.written == {"tensorboard": 0}
    # An attempt that was cut off before its mark leaves the same files.
    logged.clear(log_writer.FOLDER)
    assert log_writer.write_new("tiny", logged, ["tensorboard"]).written == {"tensorboard": 2}
    assert sorted(Path(logged.root, "tensorboard").rglob("events.*")) == files
    assert {f: len(f.read_bytes()) for f in files} == {f: len(b) for f, b in before.items()}
