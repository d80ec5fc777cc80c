"""The table of tokens says what the text front end does letter by letter."""

import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.packs.aliases import find_aliases
from lib.packs.sherpa import describe_text, list_tokens, write_sherpa_pack, write_tokens
from lib.synthesis.sound import Sound
from lib.synthesis.synthesizer import Synthesizer
from lib.synthesis.tokens import CharacterTokenizer
from lib.text.frontend import TextFrontend

from .sherpa import load_pack, speak

LETTERS = {c: n for n, c in enumerate("_ abcdefghijklmnopqrstuvwxyz'-éñ")}
PLAIN = CharacterTokenizer(LETTERS, specials="_")
# As in MMS vocabularies: the letter with id 0 is the blank too.
MMS = CharacterTokenizer({c: n for n, c in enumerate("ka beçīǔ'—")}, specials="k")


def test_capitals_accents_and_marks_become_aliases():
    aliases = find_aliases(TextFrontend(), PLAIN)
    wanted = {"A": "a", "É": "é", "è": "e", "Ａ": "a", "’": "'", "\u2010": "-", "\u00a0": " "}
    assert {key: aliases.get(key) for key in wanted} == wanted


@pytest.mark.parametrize("character", ["a", "æ", "ß", "5", ".", "—", "漢", "_"])
def test_what_is_no_single_letter_of_its_own_is_no_alias(character):
    """A dash is a hyphen within words alone; punctuation and digits are left out anyway."""
    assert character not in find_aliases(TextFrontend(), PLAIN)


def test_the_letter_that_is_the_blank_has_its_capital():
    assert find_aliases(TextFrontend(), MMS)["K"] == "k"


def test_the_user_s_replacements_are_aliases_where_they_are_single_letters():
    aliases = find_aliases(TextFrontend({"ŋ": "n", "&": " and ", "ø": "oe"}), PLAIN)
    assert aliases["ŋ"] == "n"
    assert "&" not in aliases and "ø" not in aliases


def test_a_script_that_is_romanised_has_no_aliases_of_its_own():
    aliases = find_aliases(TextFrontend(romanised=True), PLAIN)
    assert aliases.keys() >= set("ABCÉÑ")
    assert all(c.isupper() for c in aliases)


@cache
def tokens_of(language: str) -> tuple[TextFrontend, CharacterTokenizer, dict[str, int]]:
    frontend, tokenizer = TextFrontend(language=language), PLAIN
    return frontend, tokenizer, list_tokens(tokenizer, frontend)


@settings(max_examples=150)
@given(st.data(), st.sampled_from(["", "eng", "tur"]))
def test_letter_by_letter_gives_the_tokens_of_the_front_end(data, language):
    frontend, tokenizer, tokens = tokens_of(language)
    characters = [c for c in tokens if tokens[c] > 1]
    text = "".join(data.draw(st.lists(st.sampled_from(characters), min_size=1, max_size=12)))
    written, _ = frontend.write(text, tokenizer.vocabulary, tokenizer.lowercase)
    ids = [0]
    for character in text:
        ids += [tokens[character], 0]
    # Composition of neighbours (a letter before its mark) is not letter by letter.
    assert tokenizer.encode(written) == ids or len(written) != len(text)


def test_every_line_is_a_character_and_its_id_and_none_is_repeated(speakers, tmp_path):
    write_sherpa_pack(speakers.exported, tmp_path)
    lines = (tmp_path / "tokens.txt").read_text("utf-8").removesuffix("\n").split("\n")
    characters = [line[0] for line in lines]
    assert len(set(characters)) == len(characters) > 500
    assert all(line[1] == " " and line[2:].isdigit() for line in lines)
    vocabulary = json.loads((speakers.exported / "vocab.json").read_text("utf-8"))
    assert dict(zip(characters, (int(line[2:]) for line in lines), strict=True)).items() >= (
        vocabulary.items()
    )
    assert write_tokens({"a": 1, " ": 2}) == "a 1\n  2\n"


@pytest.mark.parametrize("text", ["The Café’s RÊVE", "hello\u00a0you", "ＡＢＣ déjà vu"])
def test_sherpa_says_capitals_accents_and_marks_as_we_do(speakers, tmp_path, text):
    write_sherpa_pack(speakers.exported, tmp_path)
    model = Synthesizer(speakers.model)
    expected = model.model.generate(model.encode(text), 2, Sound(noise=0.0))
    got = speak(load_pack(tmp_path), text, 2)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=2e-5)


@pytest.mark.parametrize(
    ("frontend", "tokenizer", "said"),
    [
        (TextFrontend(write_numbers=True), PLAIN, "Numbers have to be written as words"),
        (TextFrontend(number_words={"1st": "first"}), PLAIN, "1st as first"),
        (TextFrontend({"&": " and "}), PLAIN, "& as ' and '"),
        (TextFrontend(romanised=True), PLAIN, "romanised with `uroman`"),
        (TextFrontend(han_to_pinyin=True), PLAIN, "pinyin with tone marks"),
        (TextFrontend(), PLAIN, "ß as ss"),
        (TextFrontend(), PLAIN, "single characters (Unicode NFC), as é is"),
        (TextFrontend(), MMS, "The letter k is also the blank"),
    ],
)
def test_what_has_to_be_done_with_a_text_is_said(frontend, tokenizer, said):
    assert said in " ".join(describe_text(tokenizer, frontend))


def test_nothing_is_said_of_a_plain_voice():
    plain = CharacterTokenizer({c: n for n, c in enumerate("_ab")}, specials="_")
    assert list(describe_text(plain, TextFrontend())) == []
