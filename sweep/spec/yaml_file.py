"""YAML 1.2 files as plain data, with the line and column of every key.

ruamel.yaml's safe loader reads `3e-4` as a number (PyYAML, a YAML 1.1 parser, reads a string) and
refuses duplicate keys and object tags. A plain scalar such as `2^-10` is a power of two.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mutransfer.proxies.errors import Fault
from mutransfer.sweep.errors import SpecError, SpecFault, UserError

POWER = re.compile(r"^(\d+(?:\.\d+)?)\^([-+]?\d{1,3}(?:\.\d+)?)$")
MAX_BYTES = 4_000_000
MAX_NODES, MAX_DEPTH = 100_000, 32  # aliases can make a small file expand without end
MAX_NUMBER = 10**18  # of a whole number: fits 64 bits, and any float

YamlPath = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class YamlFile:
    """A parsed file: its name, its data, and (line, column) of every path in it, both from 1."""

    name: str
    data: Any
    marks: dict[YamlPath, tuple[int, int]]

    def mark(self, path: YamlPath) -> tuple[int, int] | tuple[None, None]:
        """(line, column) of ``path``, or of its nearest ancestor in the file."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.marks:
                return self.marks[path[:end]]
        return (None, None)

    def fault(self, path: YamlPath, rule: str, got: object = "", remedy: str = "") -> SpecFault:
        """A fault at ``path``."""
        line, column = self.mark(path)
        return SpecFault(
            file=self.name,
            line=line,
            column=column,
            path=".".join(str(part) for part in path),
            rule=rule,
            got=got if isinstance(got, str) else repr(got),
            remedy=remedy,
        )

    def below(self, path: YamlPath, fault: Fault) -> SpecFault:
        """The fault in this file; its path is relative to ``path``."""
        return self.fault((*path, *fault.path), fault.rule, fault.got, fault.remedy)


def load(path: Path) -> YamlFile:
    """The file at ``path``, parsed safely.

    Raises:
        UserError: no such file, not readable, not text, too large.
        SpecError: not YAML, empty, not a mapping, with duplicate keys, tags or endless aliases.
    """
    return parse(_read(path), str(path))


def parse(text: str, name: str) -> YamlFile:
    """The YAML document ``text``; ``name`` is the file's name in messages. Raises as ``load``."""
    try:
        node = YAML(typ="safe", pure=True).compose(text)
        marks = dict(_marks(node)) if node is not None else {}
        data = _powers(YAML(typ="safe", pure=True).load(text)) if node is not None else None
    except (YAMLError, ValueError) as error:
        raise SpecError([_syntax_fault(error, name)]) from None
    except RecursionError:
        raise SpecError([_depth_fault(name)]) from None
    file = YamlFile(name=name, data=data, marks=marks)
    if not isinstance(data, dict):
        got = "an empty file" if data is None else f"a {type(data).__name__}"
        remedy = "start with `version: 1` and `studies:`"
        raise SpecError([file.fault((), "the file is a mapping", got, remedy)])
    if huge := list(_huge_numbers(data)):
        rule = f"a whole number lies between -{MAX_NUMBER:,} and {MAX_NUMBER:,}"
        raise SpecError(
            [file.fault(path, rule, f"{n_digits} digits", "lower it") for path, n_digits in huge]
        )
    return file


def _read(path: Path) -> str:
    if not path.exists():
        raise UserError(f"{path}: no such file; name the spec with --spec, e.g. --spec sweeps.yaml")
    if path.is_dir():
        raise UserError(f"{path}: is a directory; name a YAML file with --spec")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: larger than {MAX_BYTES:,} bytes, so it is not a spec")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: not UTF-8 text (byte {error.start}); write the spec as plain YAML"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None


def _marks(root: Node) -> Iterator[tuple[YamlPath, tuple[int, int]]]:
    """Every path with the position of its key (in a list: of its item)."""
    stack: list[tuple[YamlPath, Node, Node]] = [((), root, root)]
    n_nodes = 0
    while stack:
        n_nodes += 1
        path, key, node = stack.pop()
        if n_nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise ValueError(
                f"more than {MAX_NODES:,} values, or nested more than {MAX_DEPTH} deep: is there "
                "an alias within itself?"
            )
        yield path, (key.start_mark.line + 1, key.start_mark.column + 1)
        if isinstance(node, MappingNode):
            pairs = [(k, v) for k, v in node.value if isinstance(k, ScalarNode)]
            stack += [((*path, k.value), k, v) for k, v in pairs]
        elif isinstance(node, SequenceNode):
            stack += [((*path, i), item, item) for i, item in enumerate(node.value)]


def _powers(value: Any) -> Any:
    """``value`` with every string such as '2^-10' replaced by the number."""
    if isinstance(value, dict):
        return {key: _powers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_powers(item) for item in value]
    match = POWER.match(value) if isinstance(value, str) else None
    if not match:
        return value
    if "." not in value and not match[2].startswith("-"):
        return int(match[1]) ** int(match[2])
    try:
        return float(match[1]) ** float(match[2])
    except (OverflowError, ZeroDivisionError):
        return value


def _huge_numbers(value: Any, path: YamlPath = ()) -> Iterator[tuple[YamlPath, int]]:
    """The path of every whole number beyond ``MAX_NUMBER``, with its number of digits."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    elif isinstance(value, int) and abs(value) > MAX_NUMBER:
        yield path, int(math.log10(abs(value))) + 1
    for key, item in items:
        yield from _huge_numbers(item, (*path, key))


def _depth_fault(name: str) -> SpecFault:
    return SpecFault(
        file=name,
        line=None,
        column=None,
        path="",
        rule=f"lists and mappings are nested at most {MAX_DEPTH} deep",
        got="more than a thousand levels",
        remedy="correct the file: it is no spec",
    )


def _syntax_fault(error: Exception, name: str) -> SpecFault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    is_tag = "tag" in problem or "constructor" in problem
    return SpecFault(
        file=name,
        line=mark.line + 1 if mark else None,
        column=mark.column + 1 if mark else None,
        path="",
        rule="plain data only, no YAML tags" if is_tag else "valid YAML 1.2, no duplicate keys",
        got=problem.strip().splitlines()[0],
        remedy="remove the tag" if is_tag else "correct the syntax here",
    )
