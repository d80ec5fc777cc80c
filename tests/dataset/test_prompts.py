"""Which sentences are best recorded next."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lib.dataset.prompts import RARE, choose_prompts, count_units, find_rare

texts = st.lists(st.text("ab ", max_size=8), max_size=8)


def test_units_are_letters_pairs_and_words():
    assert count_units("aba  a") == {
        ("word", "aba"): 1,
        ("word", "a"): 1,
        ("letter", "a"): 3,
        ("letter", "b"): 1,
        ("pair", " a"): 2,
        ("pair", "ab"): 1,
        ("pair", "ba"): 1,
        ("pair", "a "): 2,
    }


def test_what_is_new_comes_before_what_is_known():
    chosen = choose_prompts(["aa aa"] * 9, {"old": "aa", "new": "xy", "longer": "xy aa"}, 3)
    assert [prompt.key for prompt in chosen] == ["new", "longer", "old"]
    # x, y, their three pairs and the word: six units seen once, for two letters and the overhead.
    assert math.isclose(chosen[0].gain, 6 * math.log(2) / (2 + 15))
    assert set(chosen[0].brings) == {
        ("letter", "x"),
        ("letter", "y"),
        ("pair", " x"),
        ("pair", "xy"),
        ("pair", "y "),
        ("word", "xy"),
    }
    assert chosen[2].brings == ()


def test_a_letter_that_cannot_be_written_yet_counts():
    plain = choose_prompts(["ab"] * 9, {"a": "ab a", "b": "ab b"}, 1)
    assert plain[0].key == "a"
    helped = choose_prompts(["ab"] * 9, {"a": "ab a", "b": "ab b"}, 1, {"b": "ð"})
    assert helped[0].key == "b"
    assert ("letter", "ð") in helped[0].brings


@given(texts, texts, st.integers(0, 9))
def test_every_choice_is_the_best_one_left(recorded, candidates, count):
    """Compare with a search over all candidates, in each round anew."""
    named = {str(number): text for number, text in enumerate(candidates)}
    chosen = choose_prompts(recorded, named, count)
    known = sum(map(count_units, recorded), Counter())
    spoken, left = set(recorded), {}
    for key, text in named.items():
        if text.strip() and text not in spoken:
            spoken.add(text)
            left[key] = text

    def gain(text: str) -> float:
        units = count_units(text).items()
        return sum(math.log((known[u] + n + 1) / (known[u] + 1)) for u, n in units) / (
            len(text) + 15
        )

    assert len(chosen) == min(count, len(left))
    for prompt in chosen:
        best = max(map(gain, left.values()))
        assert math.isclose(prompt.gain, best, rel_tol=1e-9)
        assert math.isclose(gain(left[prompt.key]), best, rel_tol=1e-9)
        known += count_units(left.pop(prompt.key))


def test_rare_units_are_those_recorded_seldom():
    recorded = ["aa"] * (RARE - 1) + ["b"]
    rare = find_rare(recorded, ("letter",))
    assert rare == [(("letter", "b"), 1)]
    assert find_rare(recorded[1:], ("word",)) == [(("word", "b"), 1), (("word", "aa"), RARE - 2)]
