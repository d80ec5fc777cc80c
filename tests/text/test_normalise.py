import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.text.normalise import hash_text, normalise_text, text_key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  two \t\n words  ", "two words"),
        ("non\u00a0breaking\u3000spaces", "non breaking spaces"),
        ("e\u0301te\u0301", "été"),
        ("zero\u200bwidth\ufeff and soft\u00adhyphen", "zerowidth and softhyphen"),
        ("bell\x07 null\x00", "bell null"),
        ("half\ud800pair", "halfpair"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("Case, and punctuation: stay!", "Case, and punctuation: stay!"),
        ("", ""),
    ],
)
def test_normalise_text(text, expected):
    assert normalise_text(text) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello, world!", "hello   world"),
        ("Straße", "STRASSE"),
        ("E\u0301TE\u0301", "été"),
        ("„Ja“ – sagte sie.", "ja sagte sie"),
        ("a+b", "a b"),
    ],
)
def test_texts_read_alike_share_a_key(one, other):
    assert text_key(one) == text_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("ọ̀ṣun", "osun"), ("two words", "twowords"), ("...", "!!!"), ("ngài", "ngai")],
)
def test_texts_read_otherwise_do_not(one, other):
    assert text_key(one) != text_key(other)


@given(st.text())
def test_normalising_is_done_once(text):
    normal = normalise_text(text)
    assert normalise_text(normal) == normal
    assert unicodedata.is_normalized("NFC", normal)
    assert normal == " ".join(normal.split())
    normal.encode("utf-8")


@given(st.text())
def test_the_key_is_that_of_the_normal_text(text):
    assert text_key(text) == text_key(normalise_text(text))
    assert bool(text_key(text)) == bool(normalise_text(text))


def test_the_hash_of_a_text_stays_what_records_have():
    """The split of every clip follows from it: `printf 'hello there' | sha256sum`."""
    assert hash_text("Hello, there!") == "12998c017066eb0d2a70b94e"
