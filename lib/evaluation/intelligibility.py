"""Closed-set intelligibility: a recogniser chooses which of twenty sentences was spoken.

There are two tests. In one the candidates are other sentences. In the other they differ from the
spoken sentence in one word. A random choice is right once in twenty times.
"""

import random
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from lib.evaluation.recognition import Recogniser

CANDIDATES = 20
_SHORT = 3
"""Most letters of a word that is not tested: words like "a" and "the" are hardly audible."""


def normalise_transcript(text: str) -> str:
    """Return a text as lower-case words without accents and punctuation, as in a dictionary."""
    letters = unicodedata.normalize("NFD", text.lower().replace("’", "'"))
    kept = "".join(c for c in letters if not unicodedata.combining(c))
    words = re.sub(r"[^\w' ]", " ", kept).split()
    return " ".join(word.strip("'") for word in words if word.strip("'"))


class IntelligibilityTest:
    """Closed-set tests of intelligibility.

    Parameters
    ----------
    recogniser
        It chooses the sentence that was spoken.
    texts
        Sentences and words of these texts are the candidates.
    seed
        Seed of the choice of candidates.
    """

    def __init__(self, recogniser: Recogniser, texts: Sequence[str], seed: int = 0) -> None:
        self.recogniser = recogniser
        self.seed = seed
        plain = dict.fromkeys(map(normalise_transcript, texts))
        self.sentences = sorted(text for text in plain if text and self._knows(text))
        self.words = sorted({w for s in self.sentences for w in s.split() if len(w) > _SHORT})

    def can_test(self, text: str) -> bool:
        """Return whether both tests can be made with speech of a text."""
        plain = normalise_transcript(text)
        enough = min(len(self.sentences), len(self.words)) >= CANDIDATES
        long = any(len(word) > _SHORT for word in plain.split())
        return enough and long and self._knows(plain)

    def recognises_sentence(self, samples: np.ndarray, text: str) -> bool:
        """Return whether the recogniser tells a sentence from 19 others.

        Parameters
        ----------
        samples
            ``(samples,)`` float at 16 kHz.
        text
            The sentence that was spoken.
        """
        spoken = normalise_transcript(text)
        others = [sentence for sentence in self.sentences if sentence != spoken]
        return self._is_chosen(samples, spoken, self._rng(text).sample(others, CANDIDATES - 1))

    def recognises_word(self, samples: np.ndarray, text: str) -> bool:
        """Return whether the recogniser tells a sentence from 19 that differ in one word.

        All of them differ in the same word; see `recognises_sentence` for the parameters.
        """
        rng = self._rng(text)
        words = normalise_transcript(text).split()
        place = rng.choice([i for i, word in enumerate(words) if len(word) > _SHORT])
        others = rng.sample([w for w in self.words if w != words[place]], CANDIDATES - 1)
        changed = [" ".join([*words[:place], w, *words[place + 1 :]]) for w in others]
        return self._is_chosen(samples, " ".join(words), changed)

    def _rng(self, text: str) -> random.Random:
        # Recordings and every voice are tested with the same candidates.
        return random.Random(f"{self.seed} {text}")

    def _knows(self, plain: str) -> bool:
        return all(map(self.recogniser.knows, plain.split()))

    def _is_chosen(self, samples: np.ndarray, spoken: str, others: Sequence[str]) -> bool:
        peak = max(float(np.abs(samples).max(initial=0.0)), 1e-9)
        scaled = np.round(samples / peak * 16_000).astype(np.int16)
        return self.recogniser.choose(scaled, [spoken, *others]) == 0
