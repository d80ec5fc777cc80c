"""Which voice of a multi-speaker base each new speaker starts from: the one that fits it best.

A row between the known ones is a voice that nobody has, and it may not speak at all; the row of a
known voice speaks as well as the base does.
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
"""Recordings of a speaker that every known voice is tried on."""
MAX_TRIALS = 600
"""Pairs of a new speaker and a known voice; with more, evenly spaced voices are tried."""
# Short clips tell as much in less time, very short ones tell little.
_SECONDS = 3.0
_SEGMENT_FRAMES = 32
_SEED = 0


def nearest_rows(
    model: VitsModel,
    tokenizer: VitsTokenizer,
    dataset: Path,
    speakers: Sequence[str],
) -> dict[str, int]:
    """Find the row of the speaker table that explains each speaker's recordings best.

    With all clips of a speaker given a row, the losses say how well it sounds like them (mel), says
    their letters as they do (KL) and keeps their time (duration). Best is the lowest sum of ranks:
    in the weights of the training the sound alone would decide, and a voice that speaks another
    language would do.

    Parameters
    ----------
    model
        A model with a speaker table.
    dataset
        Folder of the dataset; recordings of its training split are tried.
    speakers
        Ids of the new speakers. One of whom nothing is in that split gets the first row.
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
        logger.info("%s starts from voice %d of the base", speaker, nearest[speaker])
    return nearest


def _choose_clips(rows: Sequence[Mapping[str, Any]], speaker: str) -> list[str]:
    """Take a speaker's clips nearest to the wanted length."""
    own = [row for row in rows if row["speaker_id"] == speaker]
    own.sort(key=lambda row: (abs(row["duration"] - _SECONDS), row["id"]))
    return [row["id"] for row in own[:CLIPS]]


def _spread(total: int, limit: int) -> list[int]:
    """Return `limit` numbers below `total`, evenly spaced, or all of them."""
    count = max(1, min(total, limit))
    return [index * total // count for index in range(count)]


def _best(losses: Sequence[Mapping[str, float]]) -> int:
    """Return the place of the lowest sum of ranks; among equals, of the lowest mel loss."""
    table = np.array([list(found.values()) for found in losses])
    # How many are better, in each loss.
    total = (table[:, None] > table[None]).sum((1, 2))
    return min(range(len(losses)), key=lambda place: (total[place], losses[place]["mel"]))


def _measure(model: VitsModel, clips: Sequence[TrainingClip], row: int) -> dict[str, float]:
    """Return the losses of clips that are taken to be by one speaker."""
    given = [replace(clip, speaker=row) for clip in clips]
    losses, _ = measure_losses(model, given, Spectrogram(), _SEGMENT_FRAMES, len(given), _SEED)
    return losses
