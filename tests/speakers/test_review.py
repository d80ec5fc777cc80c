"""How sure an assignment is, and what is suggested for review."""

import numpy as np
import pytest
import yaml

from lib.speakers.review import find_review_suggestions, rate_confidence


def test_confidence_by_hand():
    vectors = np.zeros((5, 256))
    vectors[0, 0] = vectors[1, 0] = 1.0
    vectors[2, :2] = 0.6, 0.8
    vectors[3, 1] = 1.0
    vectors[4, :2] = 0.8, 0.6
    speakers = ["a", "a", "a", "b", "b"]
    certain = np.array([False, False, False, False, True])
    # Clip 0: the others of a have the direction (1.6, 0.8); b has (0.8, 1.6): both as by hand.
    own = 1.6 / np.hypot(1.6, 0.8)
    other = max(0.8 / np.hypot(0.8, 1.6), 0.6)
    found = rate_confidence(vectors, speakers, certain)
    assert found[0] == pytest.approx(min((own - other) / 0.15, 1))
    # Clip 2 is nearer to b: (0.6, 0.8) with (0.8, 1.6) has 0.98, with its own (1, 0) 0.6.
    assert found[2] == 0.0
    # Clip 3 with its own (0.8, 0.6) has 0.6, with a's (2.6, 0.8) 0.29: as near as two people.
    assert found[3] == pytest.approx(0.0)
    assert found[4] == 1.0


def test_full_confidence_is_one():
    vectors = np.repeat(np.eye(256)[:2], 5, axis=0)
    found = rate_confidence(vectors, ["a"] * 5 + ["b"] * 5, np.zeros(10, bool))
    assert found.tolist() == [1.0] * 10


@pytest.mark.parametrize(("outliers", "suggested"), [(2, False), (3, False), (7, False), (8, True)])
def test_outlier_clips_are_no_second_speaker(outliers, suggested):
    """Less than a fifth of a speaker's clips, or less than three, are outlier clips."""
    clips = [f"c{number}" for number in range(40)]
    clusters = np.array([1] * outliers + [0] * (40 - outliers))
    suggestions = find_review_suggestions(clips, ["spk000"] * 40, clusters, 3)
    assert [suggestion.reason for suggestion in suggestions] == ["several_speakers"] * suggested
    few = find_review_suggestions(
        clips[:outliers], ["spk000"] * outliers, np.arange(outliers) % 2, 3
    )
    assert bool(few) == (outliers // 2 >= 3)


def test_lines_hold_clips_that_look_like_numbers_as_texts():
    clips = ["007", "no", "1e3", "null", *(f"c{number}" for number in range(5))]
    clusters = np.array([1] * 4 + [0] * 5)
    (suggestion,) = find_review_suggestions(clips, ["spk000"] * 9, clusters, 3)
    assert yaml.safe_load(suggestion.lines) == {"split": {"spk000-b": clips[:4]}}
