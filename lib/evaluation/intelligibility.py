"""Listening tests with a closed answer: which of twenty sentences was said.

One asks for the sentence among others, the other among those that differ from it in one word. Who
guesses gets one in twenty right.
"""

import random
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from lib.evaluation.recognition import Recogniser

CANDIDATES = 20
_SHORT = 3
"""Letters of a word too short to be asked for: "a" and "the" are hardly heard by anyone."""


def write_plainly(text: str) -> str:
    """Write a text in lower-case words without accents and punctuation, as dictionaries do."""
    letters = unicodedata.normalize("NFD", text.lower().replace("’", "'"))
    kept = "".join(c for c in letters if not unicodedata.combining(c))
    words = re.sub(r"[^\w' ]", " ", kept).split()
    return " ".join(word.strip("'") for word in words if word.strip("'"))


class ListeningTest:
    """Asks a recogniser what it hears, with candidates from some texts."""

    def __init__(self, recogniser: Recogniser, texts: Sequence[str], seed: int = 0) -> None:
        self.recogniser = recogniser
        self.seed = seed
        plain = dict.fromkeys(map(write_plainly, texts))
        self.sentences = sorted(text for text in plain if text and self._knows(text))
        self.words = sorted({w for s in self.sentences for w in s.split() if len(w) > _SHORT})

    def can_ask(self, text: str) -> bool:
        """Tell whether both questions can be asked of a text that was said."""
        plain = write_plainly(text)
        enough = min(len(self.sentences), len(self.words)) >= CANDIDATES
        long = any(len(word) > _SHORT for word in plain.split())
        return enough and long and self._knows(plain)

    def hears_sentence(self, samples: np.ndarray, text: str) -> bool:
        """Tell whether a sentence is heard among others; ``(samples,)`` float at 16 kHz."""
        said = write_plainly(text)
        others = [sentence for sentence in self.sentences if sentence != said]
        return self._is_chosen(samples, said, self._rng(text).sample(others, CANDIDATES - 1))

    def hears_word(self, samples: np.ndarray, text: str) -> bool:
        """Tell whether a sentence is heard among those that differ in one and the same word."""
        rng = self._rng(text)
        words = write_plainly(text).split()
        place = rng.choice([i for i, word in enumerate(words) if len(word) > _SHORT])
        others = rng.sample([w for w in self.words if w != words[place]], CANDIDATES - 1)
        changed = [" ".join([*words[:place], w, *words[place + 1 :]]) for w in others]
        return self._is_chosen(samples, " ".join(words), changed)

    def _rng(self, text: str) -> random.Random:
        # The same questions for recordings and for every voice.
        return random.Random(f"{self.seed} {text}")

    def _knows(self, plain: str) -> bool:
        return all(map(self.recogniser.knows, plain.split()))

    def _is_chosen(self, samples: np.ndarray, said: str, others: Sequence[str]) -> bool:
        loudest = max(float(np.abs(samples).max(initial=0.0)), 1e-9)
        heard = np.round(samples / loudest * 16_000).astype(np.int16)
        return self.recogniser.choose(heard, [said, *others]) == 0
