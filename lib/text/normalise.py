"""One spelling for one text: Unicode forms, whitespace, invisible characters."""

import unicodedata

# Zero-width joiners are part of the spelling of Persian, Hindi and other languages.
JOINERS = "\u200c\u200d"


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


def _is_invisible(character: str) -> bool:
    """Tell control and formatting characters and halves of surrogate pairs."""
    if character.isspace() or character in JOINERS:
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs")
