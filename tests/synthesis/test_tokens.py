"""Our tokenizer gives what transformers' gives, without its import."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import VitsTokenizer

from lib.synthesis.tokens import CharacterTokenizer
from lib.text.frontend import TextFrontend

VOCABULARIES = {
    "padding of its own": ("_ abcdeéñ'-ț", {}),
    "a letter as padding": ("ka beéñ'", {}),
    "no lower case": ("k aAbBé", {"normalize": False}),
    "no blanks": ("_ abcé", {"add_blank": False}),
    "romanian": ("_ aţbț", {"language": "ron"}),
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    found = {}
    for name, (letters, options) in VOCABULARIES.items():
        folder = tmp_path_factory.mktemp("tokenizer")
        path = folder / "letters.json"
        path.write_text(json.dumps({letter: number for number, letter in enumerate(letters)}))
        pad = letters[0]
        made = VitsTokenizer(str(path), pad_token=pad, unk_token=pad, phonemize=False, **options)
        made.save_pretrained(folder / "saved")
        theirs = VitsTokenizer.from_pretrained(folder / "saved")
        found[name] = (theirs, CharacterTokenizer.read(folder / "saved"))
    return found


@pytest.mark.parametrize("name", VOCABULARIES)
@settings(max_examples=150)
@given(text=st.text(alphabet="_kaKAbBeéÉñÑ'- țȚţZ5.", max_size=12))
@example(text="kka k")
@example(text=" ab ")
@example(text="")
def test_ids_are_those_of_transformers(pairs, name, text):
    """Of whatever a front end writes: characters of the vocabulary."""
    theirs, ours = pairs[name]
    written, _ = TextFrontend().write(text, ours.vocabulary, ours.lowercase)
    assert ours.encode(written) == theirs(written).input_ids


def test_the_vocabulary_is_the_one_that_texts_are_written_with(pairs):
    for theirs, ours in pairs.values():
        assert ours.vocabulary == theirs.encoder
        assert (ours.lowercase, ours.add_blank) == (theirs.normalize, theirs.add_blank)


def test_unknown_characters_are_left_out():
    assert CharacterTokenizer({"_": 0, "a": 1}, specials="_").encode("a9é") == [0, 1, 0]
    assert CharacterTokenizer({"_": 0, "a": 1, " ": 2}, specials="_").encode(" a ") == [0, 1, 0]
