"""Which pairs are heard: balanced, blind, and steered by the votes that there are."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.preference.trials import TRIALS, find_contenders, plan_trials, read_spoken, write_spoken
from lib.preference.vote_file import Vote

CLIPS = [f"clip{n}" for n in range(20)]
EPOCHS = {f"epoch{n:04d}-abcd": n for n in (25, 50, 75, 100, 125, 150, 175, 200)}


def cast(winner: str, loser: str, number: int) -> list[Vote]:
    return [Vote("x", CLIPS[n % 20], winner, loser, "a") for n in range(number)]


@settings(max_examples=30)
@given(st.integers(2, 8), st.integers(1, 20), st.integers(1, 60))
def test_everything_comes_as_often_as_everything_else(items, sentences, count):
    epochs = dict(list(EPOCHS.items())[:items])
    trials = plan_trials(epochs, CLIPS[:sentences], [], count)
    pairs = items * (items - 1) // 2
    assert len(trials) == min(count, pairs * sentences)
    assert len({(t.clip, *sorted((t.a, t.b))) for t in trials}) == len(trials)
    by_pair = Counter(frozenset((t.a, t.b)) for t in trials)
    assert max(by_pair.values()) - min(by_pair.values() if len(by_pair) == pairs else [0]) <= 1
    for name in epochs:
        first, second = (sum(getattr(t, side) == name for t in trials) for side in "ab")
        assert abs(first - second) <= 2
    by_clip = Counter(t.clip for t in trials)
    assert max(by_clip.values()) - min(by_clip.get(c, 0) for c in CLIPS[:sentences]) <= pairs


def test_a_page_has_so_many_trials_of_eight_checkpoints():
    trials = plan_trials(EPOCHS, CLIPS, [])
    assert len(trials) == TRIALS
    load = Counter(name for t in trials for name in (t.a, t.b))
    assert set(load) == set(EPOCHS) and max(load.values()) - min(load.values()) <= 2
    assert max(Counter(t.clip for t in trials).values()) == 2
    assert plan_trials(EPOCHS, CLIPS, []) == trials
    # The first of a pair is not always the earlier one, and pairs do not come in order.
    assert 10 < sum(t.a < t.b for t in trials) < 30
    assert [t.clip for t in trials] != sorted(t.clip for t in trials)


def test_pairs_with_fewer_votes_come_next():
    epochs = dict(list(EPOCHS.items())[:3])
    one, two, three = epochs
    votes = [*cast(one, two, 4), *[Vote("x", c, two, one, "a") for c in CLIPS[4:8]]]
    pairs = Counter(frozenset((t.a, t.b)) for t in plan_trials(epochs, CLIPS, votes, 8))
    assert pairs == {frozenset((one, three)): 4, frozenset((two, three)): 4}


def test_checkpoints_that_are_hardly_the_best_are_not_asked_about():
    one, two, three = (list(EPOCHS)[n] for n in range(3))
    epochs = {name: EPOCHS[name] for name in (one, two, three)}
    votes = [*cast(one, three, 20), *cast(two, three, 20)]
    assert find_contenders(epochs, votes) == [one, two]
    assert {n for t in plan_trials(epochs, CLIPS, votes) for n in (t.a, t.b)} == {one, two}
    # Two stay, however sure the votes are.
    assert find_contenders(epochs, [*votes, *cast(one, two, 20)])[0] == one
    assert len(find_contenders(epochs, [*votes, *cast(one, two, 20)])) == 2
    assert find_contenders(epochs, []) == [one, two, three]


def test_votes_of_other_weights_change_nothing():
    other = [Vote("x", "clip0", "epoch0025-other", "epoch0050-other", "a")] * 9
    assert plan_trials(EPOCHS, CLIPS, other) == plan_trials(EPOCHS, CLIPS, [])


def test_what_was_spoken_is_read_again(tmp_path):
    texts, epochs = {"c1": "one\ttwo", "c2": "é"}, {"epoch0001-aa": 1}
    write_spoken(tmp_path, texts, epochs)
    assert read_spoken(tmp_path) == (texts, epochs)
    (tmp_path / "checkpoints.tsv").write_text("other\n")
    with pytest.raises(ValueError, match="checkpoints.tsv"):
        read_spoken(tmp_path)
