"""Files of speech in any of the usual formats, of any length, at one loudness.

The speech goes to a temporary file while it is measured, and from there to the encoder. So the
memory does not grow with its length.
"""

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import numpy as np

from lib.audio.loudness import Level, gain_to, measure_level
from lib.files import atomic_path

logger = logging.getLogger(__name__)

FORMATS = ("wav", "flac", "webm", "mp3")
CODECS = {"webm": "libopus", "mp3": "libmp3lame"}
BIT_RATES = {"webm": 32_000, "mp3": 64_000}
_CHUNK = 1 << 16  # samples
_SILENT = 1e-5


@dataclass(frozen=True, slots=True)
class Spoken:
    """A file of speech that was written."""

    duration: float
    """Seconds."""
    gain: float
    """Decibels by which the speech was amplified."""


def write_speech(
    path: Path,
    speech: Iterable[np.ndarray],
    sample_rate: int,
    loudness: float | None,
    peak_ceiling: float = -1.0,
) -> Spoken:
    """Write speech into a file whose extension is its format.

    Parameters
    ----------
    speech
        Parts in order, each ``(samples,)`` float32.
    loudness
        Integrated loudness in LUFS (ITU-R BS.1770), as of converted clips; None levels nothing.
    peak_ceiling
        Highest true peak in dBTP; speech above it gets less gain.

    Raises
    ------
    ValueError
        If the format is not known, or the file cannot be written.
    """
    format_ = path.suffix.lower().removeprefix(".")
    if format_ not in FORMATS:
        raise ValueError(f"{path}: the format is {format_!r}, expected one of {', '.join(FORMATS)}")
    with tempfile.TemporaryFile() as spool:
        samples, level = _collect(speech, sample_rate, spool)
        gain = _find_gain(level, loudness, peak_ceiling)
        scale = np.float32(10 ** (gain / 20))
        try:
            with atomic_path(path) as temporary, _open(temporary, format_, sample_rate) as encoder:
                for chunk in _read(spool):
                    encoder.write(np.clip(chunk * scale, -1, 1))
        except OSError as error:
            raise ValueError(f"{path} cannot be written: {error}") from None
    return Spoken(samples / sample_rate, gain)


def _collect(
    speech: Iterable[np.ndarray], sample_rate: int, spool: IO[bytes]
) -> tuple[int, Level | None]:
    """Write all parts to a file and measure those that are not silent."""
    samples, powers, peak = 0, [], 0.0
    for part in speech:
        samples += part.size
        spool.write(part.astype(np.float32, copy=False).tobytes())
        if part.size and np.abs(part).max() > _SILENT:
            level = measure_level(part, sample_rate)
            powers.append(level.block_powers)
            peak = max(peak, level.peak_amplitude)
    return samples, Level(np.concatenate(powers), peak) if powers else None


def _find_gain(level: Level | None, loudness: float | None, peak_ceiling: float) -> float:
    if level is None or loudness is None:
        return 0.0
    return float(min(gain_to(level, loudness), peak_ceiling - level.peak()))


def _read(spool: IO[bytes]) -> Iterator[np.ndarray]:
    spool.seek(0)
    while content := spool.read(4 * _CHUNK):
        yield np.frombuffer(content, np.float32)


# ---------------------------------------------------------------- encoders


class _Encoder(Protocol):
    def write(self, samples: np.ndarray) -> None: ...


def _open(path: Path, format_: str, sample_rate: int) -> AbstractContextManager[_Encoder]:
    return (
        _Compressed(path, format_, sample_rate)
        if format_ in CODECS
        else _lossless(path, format_, sample_rate)
    )


@contextmanager
def _lossless(path: Path, format_: str, sample_rate: int) -> Iterator[_Encoder]:
    import soundfile

    try:
        with closing(
            soundfile.SoundFile(path, "w", sample_rate, 1, subtype="PCM_16", format=format_.upper())
        ) as file:
            yield file
    except soundfile.LibsndfileError as error:
        raise OSError(str(error)) from None


class _Compressed:
    """A file that FFmpeg's libraries encode."""

    def __init__(self, path: Path, format_: str, sample_rate: int) -> None:
        # Its import takes a tenth of a second, which a WAV file should not wait for.
        import av

        self._make_frame = av.AudioFrame.from_ndarray
        self._rate = sample_rate
        self._container = av.open(str(path), "w", format=format_)
        self._stream = self._container.add_stream(CODECS[format_], rate=sample_rate, layout="mono")
        self._stream.bit_rate = BIT_RATES[format_]

    def __enter__(self) -> "_Compressed":
        return self

    def write(self, samples: np.ndarray) -> None:
        """Encode samples, ``(samples,)`` float32."""
        frame = self._make_frame(np.ascontiguousarray(samples)[None], format="flt", layout="mono")
        frame.sample_rate = self._rate
        self._container.mux(self._stream.encode(frame))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()
