"""Sentences spoken by every speaker of a trained voice."""

import logging
from collections.abc import Sequence
from pathlib import Path

import soundfile

from lib.corpus.saved_dataset import read_split
from lib.files import atomic_directory, write_json
from lib.synthesis.synthesizer import SEED, Synthesizer
from lib.vits.synthesis import synthesize

logger = logging.getLogger(__name__)


def speak_samples(
    model: Path, dataset: Path, texts: Sequence[str], count: int, output: Path
) -> None:
    """Write ``{speaker}/{number}.wav`` for speakers and sentences, and ``texts.json``.

    Speakers are those of the dataset; a voice may know others, from its base.

    Parameters
    ----------
    texts
        What to say; none takes the first ``count`` of the validation split, then of the training
        split. Those of which the voice knows nothing are passed over.

    Raises
    ------
    ValueError
        If there is no sentence of which the voice knows anything.
    """
    voice = Synthesizer(model)
    rows = _read_texts(dataset)
    known = [row["transcript"] for row in rows]
    sentences = _encode_texts(voice, texts or known, len(texts) or count)
    if not sentences:
        raise ValueError(
            "the voice knows no character of samples.texts, nor of the dataset's texts where "
            "that is empty; give sentences in the script that it was trained on"
        )
    in_dataset = {row["speaker_id"] for row in rows}
    speakers = [speaker for speaker in voice.speakers if speaker in in_dataset]
    with atomic_directory(output) as directory:
        for speaker in speakers:
            folder = directory / speaker
            folder.mkdir()
            for number, ids in enumerate(sentences.values(), 1):
                waveform = synthesize(voice.model, ids, voice.row(speaker), SEED)
                path = folder / f"{number:02d}.wav"
                soundfile.write(path, waveform.numpy(), voice.sample_rate, subtype="PCM_16")
        write_json(directory / "texts.json", {f"{n:02d}": t for n, t in enumerate(sentences, 1)})
    logger.info("%d speakers said %d sentences", len(speakers), len(sentences))


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


def _encode_texts(voice: Synthesizer, texts: Sequence[str], limit: int) -> dict[str, list[int]]:
    """Return the token ids of the first texts of which the voice knows something."""
    sentences: dict[str, list[int]] = {}
    for text in texts:
        if len(sentences) == limit:
            break
        try:
            sentences.setdefault(text, voice.encode(text))
        except ValueError as error:
            logger.warning("A sample is left out: %s", error)
    return sentences
