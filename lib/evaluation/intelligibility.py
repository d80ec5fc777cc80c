"""Closed-set intelligibility: a recogniser chooses which of twenty sentences was spoken.

There are two tests. In one the candidates are other sentences. In the other they differ from the
spoken sentence in one word. A random choice is right once in twenty times.
"""

import random
from collections.abc import Sequence
from typing import Protocol

import numpy as np

CANDIDATES = 20
_SHORT = 3
"""Most letters of a word that is not tested: words like "a" and "the" are hardly audible."""


class Listener(Protocol):
    """What chooses the sentence that was spoken: a recogniser, or an alignment."""

    def normalise(self, text: str) -> str:
        """Return the words of a text as they are compared, with spaces between them."""

    def knows(self, word: str) -> bool:
        """Return whether a normalised word can be heard at all."""

    def choose(
        self, samples: np.ndarray, candidates: Sequence[str], speaker: str | None = None
    ) -> int | None:
        """Return the index of the candidate that was heard; None if none was."""


class IntelligibilityTest:
    """Closed-set tests of intelligibility.

    Parameters
    ----------
    listener
        It chooses the sentence that was spoken.
    texts
        Sentences and words of these texts are the candidates.
    seed
        Seed of the choice of candidates.
    """

    def __init__(self, listener: Listener, texts: Sequence[str], seed: int = 0) -> None:
        self.listener = listener
        self.seed = seed
        plain = dict.fromkeys(map(listener.normalise, texts))
        self.sentences = sorted(text for text in plain if text and self._knows(text))
        self.words = sorted({w for s in self.sentences for w in s.split() if len(w) > _SHORT})

    def can_test(self, text: str) -> bool:
        """Return whether both tests can be made with speech of a text."""
        plain = self.listener.normalise(text)
        enough = min(len(self.sentences), len(self.words)) >= CANDIDATES
        long = any(len(word) > _SHORT for word in plain.split())
        return enough and long and self._knows(plain)

    def recognises_sentence(
        self, samples: np.ndarray, text: str, speaker: str | None = None
    ) -> bool:
        """Return whether the recogniser tells a sentence from 19 others.

        Parameters
        ----------
        samples
            ``(samples,)`` float at 16 kHz.
        text
            The sentence that was spoken.
        speaker
            Id of who spoke.
        """
        spoken = self.listener.normalise(text)
        others = [sentence for sentence in self.sentences if sentence != spoken]
        candidates = self._rng(text).sample(others, CANDIDATES - 1)
        return self._is_chosen(samples, spoken, candidates, speaker)

    def recognises_word(self, samples: np.ndarray, text: str, speaker: str | None = None) -> bool:
        """Return whether the recogniser tells a sentence from 19 that differ in one word.

        All of them differ in the same word; see `recognises_sentence` for the parameters.
        """
        rng = self._rng(text)
        words = self.listener.normalise(text).split()
        place = rng.choice([i for i, word in enumerate(words) if len(word) > _SHORT])
        others = rng.sample([w for w in self.words if w != words[place]], CANDIDATES - 1)
        changed = [" ".join([*words[:place], w, *words[place + 1 :]]) for w in others]
        return self._is_chosen(samples, " ".join(words), changed, speaker)

    def _rng(self, text: str) -> random.Random:
        # Recordings and every voice are tested with the same candidates.
        return random.Random(f"{self.seed} {text}")

    def _knows(self, plain: str) -> bool:
        return all(map(self.listener.knows, plain.split()))

    def _is_chosen(
        self, samples: np.ndarray, spoken: str, others: Sequence[str], speaker: str | None
    ) -> bool:
        peak = max(float(np.abs(samples).max(initial=0.0)), 1e-9)
        scaled = np.round(samples / peak * 16_000).astype(np.int16)
        return self.listener.choose(scaled, [spoken, *others], speaker) == 0
