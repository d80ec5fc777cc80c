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

_DEVIATIONS = 3.0
_SCALE = 1.4826
"""From the median absolute deviation to the standard deviation of a normal distribution."""


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
        """Set the floor by recordings: three deviations below their usual likelihood.

        Without it, one of twenty sentences would be the likeliest in noise as well.
        """
        likelihoods = np.array(
            [
                judge.score(judge.encode(c.audio, c.speaker), [c.input_ids.tolist()])[0].likelihood
                for c in recordings
            ]
        )
        middle = np.median(likelihoods)
        deviation = _SCALE * np.median(np.abs(likelihoods - middle))
        floor = float(middle - _DEVIATIONS * deviation)
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
