"""Where every word and letter of a text is in its recording, from the alignment of a voice.

The voice aligns its own speech and the recordings that it learned from in the same way
(`lib.vits.score`). Its alignment does not model silence and comes late: a letter's frames begin
some 50 ms after its sound does. So words are bounded by what is between them: by the pause where
there is one, else by the first frame of the space. `benchmarks/word_times.py` measures the errors.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_INSIDE_WORDS = "'’ʼ-‐·"
"""What belongs to a word between two of its letters; other punctuation never does."""
_PAUSE_FRAMES = 6
"""Shortest silence between words that is a pause, about 0.1 s; that of a plosive is shorter."""
_SILENCE_DB = 25.0
"""How far below the loud frames of a recording a silent one is."""


@dataclass(frozen=True)
class Interval:
    """A piece of text and its place, in seconds."""

    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Times:
    """The places of a text in a recording."""

    duration: float
    """Seconds of the recording."""
    text: str
    words: tuple[Interval, ...]
    letters: tuple[Interval, ...]
    """Letters, digits and marks that are part of words."""


def find_silence(audio: np.ndarray, hop_length: int) -> np.ndarray:
    """Return which frames of a recording are silent, ``(frames,)`` bool.

    Parameters
    ----------
    audio
        ``(samples,)`` int16 or float.
    hop_length
        Samples of a frame.
    """
    frames = len(audio) // hop_length
    pieces = audio[: frames * hop_length].astype(np.float64).reshape(frames, hop_length)
    power = np.mean(pieces**2, axis=1)
    loud = np.percentile(power, 90) if frames else 0.0
    return power <= loud * 10 ** (-_SILENCE_DB / 10)


def locate_text(
    tokens: Sequence[str], durations: Sequence[int], silent: np.ndarray, frame_seconds: float
) -> Times:
    """Locate the words and letters of a text.

    Parameters
    ----------
    tokens
        Character of every token of the text, from `CharacterTokenizer.divide`; that of a blank is
        empty. The blank after a letter is part of it.
    durations
        Frames of every token.
    silent
        ``(frames,)`` bool, from `find_silence`.
    frame_seconds
        Seconds of a frame.

    Raises
    ------
    ValueError
        If there are not as many durations as tokens, or not as many frames as tokens have.
    """
    places = [place for place, character in enumerate(tokens) if character]
    text = "".join(tokens)
    if len(durations) != len(tokens):
        raise ValueError(f"{len(durations)} durations for the {len(tokens)} tokens of {text!r}")
    if np.sum(durations) != len(silent):
        frames = np.sum(durations)
        raise ValueError(f"the tokens of {text!r} have {frames} frames, not {len(silent)}")
    ends = np.cumsum(durations, dtype=np.int64)
    starts = ends - durations
    own_starts, own_ends = starts[places], ends[places]

    def seconds(frame: int) -> float:
        return round(float(frame) * frame_seconds, 3)

    words_at = list(find_words(text))
    bounds = _bound_words(words_at, own_starts, own_ends, silent)
    words, letters = [], []
    for (begin, end), (first, last) in zip(words_at, bounds, strict=True):
        words.append(Interval(seconds(first), seconds(last), text[begin:end]))
        edges = [first, *np.clip(own_starts[begin + 1 : end], first, last), last]
        letters += [
            Interval(seconds(one), seconds(other), character)
            for character, (one, other) in zip(text[begin:end], pairwise(edges), strict=True)
        ]
    return Times(seconds(len(silent)), text, tuple(words), tuple(letters))


def _bound_words(
    places: Sequence[tuple[int, int]], starts: np.ndarray, ends: np.ndarray, silent: np.ndarray
) -> list[tuple[int, int]]:
    """Return the first frame of every word and the one after its last; words do not overlap.

    Parameters
    ----------
    starts, ends
        Of every character's token, without its blanks.
    """
    if not places:
        return []
    begins, finishes = [_count_silent(silent[: ends[places[0][0]]])], []
    for (_, end), (begin, _) in pairwise(places):
        pause = _find_pause(silent, starts[end - 1], ends[begin])
        # Without one, the next word's first sound is in the frames of what separates the two.
        finish, start = pause or (starts[end], starts[end])
        finishes.append(finish)
        begins.append(start)
    finishes.append(len(silent) - _count_silent(silent[starts[places[-1][1] - 1] :][::-1]))
    return [(int(b), int(max(b, f))) for b, f in zip(begins, finishes, strict=True)]


def _count_silent(frames: np.ndarray) -> int:
    """Return how many frames are silent before the first that is not."""
    return int(np.argmin(frames)) if not frames.all() else len(frames)


def _find_pause(silent: np.ndarray, begin: int, end: int) -> tuple[int, int] | None:
    """Return the longest silence within ``[begin, end)`` if it is a pause."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], silent[begin:end], [0]]).astype(np.int8)))
    runs = edges.reshape(-1, 2)
    if not len(runs):
        return None
    first, last = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    return (begin + first, begin + last) if last - first >= _PAUSE_FRAMES else None


def find_words(text: str) -> Iterator[tuple[int, int]]:
    """Yield begin and end of every word: letters, marks and digits, and what joins them."""
    begin = None
    for place, character in enumerate(text + " "):
        if _is_spoken(character) or (
            begin is not None
            and character in _INSIDE_WORDS
            and place + 1 < len(text)
            and _is_spoken(text[place + 1])
        ):
            begin = place if begin is None else begin
        elif begin is not None:
            yield begin, place
            begin = None


def _is_spoken(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"
