"""Numbers written out: by the user's table, else by num2words for the languages it knows."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

# num2words has ISO 639-1 codes; language codes here are mostly those of ISO 639-3.
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
# Without a leading zero, and no three digits after a separator: that may mean thousands.
_PLAIN = re.compile(r"0|[1-9]\d*|\d+[.,](?:\d{1,2}|\d{4,})")
_MAX_DIGITS = 15  # more are read digit by digit, as numbers of telephones are


@dataclass(frozen=True, slots=True)
class NumberWriter:
    """Writes numbers in words.

    Attributes
    ----------
    language
        ISO 639 code; decides what num2words writes.
    by_library
        Whether num2words is asked.
    words
        The user's table: what is between spaces, without punctuation at its ends, and how it is
        read. It comes first.
    """

    language: str = ""
    by_library: bool = False
    words: Mapping[str, str] = field(default_factory=dict)

    def write(self, text: str) -> str:
        """Write out the numbers that have one reading; the rest stays as it is.

        Dates, times, ordinals, sums of money and what may be thousands stay: nothing tells how
        they are read, unless the table does.
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
        # "am 5. Mai": a point within a sentence makes an ordinal in many languages.
        ordinal = after.startswith(".") and not is_last and not self.language.startswith("en")
        if written is None and self.by_library and not ordinal and _PLAIN.fullmatch(core):
            written = _ask_library(core, _library_code(self.language))
        return word if written is None else word[:start] + written + after


def _find_core(word: str) -> tuple[int, int]:
    """Return where a word begins and ends without the punctuation around it."""
    inner = [at for at, c in enumerate(word) if unicodedata.category(c)[0] != "P" or c in "-−#%&@§"]
    return (inner[0], inner[-1] + 1) if inner else (0, 0)


def _library_code(language: str) -> str:
    code = language.split("-")[0]
    return LANGUAGES.get(code, code)


@cache
def _ask_library(number: str, code: str) -> str | None:
    """Return a number in words; None for a language or a number that num2words does not know."""
    from num2words import CONVERTER_CLASSES, num2words

    if code not in CONVERTER_CLASSES or sum(c.isdigit() for c in number) > _MAX_DIGITS:
        return None
    value = number.replace(",", ".")
    try:
        return num2words(float(value) if "." in value else int(value), lang=code)
    except (NotImplementedError, OverflowError, ValueError, TypeError, KeyError, IndexError):
        return None
