"""Chooses the clips of the speaker review page: which are listed, and which have sound."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

# Seconds of a clip that can be played: enough to recognise a speaker.
MAX_SECONDS = 8.0
# Seconds of all sounds together: each takes 4 kB of the page.
TOTAL_SECONDS = 1200.0
# Clips with sound per speaker.
MAX_PLAYERS = 40
# Clips with sound per group of a review suggestion.
SUGGESTION_PLAYERS = 3
MAX_POINTS = 1500
MAX_CLIPS = 10_000
# Typical clips are those of about this length, in seconds.
TYPICAL_SECONDS = 4.0


@dataclass(slots=True)
class Item:
    """A clip as the page shows it.

    Attributes
    ----------
    clip, speaker
        Ids.
    confidence
        How certain the speaker is, from 0 to 1.
    seconds
        Duration of the clip.
    place
        Coordinates on the speaker map.
    excluded
        Whether the user's overrides exclude the clip.
    reasons
        Numbers of the reasons to review its speaker; empty for a clip without any.
    sound
        Number of its sound on the page; -1 without.
    """

    clip: str
    speaker: str
    confidence: float
    seconds: float
    place: tuple[float, float]
    text: str
    excluded: bool
    reasons: list[int] = field(default_factory=list)
    sound: int = -1


def choose_sounds(items: Sequence[Item], groups: Sequence[Sequence[str]]) -> list[str]:
    """Return the clips that can be played on the page.

    The speakers take turns, so that each has some sounds. The first clips of a speaker are those of
    review suggestions. Then typical clips and clips to review alternate.

    Parameters
    ----------
    items
        All clips.
    groups
        Groups of clips of the review suggestions.
    """
    suggested = {clip for group in groups for clip in _spread(sorted(group), SUGGESTION_PLAYERS)}
    queues = {}
    for speaker in sorted({item.speaker for item in items}):
        own = [item for item in items if item.speaker == speaker]
        typical = sorted(
            (item for item in own if not item.reasons),
            key=lambda item: (
                -round(item.confidence, 1),
                abs(item.seconds - TYPICAL_SECONDS),
                item.clip,
            ),
        )
        first = [item for item in own if item.clip in suggested]
        others = _alternate(typical, [item for item in own if item.reasons])
        queue = {item.clip: item for item in [*first, *others]}
        queues[speaker] = list(queue.values())[: max(MAX_PLAYERS, len(first))]
    chosen, seconds = [], 0.0
    for turn in range(max(map(len, queues.values()), default=0)):
        for queue in queues.values():
            length = min(queue[turn].seconds, MAX_SECONDS) if turn < len(queue) else 0.0
            if length and seconds + length <= TOTAL_SECONDS:
                chosen.append(queue[turn].clip)
                seconds += length
    return chosen


def choose_listed(items: Sequence[Item], with_sound: Collection[str]) -> list[Item]:
    """Return the clips that the page lists, in the order of `items`."""
    with_sound = set(with_sound)
    ranked = sorted(items, key=lambda item: (item.clip not in with_sound, _rank(item)))
    chosen = {item.clip for item in ranked[:MAX_CLIPS]}
    return [item for item in items if item.clip in chosen]


def choose_mapped(items: Sequence[Item]) -> list[int]:
    """Return the places in `items` of the clips that the speaker map shows, in ascending order."""
    ranked = sorted(range(len(items)), key=lambda number: _rank(items[number]))
    return sorted(ranked[:MAX_POINTS])


def _rank(item: Item) -> tuple[bool, bool, bytes]:
    """Order clips: those with sound, those to review, then the others in a fixed random order."""
    chance = hashlib.blake2b(item.clip.encode(), digest_size=8).digest()
    return item.sound < 0, not item.reasons, chance


def _alternate(first: Sequence[Item], second: Sequence[Item]) -> list[Item]:
    """Return items of both in turns, then the rest of the longer one."""
    pairs = zip(first, second, strict=False)
    shorter = min(len(first), len(second))
    return [item for pair in pairs for item in pair] + [*first[shorter:], *second[shorter:]]


def _spread(clips: Sequence[str], number: int) -> list[str]:
    """Return at most this many clips, evenly spread."""
    step = max(1, len(clips) / number)
    return [clips[int(n * step)] for n in range(min(number, len(clips)))]
