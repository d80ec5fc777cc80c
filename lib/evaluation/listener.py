"""A listener for any language: it chooses which of some sentences was spoken, by an alignment.

It is a VITS that knows the language (`lib.evaluation.comparison`), and never the voice that it
listens to, which would understand its own faults.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from lib.evaluation.comparison import Judge
from lib.evaluation.times import find_words
from lib.text.frontend import TextFrontend
from lib.vits.clips import TrainingClip

LETTER_COLUMNS = ("letter", "times", "difference", "deviations")
FEWEST_TIMES = 8
"""A letter that was spoken less often is not rated: chance would decide."""


@dataclass(frozen=True)
class LetterRating:
    """How much worse a letter is explained in the voice's speech than in the recordings."""

    letter: str
    times: int
    difference: float
    """Mean likelihood in the recordings less that in the speech, less the mean of all letters, in
    nats."""
    deviations: float
    """That in standard deviations of the mean."""


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

    def rate_letters(
        self, spoken: Iterable[tuple[str, str, np.ndarray, np.ndarray]]
    ) -> list[LetterRating]:
        """Rate the letters of sentences that a voice has spoken, the worst first.

        Speech and recording have the same letters in the same places: what makes a letter unlikely
        in both is in the letter or the text, the difference is the voice's.

        Parameters
        ----------
        spoken
            Text, speaker, speech and recording of each sentence; ``(samples,)`` int16 at 16 kHz.
        """
        found: dict[str, list[float]] = defaultdict(list)
        for text, speaker, speech, recording in spoken:
            written = self.normalise(text)
            of_speech, of_recording = (
                self._explain_letters(written, speaker, samples) for samples in (speech, recording)
            )
            for letter, one, other in zip(
                self._letters(written), of_recording, of_speech, strict=False
            ):
                found[letter].append(one - other)
        usual = np.mean([value for own in found.values() for value in own]) if found else 0.0
        ratings = []
        for letter, own in found.items():
            if len(own) >= FEWEST_TIMES and letter.strip():
                excess, deviation = float(np.mean(own) - usual), float(np.std(own, ddof=1))
                unsure = max(deviation / len(own) ** 0.5, 1e-9)
                rating = LetterRating(letter, len(own), round(excess, 4), round(excess / unsure, 2))
                ratings.append(rating)
        return sorted(ratings, key=lambda row: (-row.deviations, row.letter))

    def _letters(self, written: str) -> list[str]:
        """Return the character of every token that is no blank."""
        letters = {number: letter for letter, number in self.judge.tokenizer.get_vocab().items()}
        tokens = self._encode(written)
        return [letters[number] for number in (tokens[1::2] if self._has_blanks else tokens)]

    @property
    def _has_blanks(self) -> bool:
        """Whether a blank is before every letter, and after the last."""
        return self.judge.tokenizer.add_blank

    def _encode(self, written: str) -> list[int]:
        return self.judge.tokenizer(written).input_ids

    def _explain_letters(self, written: str, speaker: str, samples: np.ndarray) -> list[float]:
        """Return the mean likelihood of the frames of every letter and of the blank before it.

        It is empty where the speech is too short for the text.
        """
        latents = self.judge.encode(samples, self.speakers.get(speaker, 0))
        (score,) = self.judge.score(latents, [self._encode(written)])
        ends = np.cumsum(score.durations)[1::2] if self._has_blanks else np.cumsum(score.durations)
        bounds = pairwise([0, *ends])
        return [float(score.frame_likelihoods[begin:end].mean()) for begin, end in bounds]
