"""Tops that were cut off are counted; loud, quiet and coarse recordings have none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.audio.decode import decode
from lib.audio.loudness import count_clipped
from tests.audio.encoding import encode, speechlike, wav

RATE = 16_000


def voiced(level: float, rate: int = RATE) -> np.ndarray:
    """Glottal pulses through a resonance, at a level that varies: peaks of all heights."""
    times = np.arange(3 * rate) / rate
    harmonics = sum(np.cos(2 * np.pi * 130 * k * times) / k for k in range(1, 20))
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 1.7 * times)
    return (level * harmonics * swell / np.abs(harmonics * swell).max()).astype(np.float32)


def clipped_share(audio: bytes) -> float:
    return decode(audio, RATE, 20).source.clipped_share


def beyond(samples: np.ndarray, limit: float = 1.0) -> float:
    return float(np.mean(np.abs(samples) >= limit))


def test_samples_in_flat_tops_are_counted():
    tops = np.array([0, 1, 1, 1, 0, 1, 1, 0, -1, -1, -1, -1, 0.5, 0.5, 0.5], np.float32)
    assert count_clipped(tops[None]) == 3 + 4
    assert count_clipped(0.6 * tops[None]) == 3 + 4
    assert count_clipped(np.stack([tops, 0 * tops])) == 3 + 4


@pytest.mark.parametrize("samples", [[0, 0, 0, 0], [0.04] * 5, [np.nan] * 5, [1, 1], [1]])
def test_silence_noise_steps_and_single_peaks_are_no_tops(samples):
    assert count_clipped(np.array([samples], np.float32)) == 0


@settings(max_examples=50)
@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=1, max_size=60))
def test_every_sample_counts_once_and_polarity_does_not_matter(samples):
    channel = np.array([samples], np.float32)
    assert 0 <= count_clipped(channel) <= channel.size
    assert count_clipped(channel) == count_clipped(-channel) == count_clipped(channel[:, ::-1])


@pytest.mark.parametrize("level", [0.1, 0.5, 0.999])
@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le"])
def test_a_steady_voice_has_next_to_none(level, codec):
    assert clipped_share(wav(voiced(level), codec=codec)) < 0.001


@pytest.mark.parametrize("level", [0.01, 0.05, 0.12])
@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_u8", "pcm_alaw", "pcm_f32le"])
def test_coarse_steps_are_no_tops(level, codec):
    assert clipped_share(wav(speechlike(3, RATE, level), codec=codec)) < 0.001


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [("wav", "pcm_s16le", RATE), ("wav", "pcm_u8", RATE), ("flac", "flac", 48_000)],
)
def test_what_was_beyond_full_scale_is_found(container, codec, rate):
    loud = voiced(1.6, rate)
    share = clipped_share(encode(loud.clip(-1, 1), container, codec, rate))
    assert beyond(loud) > 0.01
    assert share == pytest.approx(beyond(loud), rel=0.15)


def test_opus_hides_some_of_it():
    loud = voiced(1.6, 48_000)
    share = clipped_share(encode(loud.clip(-1, 1), "webm", "libopus", 48_000))
    assert 0.2 * beyond(loud) < share < 1.2 * beyond(loud)


def test_a_recording_turned_down_after_it_was_clipped_is_found():
    loud = voiced(1.6)
    share = clipped_share(wav(0.3 * loud.clip(-1, 1)))
    assert share == pytest.approx(beyond(loud), rel=0.15)


def test_it_is_measured_before_resampling_and_mixing():
    loud, quiet = voiced(1.6, 48_000).clip(-1, 1), voiced(0.3, 48_000)
    one = clipped_share(encode(loud, "flac", "flac", 48_000))
    both = clipped_share(encode(np.stack([loud, quiet]), "flac", "flac", 48_000, "stereo"))
    assert one > 0.01
    assert both == pytest.approx(one / 2, rel=0.01)


def test_recorded_speech_is_not_clipped_until_it_is(real_speech):
    for path in sorted(real_speech.glob("*/*/*.wav"))[::8]:
        recording = decode(path.read_bytes(), RATE, 60)
        assert recording.source.clipped_share < 0.0002, path
        loud = 4 * recording.samples / np.abs(recording.samples).max()
        share = clipped_share(wav(loud.clip(-1, 1)))
        assert 0.25 * beyond(loud, 0.999) < share <= beyond(loud, 0.999), path
