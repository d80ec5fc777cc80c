"""Normalisation of Unicode forms, whitespace and invisible characters."""

import hashlib
import unicodedata
from collections.abc import Collection, Sequence
from functools import cache

# Zero-width joiners are part of the spelling of Persian, Hindi and other languages.
JOINERS = "\u200c\u200d"
# Beginnings of the Unicode names of letters in scripts that do not use joiners.
UNJOINED_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "CJK", "HIRAGANA", "KATAKANA", "HANGUL")
# These look like spaces, but have Unicode categories of letters or symbols.
BLANKS = "\u2800\u3164\uffa0"
# Default ignorable characters that are marks: variation selectors and the grapheme joiner.
SELECTORS = (
    range(0xFE00, 0xFE10),
    range(0xE0100, 0xE01F0),
    range(0x180B, 0x1810),
    range(0x034F, 0x0350),
    range(0x17B4, 0x17B6),
)

# Unicode categories of digits and other numbers; of currency, mathematical and other symbols; of
# private and unassigned characters.
NON_VERBALISED = ("Nd", "Nl", "No", "Sc", "Sm", "So", "Co", "Cn")
# These have Unicode categories of punctuation, but they are read as words.
VERBALISED_PUNCTUATION = "#%&@§‰٪"


def normalise_text(text: str) -> str:
    """Return a text in canonical composition (NFC), without invisible characters.

    Every run of whitespace becomes one space, and none is left at the ends. Control characters are
    removed, and so are the joiners and selectors of emoji. The text looks the same to a reader.
    """
    if any(map(_may_be_invisible, set(text))):
        text = _keep_visible(text)
    return " ".join(unicodedata.normalize("NFC", text).split())


@cache
def _may_be_invisible(character: str) -> bool:
    return character in BLANKS + JOINERS or _is_invisible(character)


def _keep_visible(text: str) -> str:
    visible: list[str] = []
    for at, character in enumerate(text):
        if character in BLANKS:
            visible.append(" ")
        elif character in JOINERS:
            if _joins(visible, text[at + 1 :]):
                visible.append(character)
        elif not _is_invisible(character):
            visible.append(character)
    return "".join(visible)


def text_key(text: str) -> str:
    """Return a key that is equal for transcripts that are read aloud alike.

    Case, punctuation, symbols and whitespace are ignored. A text of punctuation alone is its own
    key.
    """
    normal = normalise_text(text)
    # Canonical caseless matching (Unicode 3.13): decompose, fold, compose.
    folded = unicodedata.normalize("NFD", normal).casefold()
    composed = unicodedata.normalize("NFC", folded)
    words = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in composed)
    return " ".join(words.split()) or normal


def hash_text(text: str) -> str:
    """Return the hash of a text, by which equal texts are found and all texts are ordered."""
    return hashlib.sha256(text_key(text).encode()).hexdigest()[:24]


def find_non_verbalised(text: str, replaced: Collection[str]) -> str:
    """Return the non-verbalised symbols of a text in order, which have more than one reading.

    "5" is read as five, fifth or fünf, and "%" as another word in every language. Modifier symbols
    are not among them, because "`" is often an apostrophe and "˥" a tone.

    Parameters
    ----------
    replaced
        Characters that the user's mapping replaces.
    """
    known = {normalise_text(character) for character in replaced}
    known |= {character.lower() for character in known}
    return "".join(
        c
        for c in normalise_text(text)
        if (unicodedata.category(c) in NON_VERBALISED or c in VERBALISED_PUNCTUATION)
        # A wide digit is replaced like the plain one.
        and not {c, c.lower(), unicodedata.normalize("NFKC", c)} & known
    )


def _is_invisible(character: str) -> bool:
    """Return whether a character cannot be seen by itself.

    These are control and formatting characters and halves of surrogate pairs. Variation selectors
    and enclosing marks are among them, because they only change the look of another character.
    """
    if character.isspace():
        return False
    selector = any(ord(character) in span for span in SELECTORS)
    return selector or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Me")


def _joins(before: Sequence[str], after: str) -> bool:
    """Return whether a joiner is between two letters of a script that uses joiners."""
    ends = [before[-1] if before else "", after[:1]]
    if not all(end and unicodedata.category(end)[0] in "LM" for end in ends):
        return False
    letter = next((c for c in reversed(before) if unicodedata.category(c)[0] == "L"), "")
    return bool(letter) and not unicodedata.name(letter, "").startswith(UNJOINED_SCRIPTS)
