"""One spelling for one text: Unicode forms, whitespace, invisible characters."""

import unicodedata
from collections.abc import Collection, Sequence
from functools import cache

# Zero-width joiners are part of the spelling of Persian, Hindi and other languages.
JOINERS = "\u200c\u200d"
# Names of letters of scripts that do not; there they come from emoji, or from nowhere.
UNJOINED_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "CJK", "HIRAGANA", "KATAKANA", "HANGUL")
# Look like spaces, though Unicode calls them letters or symbols.
BLANKS = "\u2800\u3164\uffa0"
# Default ignorable characters that are marks: selectors of variants, and the grapheme joiner.
SELECTORS = (
    range(0xFE00, 0xFE10),
    range(0xE0100, 0xE01F0),
    range(0x180B, 0x1810),
    range(0x034F, 0x0350),
    range(0x17B4, 0x17B6),
)

# Digits and other numbers; symbols of currency, mathematics and others; what has no meaning to all.
NON_VERBALISED = ("Nd", "Nl", "No", "Sc", "Sm", "So", "Co", "Cn")
# Unicode calls these punctuation, but they are read as words.
VERBALISED_PUNCTUATION = "#%&@§‰٪"


def normalise_text(text: str) -> str:
    """Return the text as it goes into training.

    Canonical composition (NFC), every run of whitespace one space, none at the ends, no control
    or invisible characters: what a reader sees does not change. Of an emoji nothing stays but the
    symbol itself.
    """
    if any(map(_needs_care, set(text))):
        text = _keep_visible(text)
    return " ".join(unicodedata.normalize("NFC", text).split())


@cache
def _needs_care(character: str) -> bool:
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
    """Return what two transcripts have in common that are read aloud alike.

    Case, punctuation, symbols and whitespace do not count. A text of nothing but punctuation is
    its own key.
    """
    normal = normalise_text(text)
    # Canonical caseless matching (Unicode 3.13): decompose, fold, compose.
    folded = unicodedata.normalize("NFD", normal).casefold()
    composed = unicodedata.normalize("NFC", folded)
    words = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in composed)
    return " ".join(words.split()) or normal


def find_non_verbalised(text: str, replaced: Collection[str]) -> str:
    """Return the non-verbalised symbols of a text, in order: those that have no one reading.

    "5" is five, fifth or fünf, "%" a word in every language. Modifier symbols are no words: "`" is
    often an apostrophe, and "˥" a tone.

    Parameters
    ----------
    replaced
        Characters that the user's mapping writes out.
    """
    known = {normalise_text(character) for character in replaced}
    known |= {character.lower() for character in known}
    return "".join(
        c
        for c in normalise_text(text)
        if (unicodedata.category(c) in NON_VERBALISED or c in VERBALISED_PUNCTUATION)
        # A wide digit is written as the plain one.
        and not {c, c.lower(), unicodedata.normalize("NFKC", c)} & known
    )


def _is_invisible(character: str) -> bool:
    """Tell what shows nothing by itself: controls, formatting, halves of surrogate pairs.

    Variation selectors choose how another character looks, and enclosing marks draw around it.
    """
    if character.isspace():
        return False
    selector = any(ord(character) in span for span in SELECTORS)
    return selector or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Me")


def _joins(before: Sequence[str], after: str) -> bool:
    """Whether a joiner is part of a spelling: between letters of a script that uses it."""
    ends = [before[-1] if before else "", after[:1]]
    if not all(end and unicodedata.category(end)[0] in "LM" for end in ends):
        return False
    letter = next((c for c in reversed(before) if unicodedata.category(c)[0] == "L"), "")
    return bool(letter) and not unicodedata.name(letter, "").startswith(UNJOINED_SCRIPTS)
