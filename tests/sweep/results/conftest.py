"""A finished study of a planted law in a run directory."""

from typing import NamedTuple

import pytest

from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, study_of
from tests.sweep.planted import play


class PlantedRun(NamedTuple):
    """A study and its run directory."""

    study: Study
    store: Store


@pytest.fixture(scope="package")
def planted_run(tmp_path_factory: pytest.TempPathFactory) -> PlantedRun:
    """A finished study; its loss is a parabola whose minimum all widths share."""
    text = TINY.replace("points: 3", "points: 5").replace("max_extend: 1", "max_extend: 2")
    study, store = study_of(text), Store(str(tmp_path_factory.mktemp("planted")))
    rundir.claim(store, study)
    decisions, table, plan = play(study)
    assert plan.finished
    for name, content in decisions.items():
        store.decide(name, content)
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        store.write_row(row, [])
    return PlantedRun(study, store)
