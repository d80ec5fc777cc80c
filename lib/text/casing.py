"""Conversion to lower case, which depends on the whole text and its language."""

import re
import unicodedata
from collections.abc import Container

# ISO 639 codes of languages in which I is the capital of the dotless i: Turkish, Azerbaijani,
# Crimean Tatar, Gagauz, Tatar and Karakalpak in Latin script (Unicode's SpecialCasing, CLDR).
DOTLESS_I = frozenset("tr tur az aze azj crh gag tat kaa".split())
_DOT_ABOVE = "\u0307"


def lower_text(text: str, vocab: Container[str], lowercase: bool = True, language: str = "") -> str:
    """Convert to lower case those characters that are not in the vocabulary, as the tokenizer does.

    The whole text is converted at once. So a sigma at the end of a word becomes a final sigma, and
    `İ` leaves no combining dot.

    Parameters
    ----------
    text
        Text in composed form.
    lowercase
        Whether the tokenizer converts to lower case.
    language
        ISO 639 code, with or without a suffix.
    """
    if not lowercase:
        return text
    if "İ" not in vocab:
        text = text.replace("İ", "i")
    if language.split("-")[0] in DOTLESS_I and "I" not in vocab:
        text = text.replace("I", "ı")
    # Of all characters only İ becomes longer in lower case, so that places correspond.
    pairs = zip(text, text.replace("İ", "i").lower(), strict=True)
    lowered = "".join(c if c in vocab else low for c, low in pairs)
    if _DOT_ABOVE in lowered and _DOT_ABOVE not in vocab:
        # Other programs leave a combining dot on letters that have one already.
        lowered = re.sub(f"(?<=[ij]){_DOT_ABOVE}", "", lowered)
    return lowered if lowered == text else unicodedata.normalize("NFC", lowered)
