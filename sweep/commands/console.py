"""The console of all commands: text is shown as it is, whatever wrote it.

Names, errors of trials, and cells of tables come from data, trainers and strangers. So brackets are
no markup, and no escape sequence or control character of such a text reaches the terminal. Every
command prints here; a test finds any that does not.
"""

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# ECMA-48: CSI sequences; the strings OSC, DCS, SOS, PM and APC to their end; other sequences.
ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1b[ -/]*[0-~]"
)
# Control characters but tab and newline; those that reorder text or hide in it; lone surrogates,
# which no encoding of a terminal has.
CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def printable(text: str) -> str:
    """The text without escape sequences and control characters."""
    return CONTROLS.sub("", ESCAPES.sub("", text))


class PlainConsole(Console):
    """A console whose texts have no markup, no emoji codes and no control characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of anything that is printed; only the console's own have control codes."""
        for segment in super().render(renderable, options):
            is_ours = segment.control is not None
            yield segment if is_ours else segment._replace(text=printable(segment.text))
