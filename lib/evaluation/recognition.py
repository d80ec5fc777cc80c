"""Whether speech is understood: which of some sentences a recogniser hears.

A closed set needs no language model and leaves nothing to luck: with 20 candidates, guessing gets
one in 20 right. The recogniser (pocketsphinx, its own English model, offline) is far below today's
best, which makes it a strict listener.
"""

import tempfile
from collections.abc import Mapping, Sequence

import numpy as np
import pocketsphinx

from lib.mms import SAMPLE_RATE

# Digital silence, which no recording has, makes the recogniser deaf: of 60 sentences by espeak-ng
# it hears 37 as they are, 59 with a faint noise (-72 dBFS) and a pause around them.
_NOISE = 8.0
_PAUSE = 0.3


class Recogniser:
    """Hears which of some sentences was said.

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
                file.writelines(f"{word} {said}\n" for word, said in pronunciations.items())
                file.flush()
                choice["dict"] = file.name
            self._decoder = pocketsphinx.Decoder(
                lm=None, samprate=SAMPLE_RATE, loglevel="FATAL", **choice
            )

    def knows(self, word: str) -> bool:
        """Tell whether a lower-case word can be heard."""
        return self._decoder.lookup_word(word) is not None

    def choose(self, samples: np.ndarray, candidates: Sequence[str]) -> int | None:
        """Return the index of the candidate that was heard; None if none was.

        Parameters
        ----------
        samples
            ``(samples,)`` int16 at 16 kHz.
        candidates
            Sentences of lower-case words and spaces.

        Raises
        ------
        ValueError
            If a word is not in the recogniser's dictionary.
        """
        plain = [" ".join(candidate.split()) for candidate in candidates]
        unknown = {w for text in plain for w in text.split() if not self.knows(w)}
        if unknown:
            raise ValueError(f"the recogniser does not know: {', '.join(sorted(unknown))}")
        grammar = f"#JSGF V1.0; grammar closed; public <said> = {' | '.join(plain)};"
        self._decoder.add_jsgf_string("closed", grammar)
        self._decoder.activate_search("closed")
        self._decoder.start_utt()
        self._decoder.process_raw(_in_a_room(samples).tobytes(), full_utt=True)
        self._decoder.end_utt()
        heard = self._decoder.hyp()
        if heard is None or heard.hypstr not in plain:
            return None
        return plain.index(heard.hypstr)


def _in_a_room(samples: np.ndarray) -> np.ndarray:
    """Add the pause and the faint noise, always the same one."""
    padded = np.pad(samples.astype(float), round(_PAUSE * SAMPLE_RATE))
    noise = np.random.default_rng(0).normal(0.0, _NOISE, len(padded))
    return np.clip(np.round(padded + noise), -32768, 32767).astype("<i2")
