"""Division of texts of any length into what a model can speak at once.

A text is divided at its line ends and at the ends of its sentences. A sentence that is too long is
divided at clauses, then at spaces, then anywhere between two letters. Marks of all scripts are
known (Unicode's properties Sentence_Terminal and Terminal_Punctuation).
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from lib.config.outcome import SpeechSettings
from lib.text.numbers import NumberWriter

# Marks that end a sentence wherever they stand. The Ethiopic word space is one if it is doubled.
SENTENCE_MARKS = (
    "\u037e\u0589\u061d\u061e\u061f\u06d4\u0700\u0701\u0702\u07f9\u0837\u0839\u083d\u083e\u0964"
    "\u0965\u0f0d\u0f0e\u104b\u1362\u1367\u1368\u166e\u1735\u1736\u1803\u1809\u1944\u1945\u1aa8"
    "\u1aa9\u1aaa\u1aab\u1b5a\u1b5b\u1b5e\u1b5f\u1c3b\u1c3c\u1c7e\u1c7f\u203c\u203d\u2047\u2048"
    "\u2049\u2e2e\u2e3c\u3002\ua4ff\ua60e\ua60f\ua6f3\ua6f7\ua876\ua877\ua8ce\ua8cf\ua92f\ua9c8"
    "\ua9c9\uaa5d\uaa5e\uaa5f\uaaf0\uaaf1\uabeb\ufe52\ufe56\ufe57\uff01\uff0e\uff1f\uff61"
)
# Marks that end a sentence if a space or the end of the line follows; a point may do other things.
SPACED_MARKS = ".!?\u1361"
CLAUSE_MARKS = (
    "\u060c\u061b\u07f8\u1363\u1364\u1365\u1366\u104a\u1802\u1808\u3001\uff0c\uff1b\uff1a\uff64"
    "\u2026\u2014\u2e3a\ua4fe\ua60d\ua6f5\ua6f6\u1b5d\u0f14\u17d6"
)
SPACED_CLAUSE_MARKS = ",;:\u2013-"
_CLOSING = "\"'\u2019\u201d\u00bb\u203a\u300d\u300f)]}\u3011\u3015\uff09"
_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CLOSED = f"[{re.escape(_CLOSING)}]*"
_SENTENCE_END = re.compile(
    f"(?:[{SENTENCE_MARKS}]|\u1361\u1361)[{SENTENCE_MARKS}{re.escape(SPACED_MARKS)}]*{_CLOSED}\\s*"
    f"|[{re.escape(SPACED_MARKS)}]+{_CLOSED}(?:\\s+|$)"
)
_CLAUSE_END = re.compile(
    f"[{CLAUSE_MARKS}]+{_CLOSED}\\s*|[{re.escape(SPACED_CLAUSE_MARKS)}]{_CLOSED}\\s+"
)
_WORD_END = re.compile(r"\s+")


def divide_text(
    text: str, count: Callable[[str], int], settings: SpeechSettings, numbers: NumberWriter
) -> Iterator[tuple[str, float]]:
    """Yield the parts of a text, and the seconds of silence after each.

    Nothing of the text is lost but space at the ends of parts.

    Parameters
    ----------
    count
        Returns the number of tokens of a text.
    numbers
        How the voice writes numbers. A point after one is part of it in some languages, and words
        of the user's table may end with a point.
    """
    for line in _LINE_END.split(text):
        sentences = list(_divide_sentences(line, numbers))
        for place, sentence in enumerate(sentences):
            is_last = place == len(sentences) - 1
            mark = _last_mark(sentence)
            default = settings.line_pause if is_last else settings.sentence_pause
            pause = settings.pauses.get(mark, default)
            parts = _divide_long(sentence, count, settings.max_tokens)
            for part in parts[:-1]:
                yield part, settings.pauses.get(_last_mark(part), _clause_pause(part, settings))
            yield from ((part, pause) for part in parts[-1:])


def _divide_sentences(line: str, numbers: NumberWriter) -> Iterator[str]:
    start = 0
    for end in _SENTENCE_END.finditer(line):
        if end[0].strip() == "." and _is_within(line, end, numbers):
            continue
        yield line[start : end.end()].strip()
        start = end.end()
    if rest := line[start:].strip():
        yield rest


def _is_within(line: str, point: re.Match[str], numbers: NumberWriter) -> bool:
    """Return whether a point belongs to an abbreviation, initial or ordinal number."""
    after = line[point.end() :].lstrip("\"'\u201c\u2018\u00ab(\u00bf\u00a1")
    if not after:
        return False
    if after[0].islower():
        return True
    before = line[: point.start()].rsplit(maxsplit=1)
    word = before[-1].lstrip("\"'\u201c\u2018\u00ab([") if before else ""
    if f"{word}." in numbers.words:
        return True
    if len(word) == 1 and word.isupper():
        return True
    return word.isdigit() and len(word) <= 2 and not numbers.language.startswith("en")


def _divide_long(text: str, count: Callable[[str], int], limit: int) -> list[str]:
    """Return parts with at most `limit` tokens, or of one letter each."""
    if count(text) <= limit:
        return [text] if text else []
    for end in (_CLAUSE_END, _WORD_END):
        parts = _split_after(text, end)
        if len(parts) > 1:
            return [
                piece
                for part in _join(parts, count, limit)
                for piece in _divide_long(part, count, limit)
            ]
    letters = _split_letters(text)
    if len(letters) == 1:
        return [text]
    half = len(letters) // 2
    return [
        piece
        for part in ("".join(letters[:half]), "".join(letters[half:]))
        for piece in _divide_long(part, count, limit)
    ]


def _split_after(text: str, end: re.Pattern[str]) -> list[str]:
    """Return the parts of a text that end where a pattern matches; together they are the text."""
    places = [match.end() for match in end.finditer(text)]
    edges = [0, *(place for place in places if place < len(text)), len(text)]
    return [text[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)]


def _split_letters(text: str) -> list[str]:
    """Return the letters of a text, each with its marks."""
    letters: list[str] = []
    for character in text:
        if letters and unicodedata.category(character)[0] == "M":
            letters[-1] += character
        else:
            letters.append(character)
    return letters


def _join(parts: Sequence[str], count: Callable[[str], int], limit: int) -> Iterator[str]:
    """Yield as few groups of parts as fit, of sizes as even as that allows.

    Of 410 tokens with a limit of 400 the last group would be one word.
    """
    sizes = [count(part) for part in parts]
    groups = len(_group(sizes, limit))
    low, high = max(max(sizes), sum(sizes) // groups), limit
    while low < high:
        middle = (low + high) // 2
        if len(_group(sizes, middle)) > groups:
            low = middle + 1
        else:
            high = middle
    start = 0
    for end in _group(sizes, max(low, high)):
        yield "".join(parts[start:end]).strip()
        start = end


def _group(sizes: Sequence[int], capacity: int) -> list[int]:
    """Return the ends of groups that are filled one after the other."""
    ends: list[int] = []
    filled = 0
    for place, size in enumerate(sizes):
        if place and filled + size > capacity:
            ends.append(place)
            filled = 0
        filled += size
    return [*ends, len(sizes)]


def _clause_pause(part: str, settings: SpeechSettings) -> float:
    """Return the silence after a part of a sentence: none where it was divided at a space."""
    mark = _last_mark(part)
    return settings.clause_pause if mark and mark in CLAUSE_MARKS + SPACED_CLAUSE_MARKS else 0.0


def _last_mark(text: str) -> str:
    """Return the mark at the end of a text, before what closes a quotation; "" if there is none."""
    end = text.rstrip(_CLOSING + " ")[-1:]
    return end if unicodedata.category(end or "a")[0] in "PS" else ""
