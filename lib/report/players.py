"""Encodes audio for the pages."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile

# Every browser plays MP3. Of its few sample rates, this one keeps everything of a 16 kHz clip.
_SAMPLE_RATE = 24_000
_BIT_RATE = 48_000
# Sample rate and bit rate that are enough to recognise a speaker.
_SMALL = (16_000, 24_000)


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound within a page.

    Attributes
    ----------
    source
        Data URI.
    length
        Duration with its unit.
    """

    source: str
    length: str


def embed_sound(wav: Path) -> Sound:
    """Return a mono WAV file as a data URI."""
    samples, sample_rate = soundfile.read(wav, dtype="int16")
    encoded = base64.b64encode(encode_mp3(samples, sample_rate)).decode("ascii")
    return Sound(f"data:audio/mpeg;base64,{encoded}", f"{len(samples) / sample_rate:.1f} s")


def encode_start(wav: Path, seconds: float) -> str:
    """Return the first seconds of a mono WAV file as MP3 of a low bit rate, in base 64."""
    with soundfile.SoundFile(wav) as file:
        samples = file.read(round(seconds * file.samplerate), dtype="int16")
        encoded = encode_mp3(samples, file.samplerate, *_SMALL)
    return base64.b64encode(encoded).decode("ascii")


def encode_mp3(
    samples: np.ndarray, sample_rate: int, to_rate: int = _SAMPLE_RATE, bit_rate: int = _BIT_RATE
) -> bytes:
    """Return audio as MP3.

    Parameters
    ----------
    samples
        ``(samples,) int16``, mono.
    sample_rate, to_rate
        Of the samples and of the MP3, in Hz.
    bit_rate
        In bits per second.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3") as file:
        stream = file.add_stream("libmp3lame", rate=to_rate, layout="mono")
        stream.bit_rate = bit_rate
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=to_rate, frame_size=stream.frame_size
        )
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = sample_rate
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return buffer.getvalue()
