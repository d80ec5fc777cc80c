"""One clip in, one levelled WAV and its sidecar out, whatever the clip is."""

import json

import numpy as np
import pyloudnorm
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.audio.convert import REASONS, convert
from lib.audio.measurement import read_sidecar
from lib.audio.wav import read_wav
from lib.config.audio import AudioSettings
from tests.audio.encoding import encode, speechlike, tone, wav
from tests.audio.test_decode import HOSTILE

RATE = 16_000
SETTINGS = AudioSettings()


def run(tmp_path, audio, settings=SETTINGS):
    convert("clip", audio, tmp_path / "clip.wav", tmp_path / "clip.json", settings)
    return read_wav(tmp_path / "clip.wav"), read_sidecar(tmp_path / "clip.json")


def test_output_is_pcm16_mono_at_the_rate_asked_for(tmp_path):
    run(tmp_path, encode(speechlike(3, 48_000), "webm", "libopus", layout="stereo"))

    info = soundfile.info(tmp_path / "clip.wav")
    assert (info.samplerate, info.channels, info.subtype) == (RATE, 1, "PCM_16")
    assert info.duration == pytest.approx(3.0, abs=0.001)


def test_sidecar_holds_everything_that_was_agreed(tmp_path):
    run(tmp_path, wav(speechlike(3)))

    sidecar = json.loads((tmp_path / "clip.json").read_text("utf-8"))
    assert set(sidecar) == {
        *("clip", "status", "reason", "detail", "value", "source", "duration", "num_samples"),
        *("loudness_before", "loudness_after", "peak_before", "peak_after", "gain_db"),
        *("peak_bound", "snr", "trimmed_start", "trimmed_end", "audio_fingerprint", "warnings"),
    }
    assert sidecar["source"] == {
        "container": "wav",
        "codec": "pcm_s16le",
        "sample_rate": RATE,
        "channels": 1,
        "duration": 3.0,
        "clipped_share": 0.0,
    }
    assert (sidecar["status"], sidecar["num_samples"], sidecar["duration"]) == ("ok", 48_000, 3.0)


@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
def test_loudness_target_is_met(tmp_path, level):
    samples, measured = run(tmp_path, wav(speechlike(4, RATE, level)))

    independent = pyloudnorm.Meter(RATE).integrated_loudness(samples / 32768)
    assert not measured.peak_bound
    assert measured.loudness_after == pytest.approx(-23.0, abs=0.01)
    assert independent == pytest.approx(-23.0, abs=0.3)
    assert measured.loudness_before + measured.gain_db == pytest.approx(-23.0, abs=0.01)


def test_peak_ceiling_lowers_the_gain_instead_of_limiting(tmp_path):
    samples = speechlike(4, RATE, 0.01)
    samples[RATE] = 0.9

    converted, measured = run(tmp_path, wav(samples, codec="pcm_f32le"))

    assert measured.peak_bound
    assert measured.peak_after == pytest.approx(-1.0, abs=0.01)
    assert measured.loudness_after < -23.5
    # Nothing but one factor: the shape is what it was.
    gain = 10 ** (measured.gain_db / 20)
    np.testing.assert_allclose(converted / 32768, samples * gain, atol=0.6 / 32768)


def test_full_scale_does_not_wrap_around(tmp_path):
    """A ceiling of 0 dBTP puts the peak on +32768, which 16 bits do not have."""
    chosen = AudioSettings(loudness=-1.0, peak_ceiling=0.0)
    pulse = (0.1 * np.hanning(2 * RATE + 1) * np.cos(0.1 * np.arange(-RATE, RATE + 1))).astype("f4")

    samples, _ = run(tmp_path, wav(pulse, codec="pcm_f32le"), chosen)

    assert np.abs(np.diff(samples.astype(int))).max() < 4000
    assert samples.max() == 32767


def test_offset_is_left_alone(tmp_path):
    samples = (speechlike(4) + 0.05).astype(np.float32)

    converted, measured = run(tmp_path, wav(samples, codec="pcm_f32le"))

    gain = 10 ** (measured.gain_db / 20)
    assert np.mean(converted / 32768) == pytest.approx(np.mean(samples) * gain, abs=1e-4)


