"""What all benchmarks share; needs numpy alone, so that it runs on a bare GPU machine."""

import os
import sys
from collections.abc import Iterable, Sequence

import numpy as np


def speechlike(seconds: float, rate: int, seed: int) -> np.ndarray:
    """Harmonics and noise in syllables with pauses, ``(samples,)`` float."""
    random = np.random.default_rng(seed)
    time_axis = np.arange(round(seconds * rate)) / rate
    pitch = random.uniform(90, 250) * (1 + 0.05 * np.sin(2 * np.pi * 0.5 * time_axis))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 12))
    syllables = np.clip(np.sin(2 * np.pi * random.uniform(2, 5) * time_axis), 0, 1)
    return (0.1 * (voice + 0.3 * random.standard_normal(len(time_axis))) * syllables).clip(-1, 1)


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a Markdown table, and what else was running."""
    load = os.getloadavg()[0]
    lines = [header, ["---"] * len(header), *rows]
    text = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    sys.stdout.write(f"{text}\n\n{os.cpu_count()} cores; load over the last minute {load:.1f}\n\n")
    sys.stdout.flush()
