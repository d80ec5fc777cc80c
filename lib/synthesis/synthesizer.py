"""A trained voice, loaded to synthesize texts."""

import logging
from pathlib import Path

import torch
from transformers import VitsModel, VitsTokenizer

from lib.base_model.record import read_speakers
from lib.text.frontend import TextFrontend
from lib.vits.synthesis import synthesize

logger = logging.getLogger(__name__)

SEED = 0


class Synthesizer:
    """A trained voice, loaded by plain transformers.

    Parameters
    ----------
    directory
        Folder of the voice, like ``results/model``.

    Raises
    ------
    ValueError
        If the folder has no model.
    """

    def __init__(self, directory: Path) -> None:
        if not (directory / "config.json").is_file():
            raise ValueError(f"{directory} holds no model; expected the folder model/ of a run")
        self.model = VitsModel.from_pretrained(directory, dtype=torch.float32).eval()
        self.tokenizer = VitsTokenizer.from_pretrained(directory)
        self.speakers = read_speakers(directory)
        self.frontend = TextFrontend.read(directory)

    @property
    def sample_rate(self) -> int:
        """Sample rate of the speech in Hz."""
        return self.model.config.sampling_rate

    def row(self, speaker: str) -> int:
        """Return the row of a speaker in the speaker table, by id or by name.

        Raises
        ------
        ValueError
            If there is no such speaker; the message has the known ones.
        """
        for key, entry in self.speakers.items():
            if speaker in (key, entry["name"]):
                return entry["index"]
        known = ", ".join(f"{key} ({entry['name']})" for key, entry in self.speakers.items())
        raise ValueError(f"no speaker '{speaker}'; there are: {known}")

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text, and log the letters and digits that are unknown.

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

    def synthesize(self, text: str, speaker: str, seed: int = SEED) -> torch.Tensor:
        """Synthesize a text and return the waveform, ``(samples,)`` float.

        Raises
        ------
        ValueError
            If there is no such speaker, or nothing of the text is in the vocabulary.
        """
        return synthesize(self.model, self.encode(text), self.row(speaker), seed)
