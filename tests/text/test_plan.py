"""What is trained of every transcript, settled by the letters that the base knows."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import VitsTokenizer

from lib.base_model.tiny import write_tiny_model
from lib.text.frontend import TextFrontend
from lib.text.plan import plan_text
from lib.text.planned import read_new_letters, read_planned_texts

POLICY = {"unknown_characters": "extend", "mapping": {}, "new_letters": {}, "han_to_pinyin": False}
TRANSCRIPTS = {"clip00": "hello there", "clip01": "Déjà vu, ŋ!", "clip02": "... !"}


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    write_tiny_model(folder)
    return folder


@pytest.fixture
def plan(base, tmp_path):
    """Plan transcripts, and return the folder."""

    def run(transcripts=TRANSCRIPTS, language="eng", **policy):
        plan_text(transcripts, base, {**POLICY, **policy}, language, tmp_path / "text")
        return tmp_path / "text"

    return run


def test_texts_hold_characters_that_the_tokenizer_knows(plan):
    folder = plan()
    texts = read_planned_texts(folder)
    tokenizer = VitsTokenizer.from_pretrained(folder)
    assert texts["clip00"].text == "hello there"
    assert texts["clip01"].text == "déjà vu ŋ"
    assert set(texts["clip01"].text) <= tokenizer.get_vocab().keys()
    assert {clip: text.tokens for clip, text in texts.items()} == {
        "clip00": 2 * 11 + 1,
        "clip01": 2 * 9 + 1,
        "clip02": 0,
    }


def test_a_transcript_without_a_letter_says_so(plan):
    found = read_planned_texts(plan())["clip02"]
    assert (found.reason, found.detail) == (
        "missing_text",
        "the transcript '... !' has no letter or digit",
    )


def test_new_letters_come_after_the_known_and_name_what_they_start_from(plan, base):
    folder = plan(new_letters={"ŋ": "ng"})
    old = VitsTokenizer.from_pretrained(base).get_vocab()
    new = VitsTokenizer.from_pretrained(folder).get_vocab()
    letters = read_new_letters(folder)
    assert list(letters) == ["à", "é", "ŋ"]
    assert [new[letter] for letter in letters] == [len(old), len(old) + 1, len(old) + 2]
    assert letters["ŋ"] == ["n", "g"] and letters["é"] == ["e"]
    assert new.items() >= old.items()


def test_policy_reject_names_the_characters(plan):
    found = read_planned_texts(plan(unknown_characters="reject"))
    assert found["clip01"].reason == "unknown_characters"
    assert found["clip01"].detail == "characters that the base does not know: à é ŋ"
    assert found["clip00"].text and not found["clip01"].text


def test_the_table_of_characters_tells_what_becomes_of_each(plan):
    with (plan() / "vocabulary.tsv").open(encoding="utf-8") as file:
        told = {row["character"]: row["status"] for row in csv.DictReader(file, delimiter="\t")}
    assert {told[c] for c in "éàŋ"} == {"added"}
    assert told[","] == "left out" and told["h"] == "known"


def test_the_user_s_replacements_and_han_as_pinyin(plan):
    folder = plan({"a": "你好 ŋ 0", "b": "世界"}, "", mapping={"0": "ling"}, han_to_pinyin=True)
    texts = {clip: found.text for clip, found in read_planned_texts(folder).items()}
    assert texts == {"a": "nǐ hǎo ŋ ling", "b": "shì jiè"}
    assert TextFrontend.read(folder) == TextFrontend({"0": "ling"}, han_to_pinyin=True)


def test_symbols_that_nobody_said_how_to_read(plan):
    transcripts = {"a": "5 of 21 & 3%", "b": "plain"}
    found = read_planned_texts(plan(transcripts, write_numbers=True, mapping={"&": "and"}))
    assert {clip: text.non_verbalised for clip, text in found.items()} == {"a": "3%", "b": ""}


def test_planning_again_gives_the_same_bytes(base, tmp_path):
    for name in ("one", "two"):
        plan_text(TRANSCRIPTS, base, POLICY, "eng", tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / path.name).read_bytes() == path.read_bytes(), path.name


@settings(max_examples=25)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_every_transcript_has_a_text_or_a_reason(base, tmp_path_factory, transcripts):
    folder = tmp_path_factory.mktemp("plan") / "text"
    given_texts = {f"clip{n}": text for n, text in enumerate(transcripts)}
    plan_text(given_texts, base, POLICY, "", folder)
    found = read_planned_texts(folder)
    tokenizer = VitsTokenizer.from_pretrained(folder)
    assert found.keys() == given_texts.keys()
    for planned in found.values():
        assert bool(planned.text) != bool(planned.reason)
        tokens = tokenizer(planned.text).input_ids if planned.text else []
        assert planned.tokens == len(tokens)
        assert set(planned.text) <= tokenizer.get_vocab().keys()
