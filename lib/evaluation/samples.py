"""Sentences spoken by every speaker of a trained voice."""

import logging
from collections.abc import Sequence
from pathlib import Path

import soundfile
import torch
from transformers import VitsModel, VitsTokenizer

from lib.files import atomic_directory, write_json
from lib.text.frontend import TextFrontend
from lib.training.base_model import read_speakers
from lib.training.data import read_rows
from lib.vits.synthesis import synthesize

logger = logging.getLogger(__name__)

SEED = 0


class Voice:
    """A trained voice, loaded by plain transformers."""

    def __init__(self, directory: Path) -> None:
        if not (directory / "config.json").is_file():
            raise ValueError(f"{directory} holds no model; expected the folder model/ of a run")
        self.model = VitsModel.from_pretrained(directory, dtype=torch.float32).eval()
        self.tokenizer = VitsTokenizer.from_pretrained(directory)
        self.speakers = read_speakers(directory)
        self.frontend = TextFrontend.read(directory)

    @property
    def sample_rate(self) -> int:
        """Of what it says, in Hz."""
        return self.model.config.sampling_rate

    def row(self, speaker: str) -> int:
        """Row of a speaker, given by id or by name.

        Raises
        ------
        ValueError
            With the speakers that there are.
        """
        for key, entry in self.speakers.items():
            if speaker in (key, entry["name"]):
                return entry["index"]
        known = ", ".join(f"{key} ({entry['name']})" for key, entry in self.speakers.items())
        raise ValueError(f"no speaker '{speaker}'; there are: {known}")

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text; say which letters and digits the voice does not know.

        Raises
        ------
        ValueError
            If nothing of the text is in the vocabulary.
        """
        vocabulary = self.tokenizer.get_vocab()
        written, lost = self.frontend.write(text, vocabulary, self.tokenizer.normalize)
        if not written:
            raise ValueError(f"no character of {text!r} is in the voice's vocabulary")
        if lost:
            unknown = ", ".join(sorted(set(lost)))
            logger.warning("The voice does not know %s and leaves it out of: %s", unknown, text)
        return self.tokenizer(written).input_ids

    def speak(self, text: str, speaker: str, seed: int = SEED) -> torch.Tensor:
        """Say a text; ``(samples,)`` float.

        Raises
        ------
        ValueError
            If there is no such speaker, or nothing of the text is in the vocabulary.
        """
        return synthesize(self.model, self.encode(text), self.row(speaker), seed)


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
    voice = Voice(model)
    rows = _read_texts(dataset)
    known = [row["text"] for row in rows]
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
            read_rows(dataset / split, ["id", "text", "speaker_id"]), key=lambda row: row["id"]
        )
    ]


def _encode_texts(voice: Voice, texts: Sequence[str], limit: int) -> dict[str, list[int]]:
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
