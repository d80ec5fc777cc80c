"""Every format in, the same sound out; every kind of damage told from the next."""

from pathlib import Path

import av
import numpy as np
import pytest

from lib.audio.decode import DecodeError, decode
from tests.audio.encoding import encode, speechlike, tone, wav

RATE = 16_000
EXACT, LOSSY = 0.001, 0.03  # s

FORMATS = {
    "webm-opus": ("webm", "libopus", 48_000, "stereo", None, EXACT),
    "webm-opus-7.1": ("webm", "libopus", 48_000, "7.1", None, EXACT),
    "flac-7.1": ("flac", "flac", 48_000, "7.1", None, EXACT),
    "m4a-5.1": ("ipod", "aac", 48_000, "5.1", None, LOSSY),
    "webm-vorbis": ("webm", "vorbis", 44_100, "stereo", None, LOSSY),
    "ogg-vorbis": ("ogg", "vorbis", 48_000, "stereo", None, LOSSY),
    "ogg-opus": ("ogg", "libopus", 48_000, "mono", None, EXACT),
    "mp3": ("mp3", "libmp3lame", 44_100, "stereo", None, LOSSY),
    "m4a": ("ipod", "aac", 44_100, "mono", None, 0.05),
    "aac": ("adts", "aac", 48_000, "mono", None, 0.05),
    "amr": ("amr", "libopencore_amrnb", 8_000, "mono", None, LOSSY),
    "flac-16": ("flac", "flac", 44_100, "mono", "s16", EXACT),
    "flac-24": ("flac", "flac", 48_000, "stereo", "s32", EXACT),
    "wav-8": ("wav", "pcm_u8", 8_000, "mono", None, EXACT),
    "wav-16": ("wav", "pcm_s16le", 22_050, "mono", None, EXACT),
    "wav-24": ("wav", "pcm_s24le", 96_000, "mono", None, EXACT),
    "wav-32": ("wav", "pcm_s32le", 48_000, "mono", None, EXACT),
    "wav-float": ("wav", "pcm_f32le", 48_000, "mono", None, EXACT),
    "wav-double": ("wav", "pcm_f64le", 192_000, "mono", None, EXACT),
    "wav-alaw": ("wav", "pcm_alaw", 8_000, "mono", None, EXACT),
    "wav-mulaw": ("wav", "pcm_mulaw", 11_025, "mono", None, EXACT),
    "wav-2.1": ("wav", "pcm_s16le", 16_000, "2.1", None, EXACT),
    "wav-4": ("wav", "pcm_s16le", 32_000, "quad", None, EXACT),
    "wav-5": ("wav", "pcm_s16le", 48_000, "5.0", None, EXACT),
    "wav-6.1": ("wav", "pcm_s16le", 48_000, "6.1", None, EXACT),
    "wav-5.1": ("wav", "pcm_s16le", 48_000, "5.1", None, EXACT),
    "wav-7.1": ("wav", "pcm_s16le", 44_100, "7.1", None, EXACT),
    "aiff": ("aiff", "pcm_s16be", 44_100, "stereo", None, EXACT),
}


@pytest.mark.parametrize("case", FORMATS.values(), ids=FORMATS.keys())
def test_decodes_format(case):
    container, codec, rate, layout, sample_format, tolerance = case
    audio = encode(tone(2.0, rate), container, codec, rate, layout, sample_format)

    recording = decode(audio, RATE, max_duration=20)

    assert recording.warnings == ()
    assert recording.source.sample_rate == rate
    assert recording.samples.dtype == np.float32
    assert recording.samples.size / RATE == pytest.approx(2.0, abs=tolerance)
    middle = recording.samples[RATE // 2 : -RATE // 2]
    # LAME lowers the level by 5%; AMR keeps a telephone's idea of it.
    level_tolerance = {"libmp3lame": 0.06, "libopencore_amrnb": 0.3}.get(codec, 0.03)
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.25, rel=level_tolerance)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(middle.size)))
    assert spectrum.argmax() * RATE / middle.size == pytest.approx(440, abs=2)


def test_source_is_described_as_it_is():
    audio = encode(tone(), "webm", "libopus", layout="stereo")

    source = decode(audio, RATE, 20).source

    assert (source.container, source.codec) == ("matroska,webm", "opus")
    assert (source.sample_rate, source.channels) == (48_000, 2)
    assert source.duration == pytest.approx(2.0, abs=0.001)


WEBM_CODECS = {"libopus": 1, "vorbis": LOSSY * RATE}


