"""The words of a caption, in any script.

Words are runs of letters and digits. Scripts that put no spaces between words (Chinese, Japanese,
Thai, …) and letters with combining marks (Hindi, vowelled Arabic, …) are cut by ICU's word breaker
(Unicode Standard Annex 29, with ICU's dictionaries), which the extra `text` brings.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from mutransfer.proxies.errors import DataError, Fault, first_few

WORD = re.compile(r"\w+(?:['’]\w+)*")
_UNSPACED = frozenset({"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"})
# They choose between text and emoji, and are no part of a word.
_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))


def words(caption: str) -> list[str]:
    """Return the words of a caption in lower case, without punctuation.

    Raises:
        DataError: ICU is needed and not installed.
    """
    text = unicodedata.normalize("NFC", caption).lower()
    return _icu_words(text) if needs_icu(text) else WORD.findall(text)


def needs_icu(text: str) -> bool:
    """Return whether words cannot be told by runs of letters and digits."""
    return not text.isascii() and any(map(_is_complex, set(text)))


def recipe(captions: Sequence[str]) -> str:
    """Return a name of how the words are found; empty where all are runs of letters and digits."""
    if any(map(needs_icu, captions)):
        return f", ICU {_icu_version()}"
    is_nfc = all(unicodedata.is_normalized("NFC", caption) for caption in captions)
    return "" if is_nfc else ", NFC"


@lru_cache(maxsize=1 << 16)
def _is_complex(letter: str) -> bool:
    if letter.isascii() or letter in _SELECTORS:
        return False
    if unicodedata.category(letter) in ("Mn", "Mc"):
        return True
    return letter.isalpha() and unicodedata.name(letter, "").split(" ")[0] in _UNSPACED


def _icu_words(text: str) -> list[str]:
    try:
        from icu4py.breakers import WordBreaker
    except ImportError:
        rule = "captions in scripts without spaces, or with combining marks, need ICU"
        remedy = "pip install 'mutransfer[text]', or give `embeddings:` of your own"
        got = f"icu4py is not installed, for a caption such as {first_few([text])!r}"
        raise DataError([Fault(("data",), rule, got, remedy)]) from None
    return [piece for piece in WordBreaker(text, "und") if any(map(str.isalnum, piece))]


def _icu_version() -> str:
    import icu4py

    return str(icu4py.icu_version)
