"""Several audio tracks, and gaps in the time stamps."""

import io
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.audio.convert import convert
from lib.audio.decode import LONGEST_SILENCE, DecodeError, decode
from lib.audio.measurement import read_sidecar
from lib.audio.table import collect_measurements, read_measurements
from lib.config.audio import AudioSettings
from tests.audio.encoding import encode, speechlike, tone, wav

RATE = 16_000


def write(
    tracks: list[np.ndarray],
    container: str = "matroska",
    codec: str = "flac",
    defaults: list[bool] | None = None,
    gaps: dict[float, float] | None = None,
) -> bytes:
    """Return a file with several tracks; at a time in `gaps` its seconds are left out of stamps."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        streams = [file.add_stream(codec, rate=48_000, layout="mono") for _ in tracks]
        for stream, is_default in zip(streams, defaults or [], strict=False):
            stream.disposition = av.stream.Disposition.default if is_default else 0
        for stream, samples in zip(streams, tracks, strict=True):
            for packet in encode_frames(stream, samples):
                if packet.size:  # the last one may hold nothing but what belongs into the header
                    start = float(packet.pts * packet.time_base)
                    late = sum(length for at, length in (gaps or {}).items() if start >= at)
                    packet.pts += round(Fraction(late) / packet.time_base)
                    packet.dts = packet.pts
                    file.mux(packet)
    return buffer.getvalue()


def encode_frames(stream: av.AudioStream, samples: np.ndarray) -> Iterator[av.Packet]:
    """Encode in pieces of 20 ms, as recorders do."""
    for start in range(0, samples.size, 960):
        piece = np.ascontiguousarray(samples[None, start : start + 960])
        frame = av.AudioFrame.from_ndarray(piece, format="flt", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = 48_000, Fraction(1, 48_000), start
        yield from stream.encode(frame)
    yield from stream.encode(None)


def level(samples: np.ndarray) -> float:
    return float(np.sqrt(np.square(samples).mean()))


SILENCE = np.zeros(96_000, np.float32)
CLICK = np.where(np.arange(96_000) // 100 == 7, np.float32(0.5), np.float32(0))
OFFSET = np.full(96_000, 0.1, np.float32)
HUM = tone(amplitude=0.0005)


@pytest.mark.parametrize(
    ("tracks", "defaults", "taken", "why"),
    [
        ([SILENCE, tone()], [True, False], 2, "since track 1 is silent"),
        ([SILENCE, tone()], [False, False], 2, "since track 1 is silent"),
        ([CLICK, tone()], [True, False], 2, "since track 1 is silent"),
        ([OFFSET, tone()], [True, True], 2, "since track 1 is silent"),
        ([HUM, SILENCE, tone()], [True, False, False], 3, "since track 1 is silent and track 2"),
        ([tone(), tone(frequency=800)], [False, True], 2, "the default one"),
        ([tone(), tone(frequency=800)], [True, False], 1, "the default one"),
        ([tone(), SILENCE, SILENCE], [False, True, False], 1, "since track 2 is silent"),
    ],
)
def test_the_default_track_or_one_with_sound_is_taken(tracks, defaults, taken, why):
    recording = decode(write(tracks, defaults=defaults), RATE, 20)
    expected = f"tracks: of {len(tracks)} audio tracks number {taken} was taken, {why}"
    assert len(recording.warnings) == 1 and recording.warnings[0].startswith(expected)
    assert level(recording.samples) > 0.1


def test_silent_tracks_are_silent():
    recording = decode(write([SILENCE, SILENCE]), RATE, 20)
    assert level(recording.samples) == 0
    assert "number 1 was taken" in recording.warnings[0]


def test_one_track_needs_no_warning():
    assert decode(write([tone()]), RATE, 20).warnings == ()


@pytest.mark.parametrize(
    ("container", "codec"),
    [("webm", "libopus"), ("matroska", "flac"), ("mp4", "aac"), ("matroska", "pcm_s16le")],
)
def test_a_gap_is_filled_where_it_was(container, codec):
    audio = write([tone(2.2)], container, codec, gaps={1.0: 0.8})

    recording = decode(audio, RATE, 20)

    assert recording.samples.size / RATE == pytest.approx(3.0, abs=0.06)
    assert recording.source.duration == pytest.approx(3.0, abs=0.06)
    loud = [level(recording.samples[int(a * RATE) : int(b * RATE)]) for a, b in PIECES]
    assert [sound > 0.05 for sound in loud] == [True, False, True]
    (warning,) = recording.warnings
    assert warning.startswith("gaps: 0.8") and "in 1 places" in warning


PIECES = [(0.1, 0.9), (1.15, 1.7), (2.0, 2.8)]


@settings(max_examples=15)
@given(st.dictionaries(st.sampled_from([0.4, 0.8, 1.2, 1.6]), st.floats(0.15, 2.0), max_size=4))
def test_all_gaps_together_are_what_was_left_out(gaps):
    recording = decode(write([tone(2.0)], gaps=gaps), RATE, 30)
    assert recording.samples.size / RATE == pytest.approx(2.0 + sum(gaps.values()), abs=0.01)


def test_a_pause_of_the_recorder_is_filled_up_to_a_bound():
    recording = decode(write([tone(2.0)], gaps={1.0: 60.0}), RATE, 20)
    assert recording.source.duration == pytest.approx(2.0 + LONGEST_SILENCE, abs=0.01)
    assert recording.warnings == (
        "gaps: 60.00 s are missing in 1 places of the time stamps; 5.00 s of silence were put "
        "there",
    )


@pytest.mark.parametrize("length", [0.04, 0.08, 0.09])
def test_of_many_short_gaps_none_is_lost(length):
    gaps = {number / 10: length for number in range(1, 16)}
    recording = decode(write([tone(2.0)], "webm", "libopus", gaps=gaps), RATE, 20)
    assert recording.samples.size / RATE == pytest.approx(2.0 + 15 * length, abs=0.11)
    (warning,) = recording.warnings
    assert warning.startswith("gaps: ")


@pytest.mark.parametrize("jitter", [0.02, 0.09])
def test_jitter_is_no_gap(jitter):
    recording = decode(write([tone(2.0)], gaps={1.0: jitter}), RATE, 20)
    assert recording.samples.size / RATE == pytest.approx(2.0, abs=0.01)
    assert recording.warnings == ()


@pytest.mark.parametrize("sample_format", ["u8", "s16", "flt"])
def test_silence_is_silent_in_any_format(sample_format):
    codec = {"u8": "pcm_u8", "s16": "pcm_s16le", "flt": "pcm_f32le"}[sample_format]
    recording = decode(write([tone(2.0)], "matroska", codec, gaps={1.0: 0.5}), RATE, 20)
    assert level(recording.samples[int(1.1 * RATE) : int(1.4 * RATE)]) < 0.005


def test_what_was_filled_is_in_the_table(tmp_path):
    audio = write([tone(2.0) * np.linspace(0.2, 1, 96_000, dtype=np.float32)], gaps={1.0: 0.5})
    convert("a", audio, tmp_path / "a.wav", tmp_path / "a.json", AudioSettings())
    collect_measurements([tmp_path / "a.json"], tmp_path / "table.tsv")
    measured = read_measurements(tmp_path / "table.tsv")["a"]
    assert measured == read_sidecar(tmp_path / "a.json")
    assert measured.warnings[0].startswith("gaps: 0.50 s are missing in 1 places")


# ------------------------------------------------------------------ bounds on durations


@pytest.mark.parametrize(
    ("seconds", "status", "reason"),
    [
        (2.014, "ok", None),
        (2.05, "ok", None),
        (2.06, "rejected", "too_long"),
        (0.96, "ok", None),
        (0.94, "rejected", "too_short"),
    ],
)
def test_bounds_have_a_tolerance_for_padding(tmp_path, seconds, status, reason):
    bounds = AudioSettings(min_duration=1.0, max_duration=2.0)
    audio = wav(speechlike(seconds))
    measured = convert("a", audio, tmp_path / "a.wav", tmp_path / "a.json", bounds)
    assert (measured.status, measured.reason) == (status, reason)
    assert measured.warnings == ()


@pytest.mark.parametrize(("container", "codec"), [("mp3", "libmp3lame"), ("adts", "aac")])
def test_a_clip_of_just_the_longest_duration_is_taken(tmp_path, container, codec):
    audio = encode(np.tile(speechlike(1.0, 48_000), 2), container, codec)
    bounds = AudioSettings(max_duration=2.0)
    assert convert("a", audio, tmp_path / "a.wav", tmp_path / "a.json", bounds).status == "ok"


def test_a_pointer_of_git_lfs_is_called_one():
    with pytest.raises(DecodeError, match="this is a Git LFS pointer.*git lfs pull"):
        decode(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", RATE, 20)
