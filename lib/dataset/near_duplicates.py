"""Find clips that are the same recording in different encodings.

Audio fingerprints (`lib.audio.audio_fingerprint`) of unrelated recordings differ in half of their
bits on average. The deviation from a half depends on the length alone. On recorded speech of 8 to
96 frames its standard deviation was 0.205 to 0.216, divided by the root of the number of frames.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lib.audio.audio_fingerprint import NUM_BITS

CHANCE_DEVIATION = 0.215
# By chance one pair in a million million deviates so much; 50,000 clips have a thousand million
# pairs.
SURE_DEVIATIONS = 7.0
# A second take of the same words differs in fewer bits than by chance, but in at least 0.29 of them
# among 40 repeated sentences. A recording that is encoded again, down to 24 kbit/s, differs in less
# than 0.2.
MOST_WRONG_BITS = 0.25
# Numbers of 32 ms frames by which codecs delay the sound, and by which they lengthen a recording.
MAX_DELAY = 4
MAX_LENGTH_DIFFERENCE = 8
# Number of clips with the same bits at the same time with which each clip is compared.
NEIGHBOURS = 24
BATCH = 4096


@dataclass(frozen=True, slots=True)
class Match:
    """Two clips of the same recording, and the share of the bits that differ."""

    one: str
    other: str
    wrong_bits: float


def find_near_duplicates(audio_fingerprints: Mapping[str, np.ndarray]) -> list[Match]:
    """Find clips of the same recording, by their audio fingerprints.

    All clips are entered into an index by their length, and by 16 bits and their time. Only clips
    that have an entry in common are compared. A clip with many copies is compared with some of
    them.

    Parameters
    ----------
    audio_fingerprints
        ``(num_frames,)`` uint16, by clip.
    """
    clips = sorted(clip for clip, codes in audio_fingerprints.items() if codes.any())
    if len(clips) < 2:
        return []
    lengths = np.array([audio_fingerprints[clip].size for clip in clips])
    codes = np.zeros((len(clips), lengths.max()), np.uint16)
    for row, clip in enumerate(clips):
        codes[row, : lengths[row]] = audio_fingerprints[clip]
    found: dict[tuple[int, int], float] = {}
    pairs_to_compare = _find_common_entries(codes, lengths)
    for start in range(0, len(pairs_to_compare), BATCH):
        one, other, delay = pairs_to_compare[start : start + BATCH].T
        wrong, limit = _compare(codes, one, other, delay)
        for at in np.flatnonzero(wrong <= limit):
            pair = int(one[at]), int(other[at])
            found[pair] = min(found.get(pair, 1.0), float(wrong[at]))
    return [Match(clips[a], clips[b], wrong) for (a, b), wrong in sorted(found.items())]


def find_originals(clips: Sequence[str], matches: Iterable[Match]) -> dict[str, str]:
    """Return the original of each copy: the first in `clips` of all that are connected."""
    place = {clip: at for at, clip in enumerate(clips)}
    first = list(range(len(clips)))

    def follow(at: int) -> int:
        while first[at] != at:
            first[at] = at = first[first[at]]
        return at

    for match in matches:
        earlier, later = sorted((follow(place[match.one]), follow(place[match.other])))
        first[later] = earlier
    return {clip: clips[follow(at)] for clip, at in place.items() if follow(at) != at}


def _find_common_entries(codes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return pairs of rows that have a code in common: rows and delay, (num_pairs, 3)."""
    rows, times = np.nonzero(codes)
    found = [
        pairs
        # Two lengths that differ little are in the same bin for at least one of the two shifts.
        for shift in (0, MAX_LENGTH_DIFFERENCE)
        for pairs in _find_neighbours(
            rows, times, codes[rows, times], (lengths + shift) // (2 * MAX_LENGTH_DIFFERENCE)
        )
    ]
    packed = np.unique(np.concatenate(found))
    pairs, delay = np.divmod(packed, 2 * MAX_DELAY + 1)
    one, other = np.divmod(pairs, len(lengths))
    return np.stack([one, other, delay - MAX_DELAY], axis=1)


def _find_neighbours(
    rows: np.ndarray, times: np.ndarray, codes: np.ndarray, bins: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield packed pairs of entries with the same bin and code at about the same time."""
    # The span keeps entries of different bins or codes further apart than any delay.
    span = int(times.max()) + MAX_DELAY + 1
    places = (bins[rows].astype(np.int64) << NUM_BITS | codes) * span + times
    order = np.argsort(places, kind="stable")
    places, rows, times = places[order], rows[order], times[order]
    near = np.arange(len(places))
    for step in range(1, NEIGHBOURS + 1):
        near = near[: np.searchsorted(near, len(places) - step)]
        near = near[places[near + step] - places[near] <= MAX_DELAY]
        a, b = rows[near], rows[near + step]
        delay = times[near + step] - times[near]
        delay = np.where(a < b, delay, -delay)
        pairs = np.minimum(a, b) * len(bins) + np.maximum(a, b)
        yield (pairs * (2 * MAX_DELAY + 1) + delay + MAX_DELAY)[a != b]


def _compare(
    codes: np.ndarray, one: np.ndarray, other: np.ndarray, delay: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of different bits of each pair, and the largest for the same recording."""
    width = codes.shape[1]
    times = np.arange(width) + delay[:, None]
    inside = (times >= 0) & (times < width)
    later = codes[other[:, None], times.clip(0, width - 1)]
    earlier = codes[one]
    both = inside & (earlier != 0) & (later != 0)
    frames = np.maximum(both.sum(axis=1), 1)
    wrong = (np.bitwise_count(earlier ^ later) * both).sum(axis=1) / (NUM_BITS * frames)
    sure = 0.5 - SURE_DEVIATIONS * CHANCE_DEVIATION / np.sqrt(frames)
    return wrong, np.minimum(sure, MOST_WRONG_BITS)
