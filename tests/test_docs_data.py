"""The page on data does what it says: its Python runs, its YAML gives the lines that follow it."""

import re
from pathlib import Path

import pytest

from mutransfer.proxies import data
from mutransfer.proxies.config.data import DATA_CONFIGS
from mutransfer.proxies.errors import DataError
from mutransfer.sweep.spec.section_reader import read_section
from mutransfer.sweep.spec.yaml_file import parse

PAGE = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def seen(text: str) -> str:
    """What a look at a data section tells, or its faults."""
    file = parse(text, "sweeps.yaml")
    config, faults = read_section(file, ("data",), file.data["data"])
    assert not faults
    try:
        return "\n".join(data.look(config).lines)
    except DataError as error:
        return str(error)


def test_the_blocks_of_the_page_on_data_do_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, told, n_lines = {}, "", 0
    for kind, text in BLOCKS:
        if kind == "python":
            exec(text, names)
        elif kind == "yaml":
            told = seen(text)
        elif kind == "text":
            for line in text.splitlines():
                assert line in told
                n_lines += 1
    assert n_lines >= 7


@pytest.mark.parametrize("option", re.findall(r"`(\w+):", PAGE))
def test_every_option_of_the_page_on_data_exists(option):
    known = {name for config in DATA_CONFIGS.values() for name in config.__dataclass_fields__}
    assert option in known
