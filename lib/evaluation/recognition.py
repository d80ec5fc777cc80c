"""A speech recogniser that chooses one of a closed set of sentences.

A closed set needs no language model, and the share of right answers by chance is known: one in 20
for 20 candidates. The recogniser is pocketsphinx with its own English model, which works offline.
It recognises less than today's best recognisers, so that the test is a strict one.
"""

import re
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import pocketsphinx

from lib.mms import SAMPLE_RATE

# The recogniser fails on digital silence, which no recording has. Of 60 sentences by espeak-ng it
# recognises 37 without, and 59 with a faint noise (-72 dBFS) and a pause before and after them.
_NOISE = 8.0
_PAUSE = 0.3


class Recogniser:
    """Chooses which of some sentences was spoken.

    Parameters
    ----------
    pronunciations
        Words of another language than English, each with its sounds in ARPABET
        ("kuda": "K UW D AA"); None takes the English dictionary.
    """

    def __init__(self, pronunciations: Mapping[str, str] | None = None) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".dict", encoding="utf-8") as file:
            choice = {}
            if pronunciations is not None:
                file.writelines(f"{word} {sounds}\n" for word, sounds in pronunciations.items())
                file.flush()
                choice["dict"] = file.name
            self._decoder = pocketsphinx.Decoder(
                lm=None, samprate=SAMPLE_RATE, loglevel="FATAL", **choice
            )

    def knows(self, word: str) -> bool:
        """Return whether a lower-case word is in the recogniser's dictionary."""
        return self._decoder.lookup_word(word) is not None

    @staticmethod
    def normalise(text: str) -> str:
        """Return a text as lower-case words without accents and punctuation, as in a dictionary."""
        letters = unicodedata.normalize("NFD", text.lower().replace("’", "'"))
        kept = "".join(c for c in letters if not unicodedata.combining(c))
        words = re.sub(r"[^\w' ]", " ", kept).split()
        return " ".join(word.strip("'") for word in words if word.strip("'"))

    def choose(
        self, samples: np.ndarray, candidates: Sequence[str], speaker: str | None = None
    ) -> int | None:
        """Return the index of the candidate that was recognised; None if none was.

        Parameters
        ----------
        samples
            ``(samples,)`` int16 at 16 kHz.
        candidates
            Sentences of lower-case words and spaces.
        speaker
            Whose voice it is, which this recogniser does not use.

        Raises
        ------
        ValueError
            If a word is not in the recogniser's dictionary.
        """
        plain = [" ".join(candidate.split()) for candidate in candidates]
        unknown = {w for text in plain for w in text.split() if not self.knows(w)}
        if unknown:
            raise ValueError(f"the recogniser does not know: {', '.join(sorted(unknown))}")
        grammar = f"#JSGF V1.0; grammar closed; public <sentence> = {' | '.join(plain)};"
        self._decoder.add_jsgf_string("closed", grammar)
        self._decoder.activate_search("closed")
        self._decoder.start_utt()
        self._decoder.process_raw(_add_pause_and_noise(samples).tobytes(), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        if hypothesis is None or hypothesis.hypstr not in plain:
            return None
        return plain.index(hypothesis.hypstr)


def _add_pause_and_noise(samples: np.ndarray) -> np.ndarray:
    """Add the pauses and the faint noise, which is always the same."""
    padded = np.pad(samples.astype(float), round(_PAUSE * SAMPLE_RATE))
    noise = np.random.default_rng(0).normal(0.0, _NOISE, len(padded))
    return np.clip(np.round(padded + noise), -32768, 32767).astype("<i2")
