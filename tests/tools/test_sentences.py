"""Invented sentences, and what the base model is trained on."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.base_model.corpus import HELD_OUT, VOICES, invent_texts
from tools.sentences import Grammar, read_grammar

LANGUAGES = ("english", "indonesian", "swahili")


@given(st.sampled_from(LANGUAGES), st.integers(0, 999), st.integers(1, 60))
def test_sentences_differ_and_come_again(language, seed, count):
    sentences = read_grammar(language).invent(count, seed)
    assert len(set(sentences)) == count
    assert sentences == read_grammar(language).invent(count, seed)
    assert not any(re.search("[<>_]", sentence) for sentence in sentences)


def test_a_pattern_is_filled_with_words_of_its_kinds():
    grammar = Grammar({"a": ["x", "two_words"], "b": ["y"]}, ["<a> or <b> or <a>"], {})
    assert set(grammar.invent(2, 0)) == {"x or y or two words", "two words or y or x"}


def test_sentences_that_are_known_are_not_invented_again():
    grammar = Grammar({"a": ["x", "y", "z"]}, ["<a>"], {})
    assert grammar.invent(1, 0, without=["x", "z"]) == ["y"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_is_there_and_used(language):
    grammar = read_grammar(language)
    used = {kind for pattern in grammar.patterns for kind in re.findall(r"<(\w+)>", pattern)}
    assert used == grammar.words.keys()
    for kind, words in grammar.words.items():
        assert len(words) == len(set(words)), kind


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_letters_are_in_a_plain_latin_vocabulary(language):
    text = " ".join(read_grammar(language).invent(500, 0))
    assert set(text) <= set(" abcdefghijklmnopqrstuvwxyz'")


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_letter_has_a_sound(language):
    grammar = read_grammar(language)
    for word in {word for text in grammar.invent(500, 0) for word in text.split()}:
        rest = re.sub("|".join(sorted(grammar.sounds, key=len, reverse=True)), "", word)
        assert rest == "", word


def test_the_longest_letters_are_said_together():
    assert read_grammar("indonesian").pronounce("menyanyi") == "M AH N Y AA N Y IY"
    assert read_grammar("swahili").pronounce("ng'ombe") == "NG AO M B EH"


def test_what_is_held_out_is_said_by_nobody():
    learnt, held_out = [], []
    for voice in VOICES:
        texts, kept = invent_texts(voice)
        assert len(texts) == voice.sentences and len(kept) == HELD_OUT
        learnt += texts
        held_out += kept
    assert len(set(learnt)) == len(learnt) and len(set(held_out)) == len(held_out)
    assert not set(learnt) & set(held_out)
    assert len({voice.language for voice in VOICES}) == 3
