"""The command `export`: best.yaml is written with a good verdict or with --force."""

import pytest
from ruamel.yaml import YAML

from mutransfer.analysis.export_formats import FILES, FORMATS
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call


def test_export_needs_force_unless_it_passes(ran):
    refused = call(ran, "export", "tiny", "--width", "1152", "-o", "a.yaml")
    assert refused.returncode == 3 and not (ran / "a.yaml").exists()
    forced = call(ran, "export", "tiny", "--width", "1152", "-o", "a.yaml", "--force")
    assert forced.returncode == 3  # a few steps of training prove nothing
    text = (ran / "a.yaml").read_text()
    assert "VERDICT" in text.splitlines()[0]
    best = YAML(typ="safe").load(text)
    assert best["cost"]["flops"] == Store(str(ran / "runs/tiny")).table()["flops"].sum()
    assert set(best["cost"]["by_stage"]) == {"search", "slices", "set", "target"}
    assert best["width"] == 1152 and best["plan"]["width_mult"] == 72
    assert best["roles"]["hidden"]["lr"] == pytest.approx(best["hps"]["lr"] / 72, rel=1e-5)


@pytest.mark.parametrize("width", ["0", "-64", "1000001", "9" * 30])
@pytest.mark.parametrize("option", ["--width", "--at"])
def test_a_width_beyond_the_limits_is_refused_with_them(ran, option, width):
    if option == "--at" and width == "1000001":
        width = str(10**9 + 1)
    done = call(ran, "export", "tiny", option, width)
    limit = "or equal to 1000000" if int(width) > 0 else "or equal to 1 "
    assert done.returncode == 2 and limit in done.stderr and option in done.stderr


def test_export_of_a_width_that_cannot_be_built_is_refused(ran):
    done = call(ran, "export", "tiny", "--width", "1153")
    assert done.returncode == 2 and "multiple of head_dim" in done.stderr


def test_a_file_that_cannot_be_written_is_one_message(ran, tmp_path):
    (tmp_path / "taken").write_text("a file where the folder should be")
    best = tmp_path / "taken" / "best.yaml"
    done = call(ran, "export", "tiny", "--width", "64", "-o", str(best), "--force")
    assert done.returncode == 2 and "choose another -o" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("format_", FORMATS)
def test_each_format_is_a_file_with_the_verdict(ran, format_):
    done = call(ran, "export", "tiny", "--width", "64", "--force", "--format", format_)
    assert done.returncode == 3
    text = (ran / "runs/tiny" / FILES[format_]).read_text()
    assert YAML(typ="safe").load(text)["verdict"] != "PASS"  # JSON is YAML


def test_an_unknown_format_is_refused_with_those_that_exist(ran):
    done = call(ran, "export", "tiny", "--width", "64", "--format", "toml")
    assert done.returncode == 2 and "torchtitan" in done.stderr
