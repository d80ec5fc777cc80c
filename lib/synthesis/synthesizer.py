"""A trained voice, loaded to synthesize texts."""

import hashlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lib.config.outcome import SpeechSettings
from lib.files import read_json
from lib.logs import hide_loading_bars
from lib.synthesis.division import divide_text
from lib.synthesis.sound import Sound, SpeechModel
from lib.synthesis.tokens import CharacterTokenizer
from lib.text.frontend import TextFrontend

logger = logging.getLogger(__name__)

SEED = 0
MODEL_FILE = "model.onnx"
SPEAKERS_FILE = "speakers.json"
EXPORT_FILE = "export.json"
ONNX_FOLDER = "onnx"
WEIGHTS_FILE = "model.safetensors"
_PIECE = 1 << 24  # bytes
_SHOWN = 80  # characters of a text in a message


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the model speaks at once, and the silence after it."""

    ids: tuple[int, ...]
    pause: float
    """Seconds."""


@dataclass(slots=True)
class PlannedSpeech:
    """A text as the voice speaks it."""

    utterances: list[Utterance] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Letters and digits that are left out, in order."""


class Synthesizer:
    """A trained voice: text, tokenizer and speakers, and a model that torch or onnxruntime runs.

    Parameters
    ----------
    directory
        Folder of the voice. With ``model.onnx`` in it, as in ``results/onnx``, onnxruntime runs it
        and torch is not imported; otherwise, as with ``results/model``, transformers runs it.
    threads
        CPU threads of onnxruntime; 0 takes one for every core.

    Raises
    ------
    ValueError
        If the folder has no model.
    """

    def __init__(self, directory: Path, threads: int = 0) -> None:
        self.model, self.speakers = _load(directory, threads)
        self.tokenizer = CharacterTokenizer.read(directory)
        self.frontend = TextFrontend.read(directory)

    @property
    def sample_rate(self) -> int:
        """Sample rate of the speech in Hz."""
        return self.model.sample_rate

    def row(self, speaker: str | None) -> int:
        """Return the row of a speaker in the speaker table, by id or by name; None is the first.

        Raises
        ------
        ValueError
            If there is no such speaker; the message has the known ones.
        """
        for key, entry in self.speakers.items():
            if speaker in (None, key, entry["name"]):
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
        written, lost = self._write(text)
        if not written:
            raise ValueError(_nothing_known(text))
        _tell_unknown(lost, text)
        return self.tokenizer.encode(written)

    def plan(self, text: str, settings: SpeechSettings | None = None) -> PlannedSpeech:
        """Divide a text of any length into what the model speaks at once.

        Raises
        ------
        ValueError
            If nothing of the text is in the vocabulary.
        """
        planned = PlannedSpeech()
        unknown: dict[str, None] = {}
        settings = settings or SpeechSettings()
        for part, pause in divide_text(text, self._count, settings, self.frontend.numbers):
            written, lost = self._write(part)
            unknown |= dict.fromkeys(lost)
            if ids := self.tokenizer.encode(written):
                planned.utterances.append(Utterance(tuple(ids), pause))
        if not planned.utterances:
            raise ValueError(_nothing_known(text))
        planned.unknown = list(unknown)
        _tell_unknown(planned.unknown, text)
        return planned

    def synthesize(self, text: str, speaker: str, seed: int = SEED) -> np.ndarray:
        """Synthesize a sentence at once and return the waveform, ``(samples,)`` float32.

        Raises
        ------
        ValueError
            If there is no such speaker, or nothing of the text is in the vocabulary.
        """
        return self.model.generate(self.encode(text), self.row(speaker), Sound(seed=seed))

    def stream(self, planned: PlannedSpeech, row: int, sound: Sound) -> Iterator[np.ndarray]:
        """Yield speech and the silences between, each ``(samples,)`` float32.

        Parameters
        ----------
        row
            Row of the speaker table.
        """
        last = len(planned.utterances) - 1
        for number, utterance in enumerate(planned.utterances):
            yield self.model.generate(list(utterance.ids), row, sound)
            if number < last:
                yield np.zeros(round(utterance.pause * self.sample_rate), np.float32)

    def _count(self, text: str) -> int:
        return len(self.tokenizer.encode(self._write(text)[0]))

    def _write(self, text: str) -> tuple[str, str]:
        tokenizer = self.tokenizer
        return self.frontend.write(text, tokenizer.vocabulary, tokenizer.lowercase)


def find_fastest(directory: Path) -> Path:
    """Return the folder of the same voice as an ONNX file, if there is one beside a model.

    A model is ``results/model``, its ONNX file is in ``results/onnx``. What was exported from other
    weights is passed over.
    """
    exported = _find_exported(directory)
    return exported if exported and _is_of_same_weights(exported, directory) else directory


def load_fastest(directory: Path) -> Synthesizer:
    """Load what `find_fastest` finds; the weights are compared while the ONNX file is loaded.

    Raises
    ------
    ValueError
        If the folder has no model.
    """
    exported = _find_exported(directory)
    if exported:
        with ThreadPoolExecutor(1) as pool:
            is_same = pool.submit(_is_of_same_weights, exported, directory)
            try:
                synthesizer = Synthesizer(exported)
            except ValueError:
                # One that is passed over anyway may be of another version, or damaged.
                if is_same.result():
                    raise
            if is_same.result():
                return synthesizer
    return Synthesizer(directory)


def _find_exported(directory: Path) -> Path | None:
    exported = directory.absolute().parent / ONNX_FOLDER
    is_exported = (directory / MODEL_FILE).is_file()
    return None if is_exported or not (exported / EXPORT_FILE).is_file() else exported


def _is_of_same_weights(exported: Path, directory: Path) -> bool:
    weights = directory / WEIGHTS_FILE
    recorded = read_json(exported / EXPORT_FILE)["weights"]
    if weights.is_file() and recorded == digest_file(weights):
        return True
    logger.info("%s is of other weights than %s, which torch runs", exported, directory)
    return False


def digest_file(path: Path) -> str:
    """Return a digest of a file's content."""
    digest = hashlib.blake2b()
    with path.open("rb") as file:
        # In large pieces, so that other threads go on meanwhile.
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()[:32]


def _load(directory: Path, threads: int) -> tuple[SpeechModel, dict[str, dict[str, Any]]]:
    if (directory / MODEL_FILE).is_file():
        from lib.synthesis.onnx_model import OnnxModel

        return OnnxModel(directory, threads), read_json(directory / SPEAKERS_FILE)
    if not (directory / "config.json").is_file():
        raise ValueError(f"{directory} holds no model; expected the folder model/ of a run")
    from lib.base_model.record import read_speakers
    from lib.synthesis.torch_model import TorchModel

    hide_loading_bars()
    model = TorchModel(directory)
    unnamed = {str(row): {"index": row, "name": str(row)} for row in range(model.num_speakers)}
    return model, read_speakers(directory) or unnamed


def _nothing_known(text: str) -> str:
    return f"no character of {_shorten(text)!r} is in the voice's vocabulary"


def _tell_unknown(lost: str | list[str], text: str) -> None:
    if lost:
        unknown = ", ".join(sorted(set(lost)))
        logger.warning(
            "The voice does not know %s and leaves it out of: %s", unknown, _shorten(text)
        )


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
