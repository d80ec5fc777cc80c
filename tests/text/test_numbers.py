"""Numbers in words, in training as in speech."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.text.frontend import TextFrontend
from lib.text.numbers import LANGUAGES, NumberWriter


def write(text: str, language: str = "eng", **words: str) -> str:
    return NumberWriter(language, True, words).write(text)


@pytest.mark.parametrize(
    ("text", "language", "written"),
    [
        ("I have 21 cats.", "eng", "I have twenty-one cats."),
        ("(7) or 0, 100!", "eng", "(seven) or zero, one hundred!"),
        ("3.5 and 3,25", "eng", "three point five and three point two five"),
        ("Ich habe 21 Katzen", "deu", "Ich habe einundzwanzig Katzen"),
        ("J'ai 80 chats", "fr", "J'ai quatre-vingts chats"),
        ("am 5. Mai", "deu", "am 5. Mai"),
        ("es waren 5.", "deu", "es waren fünf."),
        ("I have 5. You?", "eng", "I have five. You?"),
    ],
)
def test_numbers_of_one_reading(text, language, written):
    assert write(text, language) == written


@pytest.mark.parametrize(
    "text",
    ["1,000 1.000", "10:30", "12.05.2024", "007", "1st", "$5", "5-6", "-5", "a4", "1/2", "2²"],
)
def test_what_may_be_read_in_many_ways_stays(text):
    assert write(text) == text


@pytest.mark.parametrize("language", ["und", "hak", "xyz", ""])
def test_a_language_that_the_library_does_not_know_stays(language):
    assert write("I have 5", language) == "I have 5"


def test_the_users_table_comes_first_and_needs_no_library():
    writer = NumberWriter("hak", False, {"5": "ńg", "1st": "first", "10:30": "half past ten"})
    assert writer.write("5 (5), 1st! at 10:30. 55 6") == ("ńg (ńg), first! at half past ten. 55 6")
    assert NumberWriter("eng", True, {"5": "fiver"}).write("5 6") == "fiver six"


def test_without_being_asked_nothing_is_written():
    assert NumberWriter("eng").write("5") == "5"


@pytest.mark.parametrize("code", sorted(set(LANGUAGES)))
def test_every_language_of_the_table_is_known_to_the_library(code):
    from num2words import CONVERTER_CLASSES

    assert LANGUAGES[code] in CONVERTER_CLASSES
    assert not any(c.isdigit() for c in write("a 21 b", code))


@given(st.text(st.sampled_from("0123456789., -:ab"), max_size=15), st.sampled_from(["eng", "deu"]))
def test_only_digits_are_written_otherwise(text, language):
    written = write(text, language)
    assert len(written.split(" ")) >= len(text.split(" "))
    assert not any(c.isdigit() for c in text) or written
    if not any(c.isdigit() for c in text):
        assert written == text


def test_they_travel_with_the_voice(tmp_path):
    text = {"mapping": {"6": "sechs"}, "han_to_pinyin": False}
    text |= {"write_numbers": True, "number_words": {"5.": "fünfter"}}
    frontend = TextFrontend.from_config(text, "deu", romanised=False)
    frontend.save(tmp_path)
    assert TextFrontend.read(tmp_path) == frontend
    vocab = {c: n for n, c in enumerate("abcdefghijklmnopqrstuvwxyzü ")}
    assert frontend.write("am 5. Mai 21", vocab, True) == ("am fünfter mai einundzwanzig", "")
    romanised = TextFrontend(romanised=True, language="rus", write_numbers=True)
    assert romanised.transliterate({"a": "5"}) == {"a": "pyat"}
