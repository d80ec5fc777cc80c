from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.dataset.split import (
    TRAIN,
    VALIDATION,
    Decision,
    Utterance,
    read_decisions,
    split_texts,
    standing_splits,
    write_decisions,
)
from lib.text.normalise import hash_text


def utter(texts_by_speaker):
    return [
        Utterance(f"{speaker}_{number}", hash_text(text), speaker)
        for speaker, texts in texts_by_speaker.items()
        for number, text in enumerate(texts)
    ]


def held_out(utterances, splits):
    return Counter(u.speaker for u in utterances if splits[u.key] == VALIDATION)


SPEAKERS = st.dictionaries(
    st.sampled_from(["anna", "ben", "cleo", "dan"]),
    st.lists(st.integers(0, 60), max_size=45),
    min_size=1,
)


@pytest.mark.parametrize(
    ("clips", "expected"),
    [(1, 0), (4, 0), (5, 0), (6, 1), (9, 1), (10, 1), (14, 1), (16, 2), (100, 10), (134, 13)],
)
def test_a_tenth_of_a_speaker_is_held_out(clips, expected):
    utterances = utter({"anna": [f"text {n}" for n in range(clips)]})
    assert held_out(utterances, split_texts(utterances, 0.1, {})).total() == expected


def test_the_lowest_hashes_are_held_out():
    utterances = utter({"anna": [f"text {n}" for n in range(40)]})
    splits = split_texts(utterances, 0.1, {})
    chosen = sorted(key for key, split in splits.items() if split == VALIDATION)
    assert chosen == sorted(splits)[:4]


def test_speakers_who_read_the_same_lines_share_one_for_validation():
    lines = [f"line {n}" for n in range(10)]
    utterances = utter({"anna": lines, "ben": lines, "cleo": lines})
    splits = split_texts(utterances, 0.1, {})
    assert held_out(utterances, splits) == {"anna": 1, "ben": 1, "cleo": 1}
    assert Counter(splits.values()) == {TRAIN: 9, VALIDATION: 1}


def test_a_small_share_still_has_a_validation_clip_of_everyone():
    utterances = utter({"anna": [f"text {n}" for n in range(12)]})
    assert held_out(utterances, split_texts(utterances, 0.01, {})) == {"anna": 1}


def test_no_share_holds_nothing_out():
    utterances = utter({"anna": [f"text {n}" for n in range(50)]})
    assert set(split_texts(utterances, 0.0, {}).values()) == {TRAIN}


def test_a_speaker_of_one_text_is_kept_for_training():
    utterances = utter({"anna": ["always the same"] * 30})
    assert set(split_texts(utterances, 0.1, {}).values()) == {TRAIN}


def test_no_speaker_loses_the_only_clip_to_validation():
    lines = [f"line {n}" for n in range(6)]
    held = next(
        key for key, split in split_texts(utter({"anna": lines}), 0.1, {}).items() if split != TRAIN
    )
    shared = next(line for line in lines if hash_text(line) == held)
    others = {f"other {n}": lines for n in range(5)}
    utterances = utter(others | {"ben": [shared]})
    splits = split_texts(utterances, 0.1, {})
    assert splits[held] == TRAIN
    assert held_out(utterances, splits) == dict.fromkeys(others, 1)


def test_a_speaker_of_two_often_repeated_texts_has_a_validation_clip():
    utterances = utter({"anna": ["yes"] * 20 + ["no"] * 10})
    splits = split_texts(utterances, 0.1, {})
    assert splits == {hash_text("yes"): TRAIN, hash_text("no"): VALIDATION}


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 60)), st.floats(0.02, 0.4))
def test_counts_are_the_nearest_possible_where_every_text_is_said_once(sizes, share):
    utterances = utter({s: [f"{s} {n}" for n in range(size)] for s, size in sizes.items()})
    splits = split_texts(utterances, share, {})
    held = held_out(utterances, splits)
    for speaker, size in sizes.items():
        wanted = max(share * size, 1.0 if size >= 10 else 0.0)
        assert abs(held[speaker] - wanted) <= 0.5 + 1e-9 or size == 1


@given(SPEAKERS)
def test_equal_texts_are_on_one_side(numbers):
    spoken = {
        s: [f"Text {n}!" if n % 2 else f" text  {n}" for n in ns] for s, ns in numbers.items()
    }
    utterances = utter(spoken)
    splits = split_texts(utterances, 0.1, {})
    assert splits.keys() == {u.key for u in utterances}
    sides = {}
    for speaker, ns in numbers.items():
        for n, text in zip(ns, spoken[speaker], strict=True):
            sides.setdefault(n, set()).add(splits[hash_text(text)])
    assert all(len(side) == 1 for side in sides.values())


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(10, 40), min_size=1))
def test_every_speaker_with_ten_clips_has_one_for_validation(sizes):
    utterances = utter({s: [f"{s} {n // 2}" for n in range(size)] for s, size in sizes.items()})
    held = held_out(utterances, split_texts(utterances, 0.1, {}))
    assert all(held[speaker] >= 1 for speaker in sizes)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 80)), max_size=90), st.data())
def test_adding_audio_never_moves_a_clip(clips, data):
    utterances = [Utterance(str(i), hash_text(f"t {n}"), s) for i, (s, n) in enumerate(clips)]
    decisions, at = {}, 0
    while at < len(utterances):
        at += data.draw(st.integers(1, len(utterances) - at))
        splits = split_texts(utterances[:at], 0.1, standing_splits(decisions, 0.1))
        now = {u.clip: Decision(u.key, splits[u.key], 0.1) for u in utterances[:at]}
        assert now.items() >= decisions.items()
        decisions = now


@given(st.permutations(range(25)))
def test_the_order_of_the_clips_does_not_matter(order):
    utterances = utter({"anna": [f"text {n}" for n in range(25)]})
    shuffled = [utterances[at] for at in order]
    assert split_texts(shuffled, 0.1, {}) == split_texts(utterances, 0.1, {})


def test_a_new_speaker_has_a_validation_clip_after_old_ones_were_split():
    old = utter({"anna": [f"text {n}" for n in range(30)]})
    earlier = split_texts(old, 0.1, {})
    new = utter({"ben": [f"other {n}" for n in range(10)]})
    assert held_out(new, split_texts(old + new, 0.1, earlier)) == {"ben": 1}


def test_another_share_is_a_new_division():
    decisions = {"a": Decision("k1", TRAIN, 0.1), "b": Decision("k2", VALIDATION, 0.2)}
    assert standing_splits(decisions, 0.1) == {"k1": TRAIN}


def test_the_record_is_read_as_it_was_written(tmp_path):
    decisions = {"a": Decision("k1", TRAIN, 0.1), "b": Decision("k2", VALIDATION, 1 / 3)}
    write_decisions(tmp_path / "split.tsv", decisions)
    assert read_decisions(tmp_path / "split.tsv") == decisions
    assert read_decisions(tmp_path / "none.tsv") == {}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "nonsense\n",
        "clip\ttext\tsplit\tshare\na\tk\ttrain\n",
        "clip\ttext\tsplit\tshare\na\tk\tdev\t.1",
    ],
)
def test_a_damaged_record_is_not_read_as_an_empty_one(tmp_path, content):
    (tmp_path / "split.tsv").write_text(content)
    with pytest.raises(ValueError, match=r"split\.tsv: the record of the split is damaged"):
        read_decisions(tmp_path / "split.tsv")
