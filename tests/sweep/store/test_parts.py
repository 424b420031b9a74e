"""A part that is damaged is never a result: a flipped bit is seen or changes nothing."""

import io
import random

import pyarrow.parquet as pq
import pytest

from mutransfer.sweep.store import parts
from tests.sweep.planted import a_row

CURVE = [{"step": 3, "val_loss": 0.9}, {"step": 6, "val_loss": 0.5}]
BESIDE = parts.Beside(curve="ab", decisions={"centre": "cd"}, seal="ef")


def row_of(content: bytes, trial_id: str):
    part = parts.read_row(content, trial_id)
    return part.row, part.beside


def curve_of(content: bytes, trial_id: str):
    return parts.read_curve(content, trial_id)[0].to_pylist()


@pytest.mark.parametrize("kind", ["row", "curve"])
def test_a_flipped_bit_is_seen_or_changes_nothing(tiny, kind):
    row = a_row(tiny)
    trial_id = row["trial_id"]
    content = parts.row_bytes(row, BESIDE) if kind == "row" else parts.curve_bytes(trial_id, CURVE)
    read = row_of if kind == "row" else curve_of
    whole, rng, n_seen = read(content, trial_id), random.Random(0), 0
    for position in rng.sample(range(8 * len(content)), 500):
        changed = bytearray(content)
        changed[position // 8] ^= 1 << position % 8
        try:
            found = read(bytes(changed), trial_id)
        except parts.DamagedError:
            n_seen += 1
            continue
        # A row that has lost its checksum is damaged in a run directory that is sealed.
        lost = kind == "row" and found[1] is None
        assert found == ((whole[0], None) if lost else whole), position
    assert 150 < n_seen < 500


def test_a_part_that_is_cut_off_or_of_another_trial_is_damaged(tiny):
    content = parts.row_bytes(a_row(tiny), BESIDE)
    trial_id = a_row(tiny)["trial_id"]
    for n in range(0, len(content), 97):
        with pytest.raises(parts.DamagedError):
            parts.read_row(content[:n], trial_id)
    with pytest.raises(parts.DamagedError, match="another trial"):
        parts.read_row(content, "0" * 16)
    assert parts.read_row(content, trial_id).beside == BESIDE  # the control


def test_what_a_row_was_written_beside_is_part_of_its_checksum(tiny):
    trial_id = a_row(tiny)["trial_id"]
    table = pq.read_table(io.BytesIO(parts.row_bytes(a_row(tiny), BESIDE)))
    text = table.schema.metadata[parts.KEY]
    for was, now in ((b"ab", b"xx"), (b"cd", b"xx"), (b"ef", b"xx"), (b"centre", b"center")):
        sink = io.BytesIO()
        assert was in text
        changed = {parts.KEY: text.replace(b'"' + was, b'"' + now)}
        pq.write_table(table.replace_schema_metadata(changed), sink)
        with pytest.raises(parts.DamagedError, match="checksum differs"):
            parts.read_row(sink.getvalue(), trial_id)
