"""Choose the speaker of a multi-speaker base that each new speaker starts from.

A new speaker starts as a copy of the known row with the lowest losses on its recordings. A mean of
known rows might give no intelligible speech, whereas a known row is as good as the base.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from transformers import VitsModel, VitsTokenizer

from lib.base_model.clips import load_clips
from lib.corpus.saved_dataset import read_split
from lib.vits.clips import TrainingClip, measure_losses
from lib.vits.spectrogram import Spectrogram

logger = logging.getLogger(__name__)

CLIPS = 4
"""Number of recordings of a new speaker on which every known speaker is measured."""
MAX_TRIALS = 600
"""Most pairs of a new and a known speaker; with more, evenly spaced known ones are measured."""
# Short clips are as informative as long ones and take less time; very short ones are not.
_SECONDS = 3.0
_SEGMENT_FRAMES = 32
_SEED = 0


def nearest_rows(
    model: VitsModel,
    tokenizer: VitsTokenizer,
    dataset: Path,
    speakers: Sequence[str],
) -> dict[str, int]:
    """Find the row of the speaker table that fits each speaker's recordings best.

    For each row the losses of the recordings are measured: mel for the sound, KL for the
    pronunciation of the letters, duration for the rhythm. The row with the lowest sum of ranks is
    taken. With the loss weights of the training the sound alone would decide, so that a speaker of
    another language could be chosen.

    Parameters
    ----------
    model
        A model with a speaker table.
    dataset
        Folder of the dataset; recordings of its training split are used.
    speakers
        Ids of the new speakers. One without a recording in that split gets the first row.
    """
    rows = list(read_split(dataset / "train", ["id", "speaker_id", "duration"]))
    chosen = {speaker: _choose_clips(rows, speaker) for speaker in speakers}
    wanted = {clip for clips in chosen.values() for clip in clips}
    loaded = load_clips(dataset / "train", tokenizer, dict.fromkeys(speakers, 0), wanted)
    recordings = {clip.id: clip for clip in loaded}
    candidates = _spread(model.config.num_speakers, MAX_TRIALS // max(1, len(speakers)))
    nearest = {}
    for speaker, names in chosen.items():
        clips = [recordings[name] for name in names]
        losses = [_measure(model, clips, row) for row in candidates] if clips else []
        nearest[speaker] = candidates[_best(losses)] if losses else 0
        logger.info("%s starts from speaker %d of the base", speaker, nearest[speaker])
    return nearest


def _choose_clips(rows: Sequence[Mapping[str, Any]], speaker: str) -> list[str]:
    """Return the ids of a speaker's clips that are nearest to the wanted length."""
    own = [row for row in rows if row["speaker_id"] == speaker]
    own.sort(key=lambda row: (abs(row["duration"] - _SECONDS), row["id"]))
    return [row["id"] for row in own[:CLIPS]]


def _spread(total: int, limit: int) -> list[int]:
    """Return `limit` numbers below `total`, evenly spaced, or all of them."""
    count = max(1, min(total, limit))
    return [index * total // count for index in range(count)]


def _best(losses: Sequence[Mapping[str, float]]) -> int:
    """Return the index of the lowest sum of ranks; of equal ones that of the lowest mel loss."""
    table = np.array([list(found.values()) for found in losses])
    # The rank in a loss is the number of rows that are better.
    total = (table[:, None] > table[None]).sum((1, 2))
    return min(range(len(losses)), key=lambda place: (total[place], losses[place]["mel"]))


def _measure(model: VitsModel, clips: Sequence[TrainingClip], row: int) -> dict[str, float]:
    """Return the losses of clips with the given row as their speaker."""
    given = [replace(clip, speaker=row) for clip in clips]
    losses, _ = measure_losses(model, given, Spectrogram(), _SEGMENT_FRAMES, len(given), _SEED)
    return losses
