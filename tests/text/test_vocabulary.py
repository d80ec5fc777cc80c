import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.text.normalise import normalise_text
from lib.text.vocabulary import (
    POLICIES,
    audit_characters,
    lower_text,
    plan_vocabulary,
    related_characters,
)

VOCAB = {character: number for number, character in enumerate(string.ascii_lowercase + "'- ")}


def test_the_audit_counts_characters_and_clips():
    uses = audit_characters({"a": "Ab é é", "b": "bé"}, VOCAB)
    assert [(u.character, u.count, u.clips, u.known) for u in uses] == [
        ("é", 3, 2, False),
        (" ", 2, 1, True),
        ("b", 2, 2, True),
        ("a", 1, 1, True),
    ]
    assert uses[0].name == "LATIN SMALL LETTER E WITH ACUTE"


def test_new_characters_come_after_the_old_ids():
    plan = plan_vocabulary({"a": "héllo wørld"}, VOCAB, "extend")
    assert plan.vocab == VOCAB | {"é": 29, "ø": 30}
    assert plan.added == {"é": (VOCAB["e"],), "ø": (VOCAB["o"],)}
    assert plan.texts == {"a": "héllo wørld"}
    assert not plan.rejected


def test_ids_with_gaps_are_never_given_twice():
    plan = plan_vocabulary({"a": "bé"}, {"b": 0, "x": 40}, "extend")
    assert plan.vocab == {"b": 0, "x": 40, "é": 41}


def test_map_writes_the_nearest_known_character():
    texts = {"a": "Héllo", "b": "ŋa", "c": "o\u0300 a"}
    plan = plan_vocabulary(texts, VOCAB, "map")
    assert plan.texts == {"a": "hello", "c": "o a"}
    assert plan.rejected == {"b": "ŋ"}
    assert plan.replaced == {"é": "e", "ò": "o"}
    assert plan.vocab == VOCAB and not plan.added


def test_map_leaves_out_a_mark_that_has_no_composed_letter():
    plan = plan_vocabulary({"a": "ọ\u0300"}, VOCAB, "map")
    assert plan.texts == {"a": "o"}


def test_reject_names_the_offending_characters():
    plan = plan_vocabulary({"a": "ça là", "b": "plain"}, VOCAB, "reject")
    assert plan.rejected == {"a": "àç"}
    assert plan.texts == {"b": "plain"}


@pytest.mark.parametrize("policy", POLICIES)
def test_punctuation_is_left_out(policy):
    plan = plan_vocabulary({"a": "Well, yes – no. Yes!"}, VOCAB, policy)
    assert plan.texts == {"a": "well yes no yes"}
    assert plan.replaced == {",": "", "–": " ", ".": "", "!": ""}


def test_punctuation_that_the_tokenizer_knows_stays():
    assert plan_vocabulary({"a": "it's so-so."}, VOCAB).texts == {"a": "it's so-so"}


def test_a_text_of_nothing_but_punctuation_is_rejected():
    plan = plan_vocabulary({"a": "..."}, VOCAB)
    assert plan.rejected == {"a": ""} and not plan.texts


def test_composed_letters_are_taken_apart_where_the_vocabulary_has_the_parts():
    vocab = VOCAB | {"\u0301": 29}
    plan = plan_vocabulary({"a": "né"}, vocab, "extend")
    assert plan.texts == {"a": "ne\u0301"} and not plan.added


def test_the_users_mapping_comes_first_in_either_case():
    plan = plan_vocabulary({"a": "É 3"}, VOCAB, "extend", {"é": "Ae", "3": "three"})
    assert plan.texts == {"a": "ae three"} and not plan.added
    assert plan_vocabulary({"a": "é"}, VOCAB, "extend", {"É": "ae"}).texts == {"a": "ae"}


def test_a_mapping_of_more_than_one_character_is_refused():
    with pytest.raises(ValueError, match=r"text\.mapping .*'ab'"):
        plan_vocabulary({}, VOCAB, "map", {"ab": "c"})


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="extend"):
        plan_vocabulary({}, VOCAB, "drop")


@pytest.mark.parametrize(
    ("character", "expected"),
    [
        ("é", ("e",)),
        ("ß", ("s",)),
        ("ø", ("o",)),
        ("É", ("e",)),
        ("ﬁ", ("f", "i")),
        ("ŋ", ()),
        ("3", ()),
    ],
)
def test_related_characters(character, expected):
    assert related_characters(character, VOCAB) == expected


def test_capitals_in_the_vocabulary_are_not_lowered():
    assert lower_text("AbC", VOCAB | {"C": 40}) == "abC"
    assert lower_text("AbC", VOCAB, lowercase=False) == "AbC"


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=20)), st.sampled_from(POLICIES))
def test_every_clip_has_a_fate_and_no_id_moves(texts, policy):
    plan = plan_vocabulary(texts, VOCAB, policy)
    assert plan.texts.keys() | plan.rejected.keys() == texts.keys()
    assert not plan.texts.keys() & plan.rejected.keys()
    assert plan.vocab.items() >= VOCAB.items()
    assert sorted(plan.vocab.values()) == list(range(len(plan.vocab)))
    assert all(set(text) <= plan.vocab.keys() for text in plan.texts.values())
    unknown = {
        c for t in texts.values() for c in lower_text(normalise_text(t), VOCAB)
    } - VOCAB.keys()
    told = plan.added.keys() | plan.replaced.keys() | set("".join(plan.rejected.values()))
    assert unknown <= told


def test_the_real_tokenizer_drops_nothing(tmp_path):
    from transformers import VitsTokenizer

    texts = {"a": "Héllo, WØRLD – ok!", "b": "Ọ̀ṣun", "c": "İstanbul ŋ 3", "d": "x\u200by"}
    plan = plan_vocabulary(texts, VOCAB, "extend")
    (tmp_path / "vocab.json").write_text(json.dumps(plan.vocab), "utf-8")
    tokenizer = VitsTokenizer(tmp_path / "vocab.json", phonemize=False)
    for text in plan.texts.values():
        assert tokenizer.prepare_for_tokenization(text)[0] == text
        # The blank (id 0) stands between and around the characters.
        assert tokenizer(text).input_ids[1::2] == [plan.vocab[c] for c in text]


def test_the_user_says_what_a_new_letter_starts_from():
    chosen = {"ŋ": "ng", "Ə": "e"}
    plan = plan_vocabulary({"a": "ŋə þ"}, VOCAB, "extend", new_letters=chosen)
    assert plan.added["ŋ"] == (VOCAB["n"], VOCAB["g"])
    assert plan.added["ə"] == (VOCAB["e"],)
    assert plan.added["þ"] == related_ids("þ")
    with pytest.raises(ValueError, match=r"text\.new_letters: the base does not know ж"):
        plan_vocabulary({"a": "ŋ"}, VOCAB, "extend", new_letters={"ŋ": "nж"})


def related_ids(character: str) -> tuple[int, ...]:
    return tuple(VOCAB[c] for c in related_characters(character, VOCAB))


def test_ids_of_an_empty_vocabulary_begin_at_nought():
    assert plan_vocabulary({"a": "cab"}, {}).vocab == {"a": 0, "b": 1, "c": 2}
