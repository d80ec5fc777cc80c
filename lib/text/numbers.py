"""Numbers in words, by the user's table or by num2words for the languages that it knows."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

# num2words uses ISO 639-1 codes. The configuration mostly has codes of ISO 639-3.
LANGUAGES = {
    **{"amh": "am", "ara": "ar", "arb": "ar", "aze": "az", "azj": "az", "bel": "be", "ben": "bn"},
    **{"cat": "ca", "che": "ce", "ces": "cs", "cym": "cy", "dan": "da", "deu": "de", "eng": "en"},
    **{"epo": "eo", "spa": "es", "fas": "fa", "pes": "fa", "fin": "fi", "fra": "fr", "heb": "he"},
    **{"hun": "hu", "ind": "id", "isl": "is", "ita": "it", "jpn": "ja", "kan": "kn"},
    **{"kor": "ko", "kaz": "kz", "kk": "kz", "lit": "lt", "lav": "lv", "lvs": "lv", "nld": "nl"},
    **{"nor": "no", "nob": "no", "nb": "no", "pol": "pl", "por": "pt", "ron": "ro", "rus": "ru"},
    **{"slk": "sk", "slv": "sl", "srp": "sr", "swe": "sv", "tel": "te", "tet": "tet", "tgk": "tg"},
    **{"tha": "th", "tur": "tr", "ukr": "uk", "vie": "vi"},
}
# Numbers without a leading zero, and without three digits after a separator, which may be
# thousands.
_PLAIN = re.compile(r"0|[1-9]\d*|\d+[.,](?:\d{1,2}|\d{4,})")
_MAX_DIGITS = 15  # longer numbers are read digit by digit, like telephone numbers


@dataclass(frozen=True, slots=True)
class NumberWriter:
    """Writes numbers in words.

    Attributes
    ----------
    language
        ISO 639 code of the language for num2words.
    by_library
        Whether num2words is used.
    words
        The user's table of words, without punctuation at their ends, and their readings. It has
        precedence over num2words.
    """

    language: str = ""
    by_library: bool = False
    words: Mapping[str, str] = field(default_factory=dict)

    def write(self, text: str) -> str:
        """Write out the numbers that have a single reading.

        Dates, times, ordinals, sums of money and numbers with possible thousands separators stay as
        they are, unless the table has them.
        """
        if not self.words and not self.by_library:
            return text
        words = text.split(" ")
        last = len(words) - 1
        return " ".join(self._write_word(word, n == last) for n, word in enumerate(words))

    def _write_word(self, word: str, is_last: bool) -> str:
        if word in self.words:
            return self.words[word]
        start, end = _find_core(word)
        core, after = word[start:end], word[end:]
        written = self.words.get(core)
        # As in "am 5. Mai", a point within a sentence marks an ordinal in many languages.
        ordinal = after.startswith(".") and not is_last and not self.language.startswith("en")
        if written is None and self.by_library and not ordinal and _PLAIN.fullmatch(core):
            written = _convert_by_library(core, _library_code(self.language))
        return word if written is None else word[:start] + written + after


def _find_core(word: str) -> tuple[int, int]:
    """Return where a word begins and ends without the punctuation around it."""
    inner = [at for at, c in enumerate(word) if unicodedata.category(c)[0] != "P" or c in "-−#%&@§"]
    return (inner[0], inner[-1] + 1) if inner else (0, 0)


def _library_code(language: str) -> str:
    code = language.split("-")[0]
    return LANGUAGES.get(code, code)


@cache
def _convert_by_library(number: str, code: str) -> str | None:
    """Return a number in words; None if num2words does not know the language or the number."""
    from num2words import CONVERTER_CLASSES, num2words

    if code not in CONVERTER_CLASSES or sum(c.isdigit() for c in number) > _MAX_DIGITS:
        return None
    value = number.replace(",", ".")
    try:
        return num2words(float(value) if "." in value else int(value), lang=code)
    except (NotImplementedError, OverflowError, ValueError, TypeError, KeyError, IndexError):
        return None
