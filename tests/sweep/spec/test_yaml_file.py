"""YAML 1.2 with positions, powers of two and nothing but plain data."""

import pytest

from mutransfer.sweep.errors import SpecError, UserError
from mutransfer.sweep.spec.yaml_file import load, parse


def test_numbers_are_those_of_yaml_1_2_and_powers():
    text = "a: 3e-4\nb: 2^-10\nc: 1e-12\nd: 2^5\ne: [2^-1, 10^3]\nf: '2^-3'\ng: no\n"
    data = parse(text, "x").data
    assert data == {
        "a": 3e-4,
        "b": 2**-10,
        "c": 1e-12,
        "d": 32,
        "e": [0.5, 1000],
        "f": 0.125,
        "g": "no",
    }
    assert isinstance(data["d"], int)


@pytest.mark.parametrize("text", ["2^", "^2", "a^2", "2^2^2", "-2^2", "2^9999", "2.5^999"])
def test_what_only_looks_like_a_power_is_text(text):
    assert parse(f"a: {text}\n", "x").data["a"] == text


def test_marks_point_at_keys_and_list_items():
    file = parse("a:\n  b: 1\n  c: [1, 2]\n", "x")
    assert file.mark(("a", "b")) == (2, 3)
    assert file.mark(("a", "c", 1)) == (3, 10)
    assert file.mark(("a", "no", "where")) == (1, 1)  # the nearest ancestor


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("- 1\n", "mapping"),
        ("a: [1\n", "valid YAML"),
        ("a: 1\na: 2\n", "duplicate"),
        ("a: !!python/object:os.system {}\n", "no YAML tags"),
        ("a: !mine 1\n", "no YAML tags"),
        ("a: *b\n", "alias"),
        ("a: &a [*a]\n", "alias"),
        ("\x00\x01", "valid YAML"),
    ],
)
def test_a_file_that_is_no_plain_mapping_is_refused_with_a_rule(text, words):
    with pytest.raises(SpecError, match=words):
        parse(text, "x")


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="is a directory"):
        load(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not UTF-8"):
        load(tmp_path / "bytes")


@pytest.mark.parametrize("depth", [40, 5000, 50_000])
@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_a_file_that_is_nested_too_deep_is_refused_with_the_limit(depth, pair):
    opening = "{a: " if pair == "{}" else "["
    with pytest.raises(SpecError, match="32 deep"):
        parse("a: " + opening * depth + "1" + pair[1] * depth, "x")
    assert parse("a: " + opening * 20 + "1" + pair[1] * 20, "x").data  # the control


def test_a_whole_number_beyond_the_limit_is_refused_at_its_path():
    text = f"a: 1\nb:\n  c: [1, {10**400}]\n  d: -{10**19}\n  e: 10^900\n  f: {10**18}\n"
    with pytest.raises(SpecError) as error:
        parse(text, "x")
    assert [(f.path, f.line, f.got) for f in error.value.faults] == [
        ("b.c.1", 3, "401 digits"), ("b.d", 4, "20 digits"), ("b.e", 5, "901 digits"),
    ]  # fmt: skip
    assert "1,000,000,000,000,000,000" in str(error.value)
