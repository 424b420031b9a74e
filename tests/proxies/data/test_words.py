"""The words of captions in many scripts."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutransfer.proxies.config.data import OpenmojiConfig
from mutransfer.proxies.data.captions import encode
from mutransfer.proxies.data.words import needs_icu, recipe, words
from mutransfer.proxies.errors import DataError

SENTENCES = {
    "一只红色的猫坐在椅子上。": ["一只", "红色", "的", "猫", "坐在", "椅子", "上"],
    "赤い猫が椅子に座っている": ["赤い", "猫", "が", "椅子", "に", "座", "って", "いる"],
    "แมวสีแดงนั่งบนเก้าอี้": ["แมว", "สี", "แดง", "นั่ง", "บน", "เก้าอี้"],
    "लाल बिल्ली, कुर्सी पर": ["लाल", "बिल्ली", "कुर्सी", "पर"],
    "Кот на стуле": ["кот", "на", "стуле"],
    "빨간 고양이": ["빨간", "고양이"],
}


def test_words_are_lower_case_without_punctuation():
    assert words("Person's T-shirt, 5 (Blue)!") == ["person's", "t", "shirt", "5", "blue"]
    assert words("1990's 3.5 ❤️ a_b") == ["1990's", "3", "5", "a_b"]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_words_are_those_that_a_reader_sees(sentence):
    assert words(sentence) == SENTENCES[sentence]


@pytest.mark.parametrize("sentence", [*SENTENCES, "café Straße", "Cafe\u0301s é"])
def test_the_form_of_unicode_is_no_difference(sentence):
    decomposed = unicodedata.normalize("NFD", sentence)
    assert words(decomposed) == words(unicodedata.normalize("NFC", sentence))


@given(st.text(st.characters(max_codepoint=0x24F, exclude_categories=("Cs",))))
def test_words_of_latin_letters_are_runs_of_letters_and_digits(text):
    assert not needs_icu(text) and recipe([text]) in ("", ", NFC")
    composed = unicodedata.normalize("NFC", text).lower()
    if not any(unicodedata.combining(letter) for letter in composed):
        assert words(text) == re.findall(r"\w+(?:['’]\w+)*", composed)


def test_captions_of_other_scripts_have_a_fingerprint_with_the_version_of_icu():
    assert recipe(["a red cat"]) == recipe(["ein roter Käfer"]) == ""
    assert recipe(["a red cat", "红色的猫"]).startswith(", ICU ")


def test_without_icu_such_captions_are_a_fault_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "icu4py.breakers", None)
    encode(["a red cat", "a blue cat"], OpenmojiConfig())  # the control
    with pytest.raises(DataError, match=r"mutransfer\[text\]"):
        encode(["a red cat", "红色的猫"], OpenmojiConfig())
