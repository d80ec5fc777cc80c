"""Puts silence back where a recorder left a gap in the time stamps.

Recorders in browsers stop sending while nobody speaks or the microphone is muted; without the gap
a pause of the speaker is gone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np

# Less is jitter of the recorder's clock: a sound system's usual limit for a hard fix.
SHORTEST_GAP = 0.1  # s
# Of a longer gap so much: the recording was paused, and nobody was silent for minutes.
LONGEST_SILENCE = 5.0  # s


@dataclass(slots=True)
class Gaps:
    """What was found: how many gaps, their length, and how much silence stands for them."""

    count: int = 0
    length: float = 0.0  # s
    filled: float = 0.0  # s

    def describe(self) -> str:
        """Say what was done, for the record of the clip."""
        return (
            f"gaps: {self.length:.2f} s are missing in {self.count} places of the time stamps; "
            f"{self.filled:.2f} s of silence were put there"
        )


def fill_gaps(frames: Iterator[av.AudioFrame], gaps: Gaps) -> Iterator[av.AudioFrame]:
    """Yield frames, and a silent one wherever they are late by their time stamps.

    Shorter gaps add up until they make one that is filled: of many, none is lost.
    """
    end: float | None = None  # of what was yielded, by the time stamps
    for frame in frames:
        start = end if frame.pts is None else float(frame.pts * frame.time_base)
        late = 0.0 if start is None or end is None else start - end
        if late > SHORTEST_GAP:
            silence = min(late, LONGEST_SILENCE)
            gaps.count += 1
            gaps.length += late
            gaps.filled += silence
            yield _make_silence(frame, round(silence * frame.sample_rate))
        yield frame
        if end is None or abs(late) > SHORTEST_GAP:
            end = start
        if end is not None and frame.sample_rate:
            end += frame.samples / frame.sample_rate


def _make_silence(like: av.AudioFrame, num_samples: int) -> av.AudioFrame:
    """Return a silent frame of the same format."""
    name = like.format.name
    planes = like.layout.nb_channels if like.format.is_planar else 1
    width = num_samples if like.format.is_planar else num_samples * like.layout.nb_channels
    middle = 128 if name.startswith("u8") else 0
    samples = np.full((planes, width), middle, dtype=like.to_ndarray().dtype)
    silence = av.AudioFrame.from_ndarray(samples, format=name, layout=like.layout.name)
    silence.sample_rate = like.sample_rate
    return silence