@pytest.mark.parametrize("codec", WEBM_CODECS)
def test_header_without_duration_is_no_matter(codec):
    """Browsers record webm as a live stream: there is no duration in the header."""
    audio = encode(tone(), "webm", codec, layout="stereo", options={"live": "1"})

    recording = decode(audio, RATE, 20)

    assert recording.samples.size == pytest.approx(2 * RATE, abs=WEBM_CODECS[codec])
    assert recording.warnings == ()


@pytest.mark.parametrize("codec", WEBM_CODECS)
def test_video_is_ignored(codec):
    audio = encode(tone(), "webm", codec, layout="stereo", video=True)

    samples = decode(audio, RATE, 20).samples

    assert samples.size == pytest.approx(2 * RATE, abs=WEBM_CODECS[codec])


def table_of_formats() -> str:
    """Write the table of what the tests above decode, as docs/recordings.md has it."""
    rows: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for container, codec, rate, layout, sample_format, _ in FORMATS.values():
        bits = {"s16": " 16 bit", "s32": " 24 bit"}.get(sample_format, "")
        plain = {"libopencore_amrnb": "amr_nb", "libmp3lame": "mp3"}.get(codec, codec)
        coding = plain.removeprefix("lib").removesuffix("le").removesuffix("be") + bits
        channels = av.AudioLayout(layout).nb_channels
        kind = {"ipod": "m4a", "adts": "aac"}.get(container, container)
        rows.setdefault((kind, coding), []).append((rate, channels))
    for codec in WEBM_CODECS:
        for kind in ("webm, no duration in its header", "webm, with a video track"):
            rows[kind, codec.removeprefix("lib")] = [(48_000, 2)]
    lines = ["| file | codec | sample rates (Hz) | channels |", "|---|---|---|---|"]
    for (kind, coding), cases in sorted(rows.items()):
        rates, channels = (", ".join(map(str, sorted(set(of)))) for of in zip(*cases, strict=True))
        lines.append(f"| {kind} | {coding} | {rates} | {channels} |")
    return "\n".join(lines)


def test_the_documents_have_the_table_of_what_is_tested():
    page = Path(__file__).resolve().parents[2] / "docs/recordings.md"
    table = table_of_formats()
    assert f"\n\n{table}\n\n" in page.read_text("utf-8"), f"it should be\n\n{table}"


def test_resampling_is_flat_and_free_of_aliases():
    """Sines through the resampler: passband within 0.01 dB, aliases below -100 dB."""
    ripple, aliases = [], []
    for frequency in (50, 200, 1000, 3000, 5000, 6500, 7200):
        sine = tone(2, 48_000, frequency, 0.5)
        samples = decode(wav(sine, 48_000, "pcm_f32le"), RATE, 20).samples[4000:-4000]
        times = np.arange(samples.size) / RATE
        basis = np.exp(-2j * np.pi * frequency * times)
        ripple.append(20 * np.log10(abs(2 * np.mean(samples * basis)) / 0.5))
    for frequency in (8800, 9500, 12_000, 15_000, 20_000, 23_000):
        sine = tone(2, 48_000, frequency, 0.5)
        samples = decode(wav(sine, 48_000, "pcm_f32le"), RATE, 20).samples[4000:-4000]
        aliases.append(20 * np.log10(np.sqrt(2 * np.mean(samples**2)) / 0.5))

    assert np.abs(ripple).max() < 0.01
    assert max(aliases) < -100


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_sample_count_is_exact(rate):
    num_samples = 12_345 * rate // 8_000

    samples = decode(wav(tone(num_samples / rate, rate), rate), RATE, 20).samples

    assert abs(samples.size - num_samples * RATE / rate) <= 1


def test_channels_are_averaged():
    left, right = tone(1, RATE, 300, 0.4), tone(1, RATE, 500, 0.2)

    samples = decode(wav(np.stack([left, right]), layout="stereo", codec="pcm_f32le"), RATE, 20)

    np.testing.assert_allclose(samples.samples, (left + right) / 2, atol=1e-6)


def test_subwoofer_is_left_out():
    voice, rumble = tone(1, RATE, 500, 0.3), tone(1, RATE, 40, 0.9)
    channels = np.stack([voice, voice, voice, rumble, voice, voice])

    samples = decode(wav(channels, layout="5.1", codec="pcm_f32le"), RATE, 20).samples

    np.testing.assert_allclose(samples, voice, atol=1e-6)


def test_channels_that_cancel_do_not_vanish():
    voice = tone(1, RATE, 500, 0.3)

    recording = decode(wav(np.stack([voice, -voice]), layout="stereo"), RATE, 20)

    assert np.abs(recording.samples).max() == pytest.approx(0.3, rel=0.01)
    assert "cancel" in recording.warnings[0]


