"""What the text front end does letter by letter, as a table for programs that have no front end."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping

from lib.synthesis.tokens import CharacterTokenizer
from lib.text.characters import MARKS
from lib.text.frontend import TextFrontend

SPACE = " "
_LAST = 0x1FFFF  # planes beyond have Han characters and tags


def find_aliases(frontend: TextFrontend, tokenizer: CharacterTokenizer) -> dict[str, str]:
    """Return characters outside of the vocabulary with the one that the front end writes for each.

    These are capitals, wide letters, letters with accents that the voice does not know, and marks
    with the same meaning. A character is left out if what is written depends on its neighbours, or
    if it is several letters.
    """
    vocabulary = tokenizer.vocabulary
    letter = next((c for c in vocabulary if len(c) == 1 and c.isalpha() and c.islower()), None)
    letter = letter or next(c for c in vocabulary if len(c) == 1 and c.isalpha())
    space = SPACE if SPACE in vocabulary else ""
    blanks = {mark for mark in tokenizer.specials if not mark.isalnum()}

    def write(text: str) -> str:
        return frontend.write(text, vocabulary, tokenizer.lowercase)[0]

    # The letters of a script that is transliterated are not written letter by letter.
    candidates = (
        _find_capitals(vocabulary)
        if frontend.transliterates
        else _find_candidates(vocabulary, frontend)
    )
    found = _find(candidates, write, letter, space)
    return {character: known for character, known in found if known not in blanks}


def _find(
    candidates: Iterator[str], write: Callable[[str], str], letter: str, space: str
) -> Iterator[tuple[str, str]]:
    for character in candidates:
        within = write(f"{letter}{character}{letter}")
        apart = write(f"{letter} {character} {letter}")
        for known in {within[1:-1]} if len(within) == 3 else ():
            if known == space and apart == f"{letter}{space}{letter}":
                yield character, known
            elif apart == f"{letter}{space}{known}{space}{letter}":
                yield character, known


def _find_capitals(vocabulary: Mapping[str, int]) -> Iterator[str]:
    known = {c for c in vocabulary if len(c) == 1}
    capitals = {form for c in known for form in (c.upper(), c.title()) if len(form) == 1}
    yield from sorted(capitals - known)


def _find_candidates(vocabulary: Mapping[str, int], frontend: TextFrontend) -> Iterator[str]:
    """Yield the characters that may be written with one of the vocabulary."""
    known = {c for c in vocabulary if len(c) == 1}
    marks = {c for group in MARKS for c in group} | set(frontend.mapping)
    for code in range(0x21, _LAST):
        character = chr(code)
        if character in known or unicodedata.category(character) in ("Cn", "Cs", "Co", "Cc"):
            continue
        forms = {
            *(unicodedata.normalize(form, character) for form in ("NFD", "NFKD")),
            character.lower(),
            character.casefold(),
        }
        bases = {form[0] for form in forms} | {form[0].lower() for form in forms}
        if character in marks or character.isspace() or bases & known:
            yield character
