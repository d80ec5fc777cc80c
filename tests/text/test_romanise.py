"""Latin script, as `VitsTokenizer` makes it with the uroman package."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.text.romanise import romanise

KNOWN = {
    "greek": ("Καλημέρα κόσμε", "Kalemera kosme"),
    "russian": ("Привет, мир", "Privet, mir"),
    "hindi": ("नमस्ते", "namaste"),
    "korean": ("안녕", "annyeong"),
    "chinese": ("你好", "nihao"),
    "accents": ("café", "cafe"),
}


def test_known_words():
    texts = {name: text for name, (text, _) in KNOWN.items()}
    assert romanise(texts) == {name: latin for name, (_, latin) in KNOWN.items()}


def test_ascii_stays_as_it_is():
    texts = {"a": "It's 5 o'clock - REALLY?", "b": "", "c": "two  spaces"}
    assert romanise(texts) == texts


def test_ascii_alone_does_not_load_the_tables(monkeypatch):
    def fail():
        raise AssertionError("the tables were loaded")

    monkeypatch.setattr("lib.text.romanise._tables", fail)
    assert romanise({"a": "plain"}) == {"a": "plain"}


def test_the_tables_are_loaded_once(monkeypatch):
    """Loading takes seconds, a text milliseconds."""
    romanise({"a": "мир"})
    monkeypatch.setattr("uroman.Uroman", lambda: pytest.fail("loaded again"))
    assert len(romanise({str(number): f"мир {number}" for number in range(100)})) == 100


def test_equal_to_the_tokenizer_s_own(tmp_path):
    """A voice trained on our texts gets from plain transformers what it was trained on."""
    from transformers import VitsTokenizer

    vocab = {character: n for n, character in enumerate("_ abcdefghijklmnopqrstuvwxyz',-")}
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    tokenizer = VitsTokenizer(
        tmp_path / "vocab.json", is_uroman=True, phonemize=False, pad_token="_", unk_token="_"
    )
    # One text: the tokenizer loads its tables for every one, which takes seconds.
    text = ", ".join(text for text, _ in KNOWN.values())
    ours = romanise({"a": text})["a"]
    ids = tokenizer(text).input_ids
    assert tokenizer(ours).input_ids == ids
    assert len(ids) == 2 * len(ours) + 1


@given(st.dictionaries(st.text(max_size=3), st.text(alphabet="aбγ나你 ", max_size=8)))
def test_no_text_is_lost_and_all_is_latin(texts):
    latin = romanise(texts)
    assert latin.keys() == texts.keys()
    assert all(text.isascii() for text in latin.values())
    assert all(bool(latin[key].strip()) == bool(texts[key].strip()) for key in texts)


@pytest.mark.parametrize("text", ["мир", "plain"])
def test_romanising_twice_changes_nothing(text):
    once = romanise({"a": text})
    assert romanise(once) == once
