"""Speakers of unequal size: their shares of an epoch, and which clips come when."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.training.batching import Batches
from lib.training.checkpoint import TrainState
from lib.training.resume import Start, decide_start
from lib.training.sampling import count_visits, sample_epoch
from lib.vits.clips import TrainingClip
from tests.fixtures.training import QUICK

sizes = st.lists(st.integers(1, 300), min_size=1, max_size=6)
temperatures = st.floats(1, 50)


def test_golden_shares():
    # Square roots of 100 and 10,000 are as 1 to 10.
    assert count_visits([100, 10_000], 2, 99) == [918, 9182]
    assert count_visits([100, 10_000], 1, 99) == [100, 10_000]
    # Nearly equal, but a clip comes four times at most; the third takes what is left.
    assert count_visits([10, 60, 230], 1e9, 4) == [40, 130, 130]
    assert count_visits([10, 60, 230], 1e9, 1) == [10, 60, 230]
    assert count_visits([7], 3, 2) == [7]


@given(sizes, temperatures, st.integers(1, 6))
def test_an_epoch_is_as_long_as_before_and_small_speakers_gain(clips, temperature, most):
    visits = count_visits(clips, temperature, most)
    assert sum(visits) == sum(clips)
    assert all(1 <= count <= own * most for count, own in zip(visits, clips, strict=True))
    smallest, largest = clips.index(min(clips)), clips.index(max(clips))
    assert visits[smallest] >= clips[smallest] or len(clips) == 1
    assert visits[largest] <= clips[largest]
    # A larger speaker is never trained less than a smaller one.
    in_order = [count for _, count in sorted(zip(clips, visits, strict=True))]
    assert all(one <= other + 1 for one, other in zip(in_order, in_order[1:], strict=False))


@given(sizes, temperatures, st.integers(1, 6), st.integers(0, 99), st.integers(1, 5))
def test_clips_of_a_speaker_come_equally_often(clips, temperature, most, seed, epochs):
    speakers = [number for number, count in enumerate(clips) for _ in range(count)]
    total = Counter()
    for epoch in range(epochs):
        chosen = sample_epoch(speakers, temperature, most, seed, epoch)
        assert len(chosen) == len(speakers)
        counts = Counter(chosen.tolist())
        assert max(counts.values()) <= most
        for speaker in set(speakers):
            of_speaker = [counts[i] for i, s in enumerate(speakers) if s == speaker]
            assert max(of_speaker) - min(of_speaker) <= 1
        total += counts
    for speaker in set(speakers):
        of_speaker = [total[i] for i, s in enumerate(speakers) if s == speaker]
        assert max(of_speaker) - min(of_speaker) <= 1


def test_temperature_one_takes_every_clip_once():
    assert sample_epoch([0, 0, 3], 1.0, 4, 5, 7).tolist() == [0, 1, 2]


def make_clips() -> list[TrainingClip]:
    audio = np.zeros(4096, dtype=np.int16)
    ids = np.ones(3, dtype=np.int64)
    return [TrainingClip(str(n), "", audio, ids, int(n >= 20)) for n in range(22)]


@pytest.mark.parametrize(("temperature", "small"), [(1.0, 2), (1e9, 8)])
def test_a_training_takes_its_batches_from_the_sample(temperature, small):
    settings = dataclasses.replace(QUICK, speaker_temperature=temperature)
    state = TrainState(micro_batch_clips=4)
    batches = Batches(make_clips(), settings, state)
    taken = Counter()
    for state.batch in range(batches.steps_per_epoch):
        taken.update(clip.speaker for part in batches.current() for clip in part)
    assert taken == {0: 22 - small, 1: small}


def test_another_temperature_asks_for_a_new_start_and_an_old_checkpoint_goes_on():
    settings = QUICK.as_dict()
    signature = dict.fromkeys(
        ("base_model", "discriminator", "dataset", "speakers", "vocabulary", "letters"), {}
    )
    signature |= {"settings": settings, "speaker_starts": {}, "code": []}

    def start(**changes):
        earlier = {k: v for k, v in settings.items() if k != "speaker_temperature"} | changes
        found = type("Found", (), {"signature": signature | {"settings": earlier}})
        return decide_start(found, signature, QUICK)

    assert start() == start(speaker_temperature=1.0) == Start.RESUME
    assert start(speaker_temperature=2.0) == Start.FRESH