@settings(max_examples=25)
@given(
    seconds=st.floats(0.5, 3),
    level=st.floats(0.002, 0.5),
    loudness=st.floats(-40, -10),
    ceiling=st.floats(-20, 0),
)
def test_gain_keeps_the_shape(tmp_path_factory, seconds, level, loudness, ceiling):
    samples = speechlike(seconds, RATE, level)
    chosen = AudioSettings(loudness=loudness, peak_ceiling=ceiling, silence_threshold=-90)

    converted, measured = run(tmp_path_factory.mktemp("c"), wav(samples, codec="pcm_f32le"), chosen)

    gain = 10 ** (measured.gain_db / 20)
    assert converted.size == samples.size
    np.testing.assert_allclose(converted / 32768, samples * gain, rtol=2e-4, atol=1.1 / 32768)
    assert measured.peak_after <= ceiling + 0.001
    assert measured.peak_bound or measured.loudness_after == pytest.approx(loudness, abs=0.01)


def test_same_input_gives_same_bytes(tmp_path):
    audio = encode(speechlike(3, 48_000), "webm", "libopus", layout="stereo")
    first, second = tmp_path / "first", tmp_path / "second"

    run(first, audio)
    run(second, audio)

    for name in ("clip.wav", "clip.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


@pytest.mark.parametrize(("audio", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_file_is_quarantined(tmp_path, audio, reason):
    samples, measured = run(tmp_path, audio)

    assert (measured.status, measured.reason) == ("rejected", reason)
    assert measured.reason in REASONS
    assert measured.detail
    assert samples.size == 0


@pytest.mark.parametrize(
    ("samples", "reason", "value"),
    [
        (np.zeros(2 * RATE, np.float32), "silent", None),
        (tone(2, RATE, amplitude=1e-3), "silent", -65),
        (np.full(2 * RATE, 0.25, np.float32), "silent", None),
        (np.full(2 * RATE, np.nan, np.float32), "silent", None),
        (tone(0.3, RATE), "too_short", 0.3),
        (tone(21, RATE), "too_long", 20),
    ],
    ids=["zeros", "faint", "offset only", "not a number", "short", "long"],
)
def test_unusable_clip_is_quarantined_with_its_number(tmp_path, samples, reason, value):
    converted, measured = run(tmp_path, wav(samples, codec="pcm_f32le"))

    assert (measured.status, measured.reason) == ("rejected", reason)
    if value is not None:
        assert measured.value == pytest.approx(value, abs=1.5)
    assert measured.source is not None
    assert converted.size == 0


def test_truncated_clip_is_used_with_a_warning(tmp_path):
    audio = encode(speechlike(6, 48_000), "webm", "libopus")

    samples, measured = run(tmp_path, audio[: len(audio) // 2])

    assert measured.status == "ok"
    assert samples.size / RATE == measured.duration > 1.5
    assert "truncated" in measured.warnings[0]


def test_a_single_crash_of_the_decoder_is_enough_to_know(tmp_path):
    """Eight planar channels crashed the whole process through PyAV's to_ndarray."""
    _, measured = run(tmp_path, encode(speechlike(2, 48_000), "webm", "libopus", layout="7.1"))

    assert (measured.status, measured.source.channels) == ("ok", 8)


@settings(max_examples=60)
@given(data=st.data())
def test_damaged_bytes_never_raise(tmp_path_factory, data):
    container, codec = data.draw(st.sampled_from([("webm", "libopus"), ("flac", "flac")]))
    audio = bytearray(encode(speechlike(1, 48_000), container, codec))
    for _ in range(data.draw(st.integers(1, 20))):
        audio[data.draw(st.integers(0, len(audio) - 1))] = data.draw(st.integers(0, 255))

    samples, measured = run(tmp_path_factory.mktemp("c"), bytes(audio))

    assert measured.status in ("ok", "rejected")
    assert samples.size == measured.num_samples


def test_full_disk_is_no_fault_of_the_clip(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(OSError):
        convert("clip", b"", tmp_path / "file/x.wav", tmp_path / "x.json", SETTINGS)


def test_real_speech_meets_the_target(tmp_path, real_speech):
    """All clips: within 0.5 LU of the target for an independent meter, or bound by the ceiling."""
    paths = [*sorted(real_speech.glob("*/*/*.wav")), *sorted(real_speech.glob("formats/*"))]
    assert len(paths) == 340 + 36
    for path in paths:
        samples, measured = run(tmp_path, path.read_bytes())

        assert measured.status == "ok", path
        assert measured.peak_after <= -1 + 0.001
        loudness = pyloudnorm.Meter(RATE).integrated_loudness(samples / 32768)
        if not measured.peak_bound:
            assert loudness == pytest.approx(-23, abs=0.5), path
        assert loudness == pytest.approx(measured.loudness_after, abs=0.5), path
