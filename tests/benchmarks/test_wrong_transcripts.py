"""Transcripts are spoiled as the benchmark says."""

from collections import Counter

import pytest

from benchmarks.wrong_transcripts import KINDS, LEFT, RUN, describe, spoil

IDS = [f"clip{number:03d}" for number in range(200)]
TEXTS = [f"one two three four five {number}" for number in range(200)]


def test_each_kind_has_its_share_and_nothing_else_is_changed():
    spoiled = spoil(IDS, TEXTS, 0.05, seed=3)
    rows = {name: row for row, name in enumerate(IDS)}
    counts = Counter(spoiled.labels.values())
    assert counts == {"exchanged": 10, "truncated": 10, "shifted": 2 * RUN}
    assert set(counts) == set(KINDS)
    for name, row in rows.items():
        kind, text = spoiled.labels.get(name), spoiled.texts[row]
        if kind is None:
            assert text == TEXTS[row]
        elif kind == "shifted":
            assert text == TEXTS[row + 1]
        elif kind == "truncated":
            assert len(text.split()) == round(6 * LEFT) and text in TEXTS[row]
        else:
            assert text != TEXTS[row] and spoiled.labels[IDS[TEXTS.index(text)]] == "exchanged"
    assert spoil(IDS, TEXTS, 0.05, seed=3) == spoiled != spoil(IDS, TEXTS, 0.05, seed=4)
    assert 60 < sum(spoiled.first_half) < 140


def test_the_row_of_the_table_by_hand():
    labels = {"a": "exchanged", "b": "shifted", "c": "truncated"}
    scores = {"a": -1.0, "b": 0.2, "c": 3.0, "d": 2.0, "e": 4.0}
    row = describe("epoch 4", 0.75, scores, labels)
    assert row == ["epoch 4", "75%", "1.00", "1.00", "0.50", "0.0%", "100%", "100%", "0%"]
    assert describe("the base", 0.29, {}, labels)[1:5] == ["29%", *["not asked"] * 3]


@pytest.mark.parametrize("seed", range(5))
def test_no_row_is_wrong_in_two_ways(seed):
    spoiled = spoil(IDS, TEXTS, 0.1, seed)
    changed = sum(spoiled.texts[row] != TEXTS[row] for row in range(200))
    assert changed == len(spoiled.labels)
