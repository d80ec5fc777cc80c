"""One spelling for one text: Unicode forms, whitespace, invisible characters."""

import unicodedata
from collections.abc import Collection

# Zero-width joiners are part of the spelling of Persian, Hindi and other languages.
JOINERS = "\u200c\u200d"

# Digits and other numbers; symbols of currency, mathematics and others.
UNSPOKEN = ("Nd", "Nl", "No", "Sc", "Sm", "So")
# Unicode calls these punctuation, but they are read as words.
SPOKEN_PUNCTUATION = "#%&@§‰٪"


def normalise_text(text: str) -> str:
    """Return the text as it goes into training.

    Canonical composition (NFC), every run of whitespace one space, none at the ends, no control
    or invisible formatting characters. What a reader sees does not change.
    """
    visible = "".join(character for character in text if not _is_invisible(character))
    return " ".join(unicodedata.normalize("NFC", visible).split())


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


def find_unspoken(text: str, replaced: Collection[str]) -> str:
    """Return the digits and symbols of a text that have no one reading, in order.

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
        if (unicodedata.category(c) in UNSPOKEN or c in SPOKEN_PUNCTUATION)
        and not {c, c.lower()} & known
    )


def _is_invisible(character: str) -> bool:
    """Tell control and formatting characters and halves of surrogate pairs."""
    if character.isspace() or character in JOINERS:
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs")
