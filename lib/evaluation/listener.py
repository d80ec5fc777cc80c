"""A listener for any language: it chooses which of some sentences was spoken, by an alignment.

It is a VITS that knows the language (`lib.evaluation.comparison`), and never the voice that it
listens to, which would understand its own faults.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.evaluation.comparison import Judge
from lib.evaluation.times import find_words
from lib.text.frontend import TextFrontend
from lib.vits.clips import TrainingClip


@dataclass(frozen=True)
class AlignmentListener:
    """Chooses the likeliest sentence, or none where all are unlikelier than speech is."""

    judge: Judge
    frontend: TextFrontend
    speakers: Mapping[str, int]
    """Row in the speaker table by speaker id."""
    floor: float
    """Likelihood below which nothing was understood, in nats."""

    @classmethod
    def fit(
        cls,
        judge: Judge,
        base_model: Path,
        speakers: Mapping[str, int],
        recordings: Sequence[TrainingClip],
    ) -> "AlignmentListener":
        """Set the floor halfway between recordings and white noise that is as long and as loud.

        Without it, one of twenty sentences would be the likeliest in noise as well.
        """
        rng = np.random.default_rng(0)
        found = []
        for clip in recordings:
            noise = rng.normal(0.0, max(1.0, float(np.std(clip.audio))), len(clip.audio))
            noise = np.clip(np.round(noise), -32768, 32767).astype(np.int16)
            for audio in (clip.audio, noise):
                latents = judge.encode(audio, clip.speaker)
                (score,) = judge.score(latents, [clip.input_ids.tolist()])
                found.append(score.likelihood)
        of_speech, of_noise = np.median(np.reshape(found, (-1, 2)), axis=0)
        floor = float((of_speech + of_noise) / 2)
        return cls(judge, TextFrontend.read(base_model), speakers, floor)

    def normalise(self, text: str) -> str:
        """Return the words of a text as they are trained, without punctuation."""
        tokenizer = self.judge.tokenizer
        written, _ = self.frontend.write(text, tokenizer.get_vocab(), tokenizer.normalize)
        return " ".join(written[begin:end] for begin, end in find_words(written))

    def knows(self, word: str) -> bool:
        """Return whether all letters of a normalised word are in the vocabulary."""
        vocabulary = self.judge.tokenizer.get_vocab()
        return all(letter in vocabulary for letter in word)

    def choose(
        self, samples: np.ndarray, candidates: Sequence[str], speaker: str | None = None
    ) -> int | None:
        """Return the index of the likeliest candidate; None if it is below the floor.

        Parameters
        ----------
        samples
            ``(samples,)`` int16 at 16 kHz.
        candidates
            Normalised texts.
        speaker
            Whose voice it is; None takes the first row of the speaker table.
        """
        ids = [self.judge.tokenizer(text).input_ids for text in candidates]
        latents = self.judge.encode(samples, self.speakers.get(speaker, 0))
        likelihoods = [score.likelihood for score in self.judge.score(latents, ids)]
        best = int(np.argmax(likelihoods))
        return best if likelihoods[best] >= self.floor else None
