"""A check that the base model reads the script of the transcripts."""

from collections import Counter
from collections.abc import Collection, Iterable

from lib.text.characters import find_known_mark, spell_with_known, write_out
from lib.text.normalise import normalise_text
from lib.text.romanise import has_han

_SHOWN = 12


class ScriptError(ValueError):
    """Too many letters of the transcripts are unknown to the base."""


def check_script(
    texts: Iterable[str],
    known: Collection[str] | None,
    max_unknown_share: float,
    base: str,
    han_to_pinyin: bool = False,
) -> None:
    """Compare the letters of the transcripts with those that a base reads.

    Unknown letters can be added to a base. But if it knows hardly any letter of the transcripts,
    the training starts from nothing and gives no intelligible speech.

    Parameters
    ----------
    known
        Characters of the base's vocabulary; capitals of known letters count as known. With None
        nothing is checked, because the vocabulary is unknown or the base reads any script.
    max_unknown_share
        Largest share of unknown letters in all letters of the texts.
    base
        Name of the base, for the message.
    han_to_pinyin
        Whether Han characters will be written as pinyin; then they are not counted.

    Raises
    ------
    ScriptError
        With the share, the most frequent unknown letters and what to do.
    """
    if known is None:
        return
    known = set(known)
    letters = Counter(c for text in texts for c in normalise_text(text) if c.isalpha())
    if han_to_pinyin:
        letters = Counter({c: n for c, n in letters.items() if not has_han(c)})
    unknown = Counter({c: n for c, n in letters.items() if not _is_read(c, known)})
    if unknown.total() > max_unknown_share * letters.total():
        shown = " ".join(c for c, _ in unknown.most_common(_SHOWN))
        raise ScriptError(
            f"{unknown.total() / letters.total():.0%} of the letters in the transcripts are "
            f"unknown to base_model.source {base} (most frequent: {shown}): it reads another "
            "script. Write the transcripts in its script (mms-tts-hak and -nan read romanised "
            "text; text.han_to_pinyin writes Han characters as pinyin), choose a base that "
            "reads yours, or raise text.max_unknown_share "
            f"(now {max_unknown_share}) to teach it all of these letters"
        )


def _is_read(letter: str, known: set[str]) -> bool:
    """Return whether a base knows a letter, also as its capital or its wide form."""
    if letter in known or find_known_mark(letter, known):
        return True
    forms = (letter.lower(), (write_out(letter) or letter).lower())
    return any(known >= set(form) for form in forms) or bool(spell_with_known(letter, known))
