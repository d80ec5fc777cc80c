"""Lets kept checkpoints say the same held-out sentences, at one loudness, for a preference test."""

import logging
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

import torch

from lib.base_model.export import export_checkpoint
from lib.evaluation.checkpoints import (
    MAX_SENTENCES,
    KeptCheckpoint,
    limit_sentences,
    list_checkpoints,
)
from lib.evaluation.quality import choose_sentences
from lib.files import atomic_directory, read_json
from lib.preference.count import name_checkpoints
from lib.preference.trials import write_spoken
from lib.synthesis.audio_file import write_speech
from lib.synthesis.synthesizer import SEED, Synthesizer

logger = logging.getLogger(__name__)

MAX_CHECKPOINTS = 8
"""More than these nobody compares by ear: they have 28 pairs."""


def speak_preference_test(
    training: Path,
    base_model: Path,
    dataset: Path,
    loudness: float,
    output: Path,
    threads: int = 1,
) -> None:
    """Write what every checkpoint says: ``{checkpoint}/{clip}.wav``, and two tables.

    Parameters
    ----------
    training
        Summary of the training.
    loudness
        Integrated loudness in LUFS (ITU-R BS.1770), so that the louder one is not preferred.
    output
        Folder to write.

    Raises
    ------
    ValueError
        If fewer than two checkpoints are kept, or no sentence was held out.
    """
    torch.set_num_threads(threads)
    found = list_checkpoints(training)
    wanted = {read_json(training)["best_epoch"], *(last.epoch for last in found[-1:])}
    kept = choose_checkpoints(found, wanted)
    sentences = limit_sentences(choose_sentences(dataset, MAX_SENTENCES))
    if len(kept) < 2 or not sentences:
        lack = "no sentence was held out" if len(kept) > 1 else f"{training} keeps {len(kept)}"
        raise ValueError(
            f"two checkpoints are compared on sentences that were held out, but {lack}: lower "
            "training.checkpoint_every to keep more of them, raise dataset.validation_share to "
            "hold out sentences, and go on with the training"
        )
    named = name_checkpoints(kept)
    with atomic_directory(output) as temporary:
        for name, checkpoint in named.items():
            (temporary / name).mkdir()
            with tempfile.TemporaryDirectory() as scratch:
                export_checkpoint(checkpoint.folder, base_model, Path(scratch) / "model", "und")
                voice = Synthesizer(Path(scratch) / "model")
                for sentence in sentences:
                    speech = voice.synthesize(sentence.text, sentence.speaker, SEED)
                    path = temporary / name / f"{sentence.clip}.wav"
                    write_speech(path, [speech], voice.sample_rate, loudness)
            logger.info("epoch %d said %d sentences", checkpoint.epoch, len(sentences))
        write_spoken(
            temporary,
            {sentence.clip: sentence.text for sentence in sentences},
            {name: checkpoint.epoch for name, checkpoint in named.items()},
        )


def choose_checkpoints(
    kept: Sequence[KeptCheckpoint], wanted: Collection[int | None]
) -> list[KeptCheckpoint]:
    """Choose at most `MAX_CHECKPOINTS`: those wanted, and others evenly spread over the training.

    Parameters
    ----------
    kept
        In order of their epochs.
    wanted
        Epochs that are compared in any case.
    """
    chosen = [checkpoint for checkpoint in kept if checkpoint.epoch in wanted]
    others = [checkpoint for checkpoint in kept if checkpoint.epoch not in wanted]
    room = min(max(0, MAX_CHECKPOINTS - len(chosen)), len(others))
    # From the end on: the first checkpoints are seldom the best.
    spread = [others[len(others) - 1 - i * len(others) // room] for i in range(room)]
    return sorted([*chosen, *spread], key=lambda checkpoint: checkpoint.epoch)
