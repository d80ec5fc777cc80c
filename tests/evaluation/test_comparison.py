"""Texts judged by an alignment: the embedded base model on recordings of the demo's corpus."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.evaluation.comparison import (
    ENOUGH_CLIPS,
    OTHERS,
    Comparison,
    Judge,
    choose_others,
    compare_clip,
    measure_knowledge,
)
from lib.evaluation.intelligibility import IntelligibilityTest
from lib.evaluation.listener import AlignmentListener
from lib.vits.clips import TrainingClip
from lib.vits.score import TextScore
from tests.evaluation.conftest import BASE


def make_clip(name: str, text: str) -> TrainingClip:
    return TrainingClip(name, text, np.zeros(16_000, np.int16), np.arange(len(text)), 0)


def scored(*likelihoods: float) -> tuple[TextScore, ...]:
    frames = np.ones(1, np.float32)
    return tuple(TextScore(value, np.ones(1, np.int64), value * frames) for value in likelihoods)


def test_the_base_knows_the_language_of_the_demo(judge, demo_clips):
    assert measure_knowledge(judge, demo_clips) >= 0.9
    assert Judge.is_knowing(measure_knowledge(judge, demo_clips))


def test_exchanged_texts_tell_of_no_knowledge(judge, demo_clips):
    moved = [
        dataclasses.replace(clip, text=other.text, input_ids=other.input_ids)
        for clip, other in zip(demo_clips, [*demo_clips[7:], *demo_clips[:7]], strict=True)
    ]
    share = measure_knowledge(judge, moved)
    assert share < 0.4 and not Judge.is_knowing(share)


def test_few_clips_say_nothing(judge, demo_clips):
    assert measure_knowledge(judge, demo_clips[: ENOUGH_CLIPS - 1]) is None
    assert not Judge.is_knowing(None)


def test_the_margin_is_over_the_mean_of_the_others():
    comparison = Comparison(*scored(-1.0), scored(-3.0, -4.0, -np.inf, -5.0))
    assert comparison.usual == -4.0 and comparison.margin == 3.0
    assert comparison.own.likelihood > max(score.likelihood for score in comparison.others)
    # Each of the others against the two that remain: -3 over -4.5, -4 over -4, -5 over -3.5.
    assert comparison.chance_margins() == pytest.approx([1.5, 0.0, -1.5])


def test_a_recording_too_short_for_the_others_is_not_judged(judge, demo_clips):
    short = dataclasses.replace(
        demo_clips[0], audio=demo_clips[0].audio[: 20 * 256], input_ids=np.array([0, 5, 0])
    )
    assert compare_clip(judge, short, demo_clips[1:9]) is None


@given(st.lists(st.integers(1, 30), min_size=2, max_size=25))
def test_the_others_are_those_nearest_in_length(lengths):
    clips = [make_clip(f"{n:02d}", f"{n:02d}" + "x" * length) for n, length in enumerate(lengths)]
    for place, chosen in enumerate(choose_others(clips)):
        assert place not in chosen and len(set(chosen)) == len(chosen)
        assert len(chosen) == min(OTHERS, len(clips) - 1)
        distances = [abs(length - lengths[place]) for length in lengths]
        left_out = [d for n, d in enumerate(distances) if n not in {*chosen, place}]
        assert not left_out or max(distances[n] for n in chosen) <= min(left_out)


def test_a_text_is_never_compared_with_itself():
    clips = [make_clip(str(n), "the same" if n % 2 else f"text {n}") for n in range(12)]
    for place, chosen in enumerate(choose_others(clips)):
        texts = [clips[n].text for n in chosen]
        assert clips[place].text not in texts and len(set(texts)) == len(texts)


@pytest.fixture(scope="module")
def listener(judge, demo_clips) -> AlignmentListener:
    return AlignmentListener.fit(judge, BASE, {"spk000": 0}, demo_clips)


def test_recordings_are_understood_and_noise_is_not(listener, demo_clips):
    test = IntelligibilityTest(listener, [clip.text for clip in demo_clips])
    rng = np.random.default_rng(0)
    understood, in_noise = 0, 0
    for clip in demo_clips[:10]:
        assert test.can_test(clip.text)
        understood += test.recognises_sentence(clip.audio / 32768, clip.text, "spk000")
        noise = rng.normal(size=len(clip.audio)) * 0.1
        in_noise += listener.choose((noise * 32767).astype(np.int16), [clip.text]) is not None
    assert understood >= 9
    assert in_noise == 0, "the only candidate is the likeliest, but nothing was said"


def test_the_listener_keeps_accents_and_drops_punctuation(listener):
    assert listener.normalise("Don't stop, now!") == "don't stop now"
    assert listener.knows("stop") and not listener.knows("ж")
