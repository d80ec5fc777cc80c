"""The split into training and validation, which is decided once for every text."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lib.tables import read_table, write_table

logger = logging.getLogger(__name__)

TRAIN, VALIDATION = "train", "validation"

# A speaker with at least this many clips always has one for validation.
ENOUGH_CLIPS = 10

COLUMNS = ("clip", "text", "split", "share")


@dataclass(frozen=True, slots=True)
class Utterance:
    """A clip's text and speaker, on which the split depends.

    Attributes
    ----------
    clip
        Id of the clip.
    key
        Hash of the text, which is equal for texts that are read aloud alike.
    speaker
        Id of the speaker.
    """

    clip: str
    key: str
    speaker: str


def split_texts(
    utterances: Iterable[Utterance], share: float, earlier: Mapping[str, str]
) -> dict[str, str]:
    """Decide for every text whether it is for training or validation.

    All clips of a text are in the same split. The texts are taken in the order of their hashes,
    which is random but the same on every machine. A text is for validation if that brings its
    speakers nearer to `share`. Then each speaker with ten or more clips and none for validation
    gets the text that changes the shares least.

    Parameters
    ----------
    utterances
        All clips of the dataset.
    share
        Share of each speaker's clips that is for validation.
    earlier
        Earlier decisions, which are kept: split by hash of the text.

    Returns
    -------
    dict
        Split by hash of the text, for the texts of `utterances`.
    """
    texts: dict[str, Counter[str]] = {}
    for utterance in utterances:
        texts.setdefault(utterance.key, Counter())[utterance.speaker] += 1
    balance = _Balance(texts, share)
    splits = {key: earlier[key] for key in texts if key in earlier}
    for key, split in splits.items():
        if split == VALIDATION:
            balance.add(texts[key])
    undecided = sorted(texts.keys() - splits.keys())
    for key in undecided:
        chosen = balance.change(texts[key]) < 0 and not balance.empties_training(texts[key])
        splits[key] = VALIDATION if chosen else TRAIN
        if chosen:
            balance.add(texts[key])
    _cover_speakers(texts, undecided, splits, balance)
    return splits


class _Balance:
    """Compares each speaker's number of validation clips with the wanted number."""

    def __init__(self, texts: Mapping[str, Counter[str]], share: float) -> None:
        self.clips = sum(texts.values(), Counter())
        self.chosen: Counter[str] = Counter()
        self.wanted = {
            speaker: max(share * count, 1.0 if share > 0 and count >= ENOUGH_CLIPS else 0.0)
            for speaker, count in self.clips.items()
        }

    def add(self, speakers: Counter[str]) -> None:
        self.chosen += speakers

    def change(self, speakers: Counter[str]) -> float:
        """Return how much a text for validation increases the distance from the wanted numbers."""
        return sum(
            abs(self.chosen[speaker] + count - self.wanted[speaker])
            - abs(self.chosen[speaker] - self.wanted[speaker])
            for speaker, count in speakers.items()
        )

    def empties_training(self, speakers: Counter[str]) -> bool:
        """Return whether a speaker would have no clip left for training."""
        return any(
            self.chosen[speaker] + count >= self.clips[speaker]
            for speaker, count in speakers.items()
        )

    def uncovered(self) -> list[str]:
        """Return the speakers who should have a validation clip and have none."""
        return sorted(s for s, wanted in self.wanted.items() if wanted >= 1 and not self.chosen[s])


def _cover_speakers(
    texts: Mapping[str, Counter[str]],
    undecided: list[str],
    splits: dict[str, str],
    balance: _Balance,
) -> None:
    """Give a validation text to every speaker who should have one and has none."""
    for speaker in balance.uncovered():
        if balance.chosen[speaker]:
            continue
        open_texts = [
            key
            for key in undecided
            if speaker in texts[key]
            and splits[key] == TRAIN
            and not balance.empties_training(texts[key])
        ]
        if not open_texts:
            logger.warning(
                "%s has no validation clip: all its texts are also training texts of others or "
                "were before",
                speaker,
            )
            continue
        best = min(open_texts, key=lambda key: balance.change(texts[key]))
        splits[best] = VALIDATION
        balance.add(texts[best])


@dataclass(frozen=True, slots=True)
class Decision:
    """The split of a clip, as it is recorded.

    Attributes
    ----------
    key
        Hash of its text.
    split
        `train` or `validation`.
    share
        The share for validation when it was decided.
    """

    key: str
    split: str
    share: float


def standing_splits(decisions: Mapping[str, Decision], share: float) -> dict[str, str]:
    """Return the earlier splits by hash of the text; those of another share are dropped."""
    return {row.key: row.split for row in decisions.values() if row.share == share}


def read_decisions(path: Path) -> dict[str, Decision]:
    """Read the record of the split, by clip; it is empty if the file does not exist.

    Raises
    ------
    ValueError
        If the record is damaged.
    """
    if not path.exists():
        return {}
    try:
        decisions = {
            row["clip"]: Decision(row["text"], row["split"], float(row["share"]))
            for row in read_table(path, COLUMNS)
        }
        sides = {row.split for row in decisions.values()}
        if not sides <= {TRAIN, VALIDATION}:
            raise ValueError(f"it has the splits {sorted(sides)}")
    except ValueError as error:
        raise ValueError(
            f"{path}: the record of the split is damaged ({error}). Put back a copy of this file; "
            "or delete it, and clips are divided anew, so that a model trained before may have "
            "learned what is now for validation"
        ) from error
    return decisions


def write_decisions(path: Path, decisions: Mapping[str, Decision]) -> None:
    """Write the record of the split atomically."""
    rows = ((clip, row.key, row.split, row.share) for clip, row in sorted(decisions.items()))
    write_table(path, COLUMNS, rows)
