"""Characters with the same meaning, and how unknown ones are written with known ones.

Word processors and phones write U+2019 where a vocabulary has U+0027. Scanners write ligatures, and
East Asian keyboards write wide letters. For a reader the text is the same.
"""

import unicodedata
from collections.abc import Container, Iterator, Mapping
from itertools import combinations

# Marks with the same meaning, with the usual one first. They are Unicode's confusable characters
# (UTS 39) without those that are tones, stress or letters of another script.
APOSTROPHES = (
    "'\u2019\u02bc\u2018\u02bb\u201b\u02bd`\u00b4\u2032\u2035\uff07\uff40\u02b9\u02be\u02bf"
    "\u201a\u2039\u203a\u275b\u275c\u02ee\ua78c\ua78b\u055a\u05f3\u0384\u1fbd\u1fbf\u1fef\u1ffd\u07f4\u07f5"
)
QUOTATION_MARKS = (
    '"\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u2036\uff02\u301d\u301e\u301f\u275d\u275e\u2e42'
    "\u02dd\u05f4\u2760\u300c\u300d\u300e\u300f\ufe41\ufe42\ufe43\ufe44\uff62\uff63"
    "\U0001f676\U0001f677\U0001f678"
)
HYPHENS = "-\u2010\u2011\u2043\ufe63\uff0d\u058a\u05be"
MARKS = (APOSTROPHES, QUOTATION_MARKS, HYPHENS)
# Between two letters these are hyphens, elsewhere pauses.
DASHES = "\u2012\u2013\u2014\u2015\u2212\ufe58\u00ad\u02d7\u207b"

# Kinds of compatibility forms (UAX 44) that differ from a letter only in their look.
_LOOKS = frozenset("<wide> <narrow> <font> <initial> <medial> <final> <isolated> <small>".split())
_ENCLOSED = frozenset(("<circle>", "<square>"))
_PRESENTATION_FORMS = range(0xFB00, 0xFB50)
# Letters that Unicode does not decompose, and their usual spelling with other letters.
_SPELLED = {"æ": "ae", "œ": "oe", "ı": "i", "ȷ": "j"}


def name_character(character: str) -> str:
    """Return a character, or its number and name if it cannot be seen by itself.

    Joiners and marks cannot, nor can letters that only modify others: `U+0640 ARABIC TATWEEL`.
    """
    category = unicodedata.category(character)
    if category[0] in "LNPS" and category != "Lm":
        return character
    nameless = {"Co": "PRIVATE USE", "Cn": "UNASSIGNED"}.get(category, "CONTROL CHARACTER")
    return f"U+{ord(character):04X} {unicodedata.name(character, nameless)}"


def find_known_mark(character: str, vocab: Container[str]) -> str | None:
    """Return the mark of a vocabulary with the same meaning; None if there is none."""
    for marks in MARKS:
        if character in marks:
            return next((mark for mark in marks if mark in vocab), None)
    return None


def join_words(text: str, vocab: Container[str]) -> str:
    """Write dashes between two letters as the hyphen of a vocabulary, if it has one."""
    hyphen = next((mark for mark in HYPHENS + DASHES if mark in vocab), None)
    if hyphen is None:
        return text
    written = list(text)
    for at in range(1, len(text) - 1):
        if text[at] not in vocab and _is_dash(text[at]):
            if all(unicodedata.category(text[n])[0] in "LM" for n in (at - 1, at + 1)):
                written[at] = hyphen
    return "".join(written)


def _is_dash(character: str) -> bool:
    return character in DASHES or unicodedata.category(character) == "Pd"


def respell(text: str, respellings: Mapping[str, str]) -> str:
    """Replace the sequences that `find_respellings` returns."""
    for sequence, character in respellings.items():
        text = text.replace(sequence, character)
    return text


def find_respellings(vocab: Mapping[str, int]) -> dict[str, str]:
    """Return the composed forms of those characters of a vocabulary that composition changes.

    Composition decomposes some letters (U+0958) and replaces others (U+212B). A vocabulary may have
    such letters, and they must be found in composed texts.
    """
    composed = {unicodedata.normalize("NFC", c): c for c in vocab if len(c) == 1}
    return {form: c for form, c in composed.items() if form != c and form not in vocab}


def find_spelling(character: str, vocab: Container[str]) -> str | None:
    """Return a canonically equal spelling of a character with known parts; None without one."""
    base, *marks = unicodedata.normalize("NFD", character)
    if not marks:
        return None
    for size in (0, *range(len(marks) - 1, 0, -1)):
        for chosen in combinations(range(len(marks)), size):
            composed = unicodedata.normalize("NFC", base + "".join(marks[n] for n in chosen))
            rest = [mark for n, mark in enumerate(marks) if n not in chosen]
            spelling = composed + "".join(rest)
            if len(composed) == 1 and all(part in vocab for part in spelling):
                # The order of marks at the same place cannot change.
                if unicodedata.normalize("NFC", spelling) == character:
                    return spelling
    return None


def write_out(character: str) -> str | None:
    """Return the letters of a compatibility form that differs only in look; None for others.

    Superscripts, fractions and units are others: some spellings use them as letters, or they are
    not read as they are written.
    """
    kind = unicodedata.decomposition(character).split(" ")[0]
    plain = unicodedata.normalize("NFKC", character)
    if kind in _LOOKS or (kind == "<compat>" and ord(character) in _PRESENTATION_FORMS):
        return plain
    return plain if kind in _ENCLOSED and len(plain) == 1 and plain.isalpha() else None


def spell_with_known(character: str, vocab: Container[str]) -> str | None:
    """Return the letters of a compatibility form or a double letter; None if any is unknown."""
    forms: Iterator[str] = iter((character.casefold(), unicodedata.normalize("NFKC", character)))
    # A capital is not replaced by its small letter if the tokenizer distinguishes them.
    shortest = 1 if character == character.lower() else 2
    wanted = unicodedata.category(character)[0]
    if wanted not in "LP":
        return None
    if unicodedata.decomposition(character).startswith(("<super>", "<sub>")):
        return None
    known = (
        "".join(part if part in vocab else find_known_mark(part, vocab) or "\0" for part in form)
        for form in forms
    )
    return next((form for form in known if len(form) >= shortest and "\0" not in form), None)


def spell_nearest(character: str, vocab: Container[str]) -> str | None:
    """Return the usual spelling of a letter with others, all known; None without one."""
    spelled = _SPELLED.get(character.lower())
    return spelled if spelled and all(part in vocab for part in spelled) else None
