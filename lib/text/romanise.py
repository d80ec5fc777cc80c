"""Latin script for bases that read romanised text."""

from collections.abc import Mapping
from functools import cache
from typing import Any


def romanise(texts: Mapping[str, str]) -> dict[str, str]:
    """Romanise texts as `VitsTokenizer` does with the `uroman` package installed.

    Text that is ASCII already stays as it is. The tables are loaded once: the tokenizer would load
    them for every sentence, which takes seconds each.
    """
    return {key: text if text.isascii() else _romanise(text) for key, text in texts.items()}


@cache
def _romanise(text: str) -> str:
    return _tables().romanize_string(text)


@cache
def _tables() -> Any:
    from uroman import Uroman

    return Uroman()
