"""Which letters a voice speaks badly, as other weights hear it."""

import numpy as np
import pytest

from lib.evaluation.listener import FEWEST_TIMES, AlignmentListener
from lib.text.frontend import TextFrontend

from .conftest import BASE


@pytest.fixture(scope="module")
def listener(judge) -> AlignmentListener:
    return AlignmentListener(judge, TextFrontend.read(BASE), {}, -np.inf)


def test_a_letter_that_is_spoken_as_another_is_the_worst(listener, demo_clips):
    """Recordings stand in for the speech of a voice; what it says for m is silence."""
    spoken = []
    for clip in demo_clips:
        speech = clip.audio.copy()
        written = listener.normalise(clip.text)
        latents = listener.judge.encode(clip.audio, 0)
        (score,) = listener.judge.score(latents, [listener.judge.tokenizer(written).input_ids])
        ends = np.cumsum(score.durations)
        letters = listener._letters(written)
        for place, letter in enumerate(letters):
            if letter == "m":
                token = 2 * place + 1
                begin, end = (256 * (ends[token] - score.durations[token]), 256 * ends[token])
                speech[begin:end] //= 50
        spoken.append((clip.text, "spk000", speech, clip.audio))
    worst, *others = listener.rate_letters(spoken)
    assert worst.letter == "m" and worst.deviations > 3 and worst.difference > 0
    assert all(rating.times >= FEWEST_TIMES for rating in (worst, *others))
    # Beside it the blank before each letter is heard, and the letters next to an m.
    assert sum(rating.deviations >= 3 for rating in others) <= 2


def test_the_recordings_themselves_have_no_bad_letter(listener, demo_clips):
    spoken = [(clip.text, "spk000", clip.audio, clip.audio) for clip in demo_clips[:20]]
    ratings = listener.rate_letters(spoken)
    assert len(ratings) > 10
    assert all(rating.difference == rating.deviations == 0 for rating in ratings)


def test_speech_that_is_too_short_for_its_text_says_nothing(listener, demo_clips):
    clip = demo_clips[0]
    assert listener.rate_letters([(clip.text, "s", clip.audio[:512], clip.audio)]) == []
    assert listener.rate_letters([]) == []