def test_one_silent_channel_is_no_cancellation():
    voice = tone(1, RATE, 500, 0.3)

    recording = decode(wav(np.stack([voice, 0 * voice]), layout="stereo"), RATE, 20)

    assert recording.warnings == ()
    assert np.abs(recording.samples).max() == pytest.approx(0.15, rel=0.01)


def test_samples_that_are_not_finite_become_zero():
    samples = tone(1, RATE)
    samples[[10, 20, 30, 40]] = np.nan, np.inf, -np.inf, 1e30

    recording = decode(wav(samples, codec="pcm_f32le"), RATE, 20)

    assert np.abs(recording.samples).max() <= 0.26
    assert recording.warnings == ("damaged: 4 samples are not finite and became zero",)


@pytest.mark.parametrize(
    ("container", "codec"),
    [("webm", "libopus"), ("flac", "flac"), ("wav", "pcm_s16le"), ("mp3", "libmp3lame")],
)
def test_truncated_file_gives_what_it_has(container, codec):
    audio = encode(speechlike(6, 48_000), container, codec)

    recording = decode(audio[: len(audio) // 2], RATE, 20)

    assert 1.5 < recording.samples.size / RATE < 4.5
    assert any("truncated" in warning for warning in recording.warnings)


def test_damaged_packets_are_left_out():
    audio = bytearray(encode(speechlike(6, 48_000), "mp3", "libmp3lame"))
    middle = len(audio) // 2
    audio[middle : middle + 2000] = bytes(2000)

    recording = decode(bytes(audio), RATE, 20)

    assert 5 < recording.samples.size / RATE < 6.2


def test_header_that_lies_is_not_believed():
    """A WAV header may state any length: what is there counts."""
    audio = bytearray(wav(tone(1, RATE)))
    data = audio.index(b"data")
    audio[data + 4 : data + 8] = (RATE * 2 * 3600).to_bytes(4, "little")

    recording = decode(bytes(audio), RATE, 20)

    assert recording.source.duration == pytest.approx(1.0, abs=0.001)


def test_decoding_stops_beyond_the_longest_duration():
    audio = encode(np.zeros(48_000 * 120, np.float32), "flac", "flac")

    recording = decode(audio, RATE, max_duration=5)

    assert 5 < recording.source.duration < 6


SOUND = wav(tone(1, RATE))
HOSTILE = {
    "empty": (b"", "empty"),
    "text": (b"This is a transcript, not a recording.\n" * 20, "undecodable"),
    "random": (np.random.default_rng(0).bytes(9000), "undecodable"),
    "webm header only": (encode(tone(), "webm", "libopus")[:200], "undecodable"),
    "html": (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "undecodable"),
    "zeros": (bytes(5000), "undecodable"),
    "no samples": (SOUND[: SOUND.index(b"data") + 4] + bytes(4), "empty"),
}


@pytest.mark.parametrize(("audio", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_file_is_told_apart(audio, reason):
    with pytest.raises(DecodeError) as caught:
        decode(audio, RATE, 20)

    assert caught.value.reason == reason


def test_video_without_sound_has_no_audio():
    import io

    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm") as file:
        pictures = file.add_stream("libvpx", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
        file.mux(pictures.encode(picture))
        file.mux(pictures.encode(None))

    with pytest.raises(DecodeError) as caught:
        decode(buffer.getvalue(), RATE, 20)

    assert caught.value.reason == "no_audio"


@pytest.mark.parametrize(
    "playlist",
    ["ffconcat version 1.0\nfile secret.wav\n", "#EXTM3U\n#EXTINF:2,\nsecret.wav\n"],
    ids=["concat", "m3u8"],
)
def test_playlist_does_not_open_other_files(tmp_path, monkeypatch, playlist):
    """A text file that FFmpeg takes for a playlist must not read what it names."""
    (tmp_path / "secret.wav").write_bytes(wav(tone()))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(DecodeError):
        decode(playlist.encode(), RATE, 20)


def test_tags_in_another_encoding_do_no_harm():
    title = b"INFOINAM\x04\0\0\0\xe9\xe8\xff\0"
    chunk = b"LIST" + len(title).to_bytes(4, "little") + title
    audio = SOUND.replace(b"data", chunk + b"data", 1)

    assert decode(audio, RATE, 20).samples.size == RATE


def test_impossible_sample_rate_is_refused():
    audio = bytearray(wav(tone(1, RATE)))
    audio[24:28] = (3).to_bytes(4, "little")

    with pytest.raises(DecodeError, match="3 Hz"):
        decode(bytes(audio), RATE, 20)
