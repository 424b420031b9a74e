"""The statistics of a coordinate check, on planted sizes."""

import json

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.verdict import coordcheck
from tests.analysis.planted_sizes import NAMES, WIDTHS, planted, with_control


def test_flat_sizes_pass_where_the_control_grows_and_show_nothing_where_it_does_not():
    assert coordcheck.judge(with_control(planted())).verdict == "PASS"
    flat_control = pd.concat([planted(), planted(arm="sp")])
    assert coordcheck.judge(flat_control).verdict == "BLIND"


@pytest.mark.parametrize(("slope", "word"), [(0.3, "growing"), (-0.4, "vanishing")])
def test_a_change_that_grows_or_vanishes_fails_and_is_named(slope, word):
    check = coordcheck.judge(with_control(planted(slope)))
    assert check.verdict == "FAIL"
    assert [(f.trend.name, f.trend.word) for f in check.findings] == [("blocks.7", word)]
    assert "blocks.7" in str(check.findings[0]) and "usual cause" in str(check.findings[0])


@pytest.mark.parametrize("slope", [0.3, -0.4])
def test_an_update_may_neither_grow_nor_vanish(slope):
    rows = with_control(planted(slope, kind="update", role="hidden"))
    check = coordcheck.judge(rows)
    assert [f.parameter for f in check.findings] == ["blocks.7"]


@pytest.mark.parametrize("kind", ["update", "change"])
def test_what_fades_slowly_passes_as_it_does_in_correct_narrow_models(kind):
    rows = with_control(planted(-0.25, kind=kind, role="hidden"))
    assert coordcheck.judge(rows).verdict == "PASS"


@pytest.mark.parametrize("kind", ["update", "change"])
def test_what_falls_and_levels_off_passes_and_what_falls_on_as_fast_does_not(kind):
    """As in Llama with two key-value heads, octave by octave: -0.5, -0.4, -0.15, in all -0.36."""
    octaves = {32: 0.0, 64: -0.5, 128: -0.9, 256: -1.05}
    rows = planted(kind=kind, role="hidden", noise=0.02)
    is_odd = rows["name"] == "blocks.7"
    rows.loc[is_odd, "size"] *= 2 ** rows.loc[is_odd, "width"].map(octaves)
    check = coordcheck.judge(with_control(rows))
    assert check.verdict == "PASS", check.findings
    (last,) = [t for t in check.trends if (t.name, t.step, t.arm) == ("blocks.7", 4, "mup")]
    assert last.high < -0.25 < last.last_slope
    straight = planted(-0.36, kind=kind, role="hidden", noise=0.02)
    assert coordcheck.judge(with_control(straight)).verdict == "FAIL"


def test_an_output_may_vanish_but_not_grow():
    for slope, verdict in ((-0.5, "PASS"), (0.5, "FAIL")):
        rows = with_control(planted(slope, kind="output"))
        assert coordcheck.judge(rows).verdict == verdict


def test_the_parameter_inside_a_failing_module_is_named_behind_it():
    weight = planted(1.0, kind="update", role="hidden", odd=("blocks.7",))
    weight["name"] += ".fc1.weight"
    weight.loc[weight["name"] != "blocks.7.fc1.weight", "size"] = 1.0
    rows = with_control(pd.concat([planted(1.0), weight]))
    behind = {f.trend.kind: f.parameter for f in coordcheck.judge(rows).findings}
    assert behind == {"update": "blocks.7.fc1.weight", "change": "blocks.7.fc1.weight"}


def test_slopes_within_the_tolerance_pass():
    assert coordcheck.judge(with_control(planted(0.1))).verdict == "PASS"


def test_noise_alone_fails_less_often_than_one_in_twenty():
    failed = [
        coordcheck.judge(planted(0.15, odd=NAMES, rng=i, noise=0.3), arm="mup").verdict == "FAIL"
        for i in range(40)
    ]
    assert sum(failed) <= 5  # at the tolerance itself; 97 % point of 40 draws of 5 %


def test_a_slope_of_the_stated_power_is_seen_about_four_times_of_five():
    power = coordcheck.judge(planted(), arm="mup").detectable
    odd = NAMES[:5]
    n_seen = [
        len(coordcheck.judge(planted(power, odd=odd, rng=i), arm="mup").findings) for i in range(20)
    ]
    assert 0.55 < np.mean(n_seen) / len(odd) < 0.95  # both judged steps must show it
    weak = coordcheck.judge(planted(noise=0.5), arm="mup")
    assert not weak.has_power and coordcheck.judge(planted(noise=0.03), arm="mup").has_power


def test_the_narrowest_widths_are_left_out_where_four_are_wider():
    widths = (8, 16, *WIDTHS)
    rows = with_control(planted(widths=widths))
    rows.loc[rows["width"] < 32, "size"] *= 100.0
    check = coordcheck.judge(rows)
    assert (check.verdict, check.widths, check.left_out) == ("PASS", WIDTHS, (8, 16))


def test_what_overflows_grows():
    rows = planted()
    rows.loc[(rows["name"] == "blocks.3") & (rows["width"] == 256), "size"] = np.inf
    check = coordcheck.judge(rows)
    assert [f.trend.name for f in check.findings] == ["blocks.3"]


def test_a_constant_output_is_no_series():
    rows = with_control(planted())
    rows.loc[rows["name"] == "blocks.3", "size"] = 0.0
    assert "blocks.3" not in {t.name for t in coordcheck.judge(rows).trends}


def test_too_few_widths_or_seeds_are_refused():
    with pytest.raises(ValueError, match="at least 3 widths"):
        coordcheck.judge(planted(widths=(32, 64)))
    with pytest.raises(ValueError, match="2 seeds"):
        coordcheck.judge(planted(seeds=1))


def test_a_stored_check_is_read_as_it_was_written():
    check = coordcheck.judge(with_control(planted(0.5)))
    assert coordcheck.from_dict(json.loads(json.dumps(check.to_dict()))) == check
