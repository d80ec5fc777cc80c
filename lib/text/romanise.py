"""Latin script for bases that read romanised text: romanisation by uroman, and pinyin."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HAN_RUN = re.compile(f"[{_HAN}]+")


def romanise(texts: Mapping[str, str]) -> dict[str, str]:
    """Romanise texts as `VitsTokenizer` does with the `uroman` package installed.

    ASCII text stays as it is. The tables are loaded once. The tokenizer would load them for every
    sentence, which takes seconds each time.
    """
    return {key: text if text.isascii() else _romanise(text) for key, text in texts.items()}


@cache
def _romanise(text: str) -> str:
    return _tables().romanize_string(text)


@cache
def _tables() -> Any:
    from uroman import Uroman

    return Uroman()


def has_han(text: str) -> bool:
    """Return whether a text has Han characters."""
    return bool(_HAN_RUN.search(text))


def write_pinyin(text: str) -> str:
    """Write Han characters as Mandarin pinyin with tone marks; other characters stay.

    Each character becomes a word. A character with several readings gets the one that it has in the
    phrase around it, by the dictionary of `pypinyin`.
    """
    if not has_han(text):
        return text
    # Its tables take half a second to load, and few corpora need them.
    from pypinyin import Style, lazy_pinyin

    pinyin = _HAN_RUN.sub(lambda run: f" {' '.join(lazy_pinyin(run[0], style=Style.TONE))} ", text)
    # The spaces before punctuation are removed.
    return re.sub(r"\s+([^\w\s])", r"\1", " ".join(pinyin.split()))
