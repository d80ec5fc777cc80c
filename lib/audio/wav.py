"""PCM16 mono WAV files, the format of converted clips."""

import io
import wave
from pathlib import Path

import numpy as np

from lib.files import atomic_path


def write_wav(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write `samples`, (num_samples,) int16, as a mono WAV file, atomically."""
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise ValueError(
            f"{path}: got samples of {samples.dtype} with shape {samples.shape}, "
            "expected int16 with one dimension"
        )
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.astype("<i2", copy=False).tobytes())
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def read_wav(path: Path) -> np.ndarray:
    """Return the samples of a file that `write_wav` wrote, (num_samples,) int16."""
    with wave.open(str(path), "rb") as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise ValueError(
                f"{path}: {file.getnchannels()} channels of {file.getsampwidth() * 8} bits, "
                "expected a converted clip with one channel of 16 bits: delete it and run again"
            )
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
