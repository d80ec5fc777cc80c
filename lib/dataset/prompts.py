"""What to record next: the sentences that show a voice most of what it has seldom seen.

A text is worth what its letters, pairs of letters and words are worth, and each of these the less
the more often it was recorded: n times are worth log(1 + n). The sentences are chosen one after the
other, each the one that adds most for its length (van Santen and Buchsbaum, Methods for optimal
text selection, Eurospeech 1997). What a text adds only gets less, which is why this greedy choice
is a good one (Nemhauser, Wolsey and Fisher 1978).
"""

import heapq
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

Unit = tuple[str, str]
"""Kind (`letter`, `pair` or `word`) and characters; the space of a pair is the edge of a word."""

_OVERHEAD_LETTERS = 15
"""What it costs to record a sentence at all, in letters: about a second of reading and pausing."""
RARE = 5
"""A unit that was recorded less often is rare."""


@dataclass(frozen=True)
class Prompt:
    """A sentence to record."""

    key: str
    gain: float
    """What it adds when those before it are recorded, per letter and overhead."""
    brings: tuple[Unit, ...]
    """Its units that are rare when those before it are recorded, the rarest first."""


def count_units(text: str) -> Counter[Unit]:
    """Count the letters, pairs of letters and words of a text."""
    units: Counter[Unit] = Counter()
    for word in text.split():
        units["word", word] += 1
        units.update(("letter", character) for character in word)
        padded = f" {word} "
        units.update(("pair", padded[i : i + 2]) for i in range(len(padded) - 1))
    return units


def choose_prompts(
    recorded: Iterable[str],
    candidates: Mapping[str, str],
    count: int,
    new_letters: Mapping[str, str] | None = None,
    badly_spoken: Collection[str] = (),
) -> list[Prompt]:
    """Choose the sentences that help most, the first of which helps most of all.

    Parameters
    ----------
    recorded
        Texts that were recorded.
    candidates
        Texts that can be recorded, by key, written as the recorded ones are. One that was recorded
        word for word, and one that others of the list are equal to, is chosen once at most.
    count
        Most sentences to choose.
    new_letters
        Letters, by key, that the voice does not know and the text as it is written lacks.
    badly_spoken
        Letters that the voice has not learnt from its recordings: as if there were none of them.
    """
    known: Counter[Unit] = Counter()
    spoken = set()
    for text in recorded:
        known.update(count_units(text))
        spoken.add(text)
    for letter in badly_spoken:
        known["letter", letter] = 0
    units = {}
    for key, text in candidates.items():
        if text.strip() and text not in spoken:
            spoken.add(text)
            units[key] = count_units(text)
            units[key].update(("letter", letter) for letter in (new_letters or {}).get(key, ""))

    def gain(key: str) -> float:
        added = sum(
            math.log1p(known[unit] + times) - math.log1p(known[unit])
            for unit, times in units[key].items()
        )
        return added / (len(candidates[key]) + _OVERHEAD_LETTERS)

    # A gain only gets less: what was computed before is a bound, and is looked at again on top.
    queue = [(-gain(key), place, key) for place, key in enumerate(units)]
    heapq.heapify(queue)
    chosen: list[Prompt] = []
    while queue and len(chosen) < count:
        _, place, key = queue[0]
        now = gain(key)
        if len(queue) > 1 and (-now, place) > min(queue[1:3])[:2]:
            heapq.heapreplace(queue, (-now, place, key))
            continue
        heapq.heappop(queue)
        rare = sorted((known[unit], unit) for unit in units[key] if known[unit] < RARE)
        chosen.append(Prompt(key, now, tuple(unit for _, unit in rare)))
        known.update(units[key])
    return chosen


def find_rare(recorded: Iterable[str], kinds: Sequence[str]) -> list[tuple[Unit, int]]:
    """Return the units of some kinds that were recorded, but seldom, the rarest first."""
    known: Counter[Unit] = Counter()
    for text in recorded:
        known.update(count_units(text))
    rare = [(unit, times) for unit, times in known.items() if times < RARE and unit[0] in kinds]
    return sorted(rare, key=lambda pair: (pair[1], pair[0]))
