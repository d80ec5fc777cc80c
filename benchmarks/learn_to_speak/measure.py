"""How well a model speaks the held-out sentences, and how well it aligns recordings with texts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from transformers import VitsModel, VitsTokenizer

from benchmarks.learn_to_speak.corpus import SEED, invent_corpus
from benchmarks.learn_to_speak.sentences import join, minimal_pairs, other_sentences
from lib.base_model.clips import load_clips
from lib.base_model.record import BaseModel
from lib.evaluation.acoustics import mel_cepstral_distortion
from lib.evaluation.recognition import SAMPLE_RATE, Recogniser
from lib.files import read_json
from lib.vits.clips import TrainingClip, collate, noise_seed
from lib.vits.model import forward_step, prepare_for_training
from lib.vits.spectrogram import Spectrogram
from lib.vits.synthesis import synthesize

_FRAME = 0.016
_BATCH = 12


@dataclass(frozen=True)
class Manner:
    """How much is left to chance when the voice speaks, and how fast it does."""

    noise_scale: float = 0.667
    noise_scale_duration: float = 0.8
    speaking_rate: float = 1.0


@dataclass(frozen=True)
class Quality:
    """Of the held-out sentences; the two counts are out of `sentences`."""

    sentences: int
    which_of_20: int
    minimal_pairs: int
    distortion: float
    """Median mel-cepstral distortion in dB; 0 for the recordings themselves."""
    length_ratio: float
    """Seconds spoken per second recorded."""

    def as_dict(self) -> dict[str, float]:
        """Return plain values."""
        return asdict(self)


def read_recordings(held_out: Path) -> list[np.ndarray]:
    """Read the recordings of the held-out sentences, ``(samples,)`` float at 16 kHz."""
    recordings = []
    for path in sorted(held_out.glob("*.wav")):
        samples, rate = soundfile.read(path)
        recordings.append(soxr.resample(samples, rate, SAMPLE_RATE))
    return recordings


def synthesize_sentences(model_directory: Path, manner: Manner) -> list[np.ndarray]:
    """Synthesize the held-out sentences with plain transformers."""
    model = VitsModel.from_pretrained(model_directory).eval()
    tokenizer = VitsTokenizer.from_pretrained(model_directory)
    for name, value in asdict(manner).items():
        setattr(model, name, value)
    return [
        synthesize(model, tokenizer(join(sentence)).input_ids, 0, SEED).numpy()
        for sentence in invent_corpus()[1]
    ]


def measure_speech(spoken: Sequence[np.ndarray], recordings: Sequence[np.ndarray]) -> Quality:
    """Measure intelligibility, and distortion from the recordings."""
    sentences = invent_corpus()[1]
    texts = [join(sentence) for sentence in sentences]
    recogniser = Recogniser()
    right = {"which_of_20": 0, "minimal_pairs": 0}
    for index, (sentence, samples) in enumerate(zip(sentences, spoken, strict=True)):
        peak = max(float(np.abs(samples).max()), 1e-9)
        scaled = np.round(samples / peak * 16_000).astype(np.int16)
        for task, candidates in (
            ("which_of_20", other_sentences(texts, index, SEED)),
            ("minimal_pairs", minimal_pairs(sentence, index, SEED)),
        ):
            answer = recogniser.choose(scaled, candidates)
            right[task] += answer is not None and candidates[answer] == texts[index]
    pairs = list(zip(spoken, recordings, strict=True))
    distortions = [mel_cepstral_distortion(one, other) for one, other in pairs]
    seconds = [sum(map(len, side)) for side in (spoken, recordings)]
    return Quality(len(texts), **right, **_rounded(distortions, seconds))


def _rounded(distortions: Sequence[float], seconds: Sequence[float]) -> dict[str, float]:
    return {
        "distortion": round(float(np.median(distortions)), 2),
        "length_ratio": round(seconds[0] / seconds[1], 3),
    }


class Aligner:
    """Compares the starts of words in a model's alignment with the true ones."""

    def __init__(self, results: Path, word_starts: Path) -> None:
        self.base = BaseModel.open(results / "base_model")
        tokenizer = VitsTokenizer.from_pretrained(self.base.directory)
        split = results / "dataset/validation"
        self.clips = load_clips(split, tokenizer, self.base.speakers)
        self.word_starts: Mapping[str, Mapping[str, float]] = read_json(word_starts)

    @torch.no_grad()
    def error(self, weights: Mapping[str, torch.Tensor]) -> float:
        """Mean distance in ms over all words but the first of every clip."""
        model = prepare_for_training(VitsModel.from_pretrained(self.base.directory))
        model.load_state_dict(dict(weights))
        model.eval()
        distances = []
        for start in range(0, len(self.clips), _BATCH):
            clips = self.clips[start : start + _BATCH]
            torch.manual_seed(noise_seed(SEED, 0, start))
            path = forward_step(model, None, collate(clips), Spectrogram(), 16).generated.path
            for clip, alignment in zip(clips, path, strict=True):
                distances += self._distances(clip, alignment)
        return 1000 * float(np.mean(distances))

    def _distances(self, clip: TrainingClip, alignment: torch.Tensor) -> list[float]:
        """Seconds between true and found starts; a letter's token is between two blanks."""
        first_frames = alignment.argmax(0)
        truth = {int(place): second for place, second in self.word_starts[clip.id].items()}
        return [
            abs(float(first_frames[2 * place + 1]) * _FRAME - second)
            for place, second in truth.items()
            if place > 0
        ]
