"""Tone-marked pinyin for Han characters, for bases that read romanised text with tones."""

import re

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HAN_RUN = re.compile(f"[{_HAN}]+")


def has_han(text: str) -> bool:
    """Whether a text has Han characters."""
    return bool(_HAN_RUN.search(text))


def write_pinyin(text: str) -> str:
    """Write Han characters as pinyin, a word for each; the rest stays as it is.

    Characters with several readings are read by the words that they stand in (`pypinyin`'s
    dictionary of phrases): the reading is that of Mandarin.
    """
    if not has_han(text):
        return text
    # Its tables take half a second to load, and few corpora need them.
    from pypinyin import Style, lazy_pinyin

    spoken = _HAN_RUN.sub(lambda run: f" {' '.join(lazy_pinyin(run[0], style=Style.TONE))} ", text)
    # Without the spaces that came before punctuation.
    return re.sub(r"\s+([^\w\s])", r"\1", " ".join(spoken.split()))
