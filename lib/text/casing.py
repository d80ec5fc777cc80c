"""Lower case, by the whole text and its language."""

import re
import unicodedata
from collections.abc import Container

# ISO 639 codes of languages whose I is the capital of a dotless i: Turkish, Azerbaijani, Crimean
# Tatar, Gagauz, Tatar and Karakalpak in Latin script (Unicode's SpecialCasing, CLDR).
DOTLESS_I = frozenset("tr tur az aze azj crh gag tat kaa".split())
_DOT_ABOVE = "\u0307"


def lower_text(text: str, vocab: Container[str], lowercase: bool = True, language: str = "") -> str:
    """Lower the characters that are not in the vocabulary as they are, as the tokenizer does.

    Unlike letter by letter, a sigma at the end of a word is a final one, and no dot is left over
    of `İ`.

    Parameters
    ----------
    text
        In composed form.
    lowercase
        Whether the tokenizer lowers.
    language
        ISO 639 code, perhaps with a suffix.
    """
    if not lowercase:
        return text
    if "İ" not in vocab:
        text = text.replace("İ", "i")
    if language.split("-")[0] in DOTLESS_I and "I" not in vocab:
        text = text.replace("I", "ı")
    # Only İ is longer in lower case: the others stay in their places.
    pairs = zip(text, text.replace("İ", "i").lower(), strict=True)
    lowered = "".join(c if c in vocab else low for c, low in pairs)
    if _DOT_ABOVE in lowered and _DOT_ABOVE not in vocab:
        # Others' programs leave it on letters that have a dot.
        lowered = re.sub(f"(?<=[ij]){_DOT_ABOVE}", "", lowered)
    return lowered if lowered == text else unicodedata.normalize("NFC", lowered)
