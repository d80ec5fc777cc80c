"""Samples of every speaker of a trained voice."""

import logging
from collections.abc import Sequence
from pathlib import Path

import soundfile

from lib.corpus.saved_dataset import read_split
from lib.files import atomic_directory, write_json
from lib.synthesis.sound import Sound
from lib.synthesis.synthesizer import SEED, Synthesizer

logger = logging.getLogger(__name__)


def synthesize_samples(
    model: Path, dataset: Path, texts: Sequence[str], count: int, output: Path
) -> None:
    """Write ``{speaker}/{number}.wav`` for speakers and sentences, and ``texts.json``.

    The speakers are those of the dataset. The voice may have others, from its base.

    Parameters
    ----------
    model
        Folder of the voice.
    dataset
        Folder of the dataset.
    texts
        Sentences to synthesize. Without any, the first ``count`` texts of the validation split are
        taken, then of the training split. A sentence is left out if the voice knows none of its
        characters.
    count
        Number of sentences that are taken from the dataset.
    output
        Folder to write.

    Raises
    ------
    ValueError
        If the voice knows no character of any sentence.
    """
    synthesizer = Synthesizer(model)
    rows = _read_texts(dataset)
    known = [row["transcript"] for row in rows]
    sentences = _encode_texts(synthesizer, texts or known, len(texts) or count)
    if not sentences:
        raise ValueError(
            "the voice knows no character of samples.texts, nor of the dataset's texts where "
            "that is empty; give sentences in the script that it was trained on"
        )
    in_dataset = {row["speaker_id"] for row in rows}
    speakers = [speaker for speaker in synthesizer.speakers if speaker in in_dataset]
    with atomic_directory(output) as directory:
        for speaker in speakers:
            folder = directory / speaker
            folder.mkdir()
            for number, ids in enumerate(sentences.values(), 1):
                row = synthesizer.row(speaker)
                waveform = synthesizer.model.generate(ids, row, Sound(seed=SEED))
                path = folder / f"{number:02d}.wav"
                soundfile.write(path, waveform, synthesizer.sample_rate, subtype="PCM_16")
        write_json(directory / "texts.json", {f"{n:02d}": t for n, t in enumerate(sentences, 1)})
    logger.info("%d sentences of %d speakers", len(sentences), len(speakers))


def _read_texts(dataset: Path) -> list[dict]:
    """Read texts and speakers of the validation split, then of the training split."""
    return [
        row
        for split in ("validation", "train")
        for row in sorted(
            read_split(dataset / split, ["id", "transcript", "speaker_id"]),
            key=lambda row: row["id"],
        )
    ]


def _encode_texts(
    synthesizer: Synthesizer, texts: Sequence[str], limit: int
) -> dict[str, list[int]]:
    """Return the token ids of the first texts of which the voice knows a character."""
    sentences: dict[str, list[int]] = {}
    for text in texts:
        if len(sentences) == limit:
            break
        try:
            sentences.setdefault(text, synthesizer.encode(text))
        except ValueError as error:
            logger.warning("A sample is left out: %s", error)
    return sentences
