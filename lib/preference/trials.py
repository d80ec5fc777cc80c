"""Plans the trials of a preference test: which two checkpoints say which sentence, in which order.

Every pair, every checkpoint and every sentence comes as often as any other, and every checkpoint is
heard first as often as second. Votes that there are already steer the next page: pairs with fewer
votes come first, and checkpoints that are hardly the best any more are not asked about.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from lib.preference.standings import rank_checkpoints
from lib.preference.vote_file import Vote
from lib.tables import read_table, write_table

TRIALS = 40
"""Of a page: some ten minutes of listening."""
HARDLY_BEST = 0.02
"""Less likely the best than this, a checkpoint is out."""

_SENTENCES, _SENTENCE_COLUMNS = "sentences.tsv", ("clip", "text")
_CHECKPOINTS, _CHECKPOINT_COLUMNS = "checkpoints.tsv", ("checkpoint", "epoch")


@dataclass(frozen=True, slots=True)
class Trial:
    """A sentence by two checkpoints, which the listener knows as A and B."""

    clip: str
    a: str
    b: str


def plan_trials(
    epochs: Mapping[str, int], clips: Sequence[str], votes: Sequence[Vote], count: int = TRIALS
) -> list[Trial]:
    """Plan the trials of a page; the same votes give the same ones.

    Parameters
    ----------
    epochs
        Epoch by the name of the checkpoint.
    clips
        The sentences, by their clips.
    count
        Fewer where there are not so many.
    """
    names = find_contenders(epochs, votes)
    known = [vote for vote in votes if vote.a in epochs and vote.b in epochs]
    pairs = Counter(vote.pair for vote in known)
    heard = Counter((vote.clip, vote.pair) for vote in known)
    load: Counter[str] = Counter()
    said: Counter[str] = Counter()
    first: Counter[str] = Counter()
    # The order of chance comes first, so that it decides between equals.
    remaining = sorted(
        ((clip, pair) for pair in combinations(sorted(names), 2) for clip in clips),
        key=lambda row: _shuffle(*row[1], row[0]),
    )
    trials = []
    while remaining and len(trials) < count:
        chosen = min(
            remaining,
            key=lambda row: (
                heard[row],
                pairs[row[1]],
                sum(load[name] for name in row[1]),
                said[row[0]],
            ),
        )
        remaining.remove(chosen)
        clip, pair = chosen
        pairs[pair] += 1
        said[clip] += 1
        load.update(pair)
        a, b = sorted(pair, key=lambda name: (first[name] - load[name] / 2, _shuffle(name, clip)))
        first[a] += 1
        trials.append(Trial(clip, a, b))
    return sorted(trials, key=lambda trial: _shuffle(trial.clip, trial.a, trial.b))


def find_contenders(epochs: Mapping[str, int], votes: Sequence[Vote]) -> list[str]:
    """Return the checkpoints that may be the best: all without votes, two at least."""
    standings = sorted(rank_checkpoints(epochs, votes), key=lambda row: -row.probability_best)
    kept = [row for row in standings if row.probability_best >= HARDLY_BEST]
    names = {row.checkpoint for row in [*kept, *standings[:2]]}
    return [name for name in epochs if name in names]


def write_spoken(folder: Path, texts: Mapping[str, str], epochs: Mapping[str, int]) -> None:
    """Write what was spoken: text by clip, and epoch by checkpoint."""
    write_table(folder / _SENTENCES, _SENTENCE_COLUMNS, texts.items())
    write_table(folder / _CHECKPOINTS, _CHECKPOINT_COLUMNS, epochs.items())


def read_spoken(folder: Path) -> tuple[dict[str, str], dict[str, int]]:
    """Read what was spoken: text by clip, and epoch by checkpoint."""
    sentences = read_table(folder / _SENTENCES, _SENTENCE_COLUMNS)
    checkpoints = read_table(folder / _CHECKPOINTS, _CHECKPOINT_COLUMNS)
    return (
        {row["clip"]: row["text"] for row in sentences},
        {row["checkpoint"]: int(row["epoch"]) for row in checkpoints},
    )


def _shuffle(*parts: str) -> str:
    """Return what orders things as if by chance, the same in every run."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()
