"""The sections of the report: none is empty, and their tables fit their columns."""

from dataclasses import replace

import pytest

from mutransfer.analysis.figures import canvas
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.reporting.sections import SECTIONS, Section, samples_section, sections
from mutransfer.analysis.verdict import coordcheck
from tests.analysis.planted_sizes import planted, with_control


@pytest.fixture(scope="module")
def all_sections(inputs: ReportInputs) -> list[Section]:
    """The sections without their pictures, which take seconds to draw."""
    check = coordcheck.judge(with_control(planted(0.4)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canvas, "on_screen", lambda name, plot: [])
        return sections(replace(inputs, check=check, check_text="FAIL"))


def test_empty_sections_are_omitted(inputs: ReportInputs, all_sections: list[Section]) -> None:
    keys = [section.key for section in all_sections]
    assert {"curves", "drift", "regret", "search", "coordinates", "basis"} <= set(keys)
    assert samples_section(inputs).is_empty and "samples" not in keys
    assert "reasons" not in keys  # the verdict is PASS
    assert len(keys) < len(SECTIONS)


def test_every_row_of_every_table_fits_its_columns(all_sections: list[Section]) -> None:
    tables = [t for s in all_sections for t in (*s.tables, *s.more, *(f.table for f in s.figures))]
    assert len(tables) > 15
    for table in tables:
        assert all(len(row) == len(table.columns) for row in table.rows)
