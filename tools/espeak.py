"""Speech of espeak-ng with the places of its words, through its C library.

Needs the Debian packages ``espeak-ng`` and ``libespeak-ng1`` (1.51 was used).
"""

import ctypes
import ctypes.util

import numpy as np

_RETRIEVAL = 1  # AUDIO_OUTPUT_RETRIEVAL: samples come to the callback
_UTF8 = 1
_WORD = 1
_PHONEME = 7
_PAUSES = (b"_:", b"_")  # names of the phonemes that are silence
_PHONEME_EVENTS = 1
_END_OF_LIST = 0
_RATE, _PITCH, _RANGE = 1, 3, 4


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.POINTER(ctypes.c_short),
    ctypes.c_int,
    ctypes.POINTER(_Event),
)


class Espeak:
    """The synthesiser of this process; the library hangs when it is set up twice."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("espeak-ng")
        if name is None:
            raise OSError("libespeak-ng is not installed: apt install espeak-ng")
        self._library = ctypes.CDLL(name)
        self.sample_rate = self._library.espeak_Initialize(_RETRIEVAL, 0, None, _PHONEME_EVENTS)
        """Hz."""
        self._samples: list[np.ndarray] = []
        self._starts: dict[int, int] = {}
        self._pauses: list[int] = []
        self._phonemes: list[int] = []
        # Kept, or it would be collected while C still calls it.
        self._callback = _CALLBACK(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(
        self,
        text: str,
        voice: str = "en-us",
        speed: int = 160,
        pitch: int = 50,
        pitch_range: int = 50,
    ) -> tuple[np.ndarray, dict[int, float]]:
        """Speak a text.

        Parameters
        ----------
        speed
            Words a minute.
        pitch, pitch_range
            0 to 100.

        Returns
        -------
        tuple
            ``(samples,)`` int16, and the second at which each word starts, by the position of its
            first character in the text.
        """
        self._samples, self._starts, self._pauses, self._phonemes = [], {}, [], []
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}; `espeak-ng --voices` lists them")
        for parameter, value in ((_RATE, speed), (_PITCH, pitch), (_RANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        content = text.encode()
        self._library.espeak_Synth(content, len(content) + 1, 0, 0, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        starts = {place: sample / self.sample_rate for place, sample in self._starts.items()}
        return np.concatenate(self._samples), starts

    def find_ends(self) -> dict[int, float]:
        """Return the second at which each word of the last text ends, by its position.

        It ends where the next word or a pause begins; the last word of a text where its pause does.
        """
        starts = sorted(self._starts.items(), key=lambda pair: pair[1])
        bounds = sorted([*self._starts.values(), *self._pauses])
        ends = {}
        for place, sample in starts:
            later = next((bound for bound in bounds if bound > sample), None)
            if later is not None:
                ends[place] = later / self.sample_rate
        return ends

    def find_sounds(self) -> dict[int, list[float]]:
        """Return the seconds at which the sounds of each word of the last text start.

        The key is the position of the word; the first sound starts with the word.
        """
        ends, found = self.find_ends(), {}
        for place, start in self._starts.items():
            end = ends.get(place, np.inf) * self.sample_rate
            # The end went through seconds.
            within = sorted({s for s in self._phonemes if start <= s < end - 0.5})
            found[place] = [sample / self.sample_rate for sample in within]
        return found

    def _receive(self, wave, count: int, events) -> int:
        if wave and count:
            self._samples.append(np.ctypeslib.as_array(wave, (count,)).copy())
        number = 0
        while events[number].type != _END_OF_LIST:
            event = events[number]
            if event.type == _WORD:
                self._starts[event.text_position - 1] = event.sample
            elif event.type == _PHONEME:
                (self._pauses if event.id in _PAUSES else self._phonemes).append(event.sample)
            number += 1
        return 0
