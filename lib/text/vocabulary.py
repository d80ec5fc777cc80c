"""The vocabulary of a tokenizer, and the treatment of characters that it does not know.

`VitsTokenizer` drops an unknown character without a message, so that a voice would learn sounds
that are not in its text. Here the treatment of each character is planned and recorded.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lib.text.casing import lower_text
from lib.text.characters import (
    find_known_mark,
    find_respellings,
    find_spelling,
    join_words,
    respell,
    spell_nearest,
    spell_with_known,
    write_out,
)
from lib.text.normalise import JOINERS, normalise_text

POLICIES = ("extend", "map", "reject")
TATWEEL = "\u0640"  # it stretches a word and is not a letter

__all__ = [
    "POLICIES",
    "CharacterUse",
    "VocabularyPlan",
    "audit_characters",
    "lower_text",
    "plan_vocabulary",
    "prepare_texts",
    "related_characters",
    "replace_characters",
]


@dataclass(frozen=True, slots=True)
class CharacterUse:
    """One character of the transcripts.

    Attributes
    ----------
    character
        The character for the tokenizer, in lower case if it converts to that.
    name
        Its Unicode name.
    count
        Number of times that it occurs.
    clips
        Number of clips in which it occurs.
    known
        Whether the vocabulary has it.
    """

    character: str
    name: str
    count: int
    clips: int
    known: bool


@dataclass(frozen=True, slots=True)
class VocabularyPlan:
    """The vocabulary to train with, and the texts written in it.

    Attributes
    ----------
    vocab
        The vocabulary to train with. Old characters keep their ids, and new ones have the next.
    added
        The new characters, each with the ids of known characters that its embedding starts from,
        the most similar first; empty if none is related.
    mapped
        Characters of the texts that the user's mapping replaces, with their replacements.
    replaced
        Other unknown characters that are replaced, with their replacements ("" leaves one out).
    texts
        Text of every clip that is not rejected, of characters in `vocab` alone.
    rejected
        Clips that cannot be written, with the unknown characters ("" if no text is left).
    """

    vocab: dict[str, int]
    added: dict[str, tuple[int, ...]] = field(default_factory=dict)
    mapped: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)


def prepare_texts(
    texts: Mapping[str, str], vocab: Mapping[str, int], lowercase: bool = True, language: str = ""
) -> dict[str, str]:
    """Return texts normalised for the tokenizer; unknown characters are not yet replaced."""
    respellings = find_respellings(vocab)
    return {
        clip: respell(lower_text(normalise_text(text), vocab, lowercase, language), respellings)
        for clip, text in texts.items()
    }


def audit_characters(
    texts: Mapping[str, str],
    vocab: Mapping[str, int],
    lowercase: bool = True,
    language: str = "",
) -> list[CharacterUse]:
    """Count every character of the transcripts; sort them unknown first, then by count."""
    counts: Counter[str] = Counter()
    clips: Counter[str] = Counter()
    for text in prepare_texts(texts, vocab, lowercase, language).values():
        characters = Counter(text)
        counts += characters
        clips.update(characters.keys())
    uses = [
        CharacterUse(c, unicodedata.name(c, f"U+{ord(c):04X}"), counts[c], clips[c], c in vocab)
        for c in counts
    ]
    return sorted(uses, key=lambda use: (use.known, -use.count, use.character))


def plan_vocabulary(
    texts: Mapping[str, str],
    vocab: Mapping[str, int],
    policy: str = "extend",
    mapping: Mapping[str, str] | None = None,
    lowercase: bool = True,
    new_letters: Mapping[str, str] | None = None,
    language: str = "",
) -> VocabularyPlan:
    """Plan the treatment of every character that the vocabulary does not have.

    The rules are tried in this order:

    1. A character in `mapping` is replaced.
    2. A mark is written as a known mark with the same meaning.
    3. A character is spelt with other characters that are all known.
    4. A compatibility form is written out.
    5. Punctuation and symbols are left out, as in the training texts of MMS voices.
    6. The policy decides.

    Parameters
    ----------
    texts
        Transcript of each clip.
    vocab
        Id of each character that the tokenizer knows.
    policy
        `extend` adds the character to the vocabulary. `map` writes the most similar known one and
        rejects clips if there is none. `reject` rejects every clip that has the character.
    mapping
        The user's replacements, of single characters by any text.
    lowercase
        Whether the tokenizer converts to lower case (`normalize` in its config).
    new_letters
        The user's choice of known characters that a new one starts from.
    language
        ISO 639 code, for lower case.

    Raises
    ------
    ValueError
        If the policy does not exist, or if a key of the user's tables is not valid.
    """
    if policy not in POLICIES:
        raise ValueError(f"text.unknown_characters is {policy!r}; expected one of {POLICIES}")
    mapping = {normalise_text(key): value for key, value in (mapping or {}).items()}
    _check_mapping(mapping)
    if lowercase:
        mapping = {key.lower(): value for key, value in mapping.items()} | mapping
    given = prepare_texts(texts, vocab, lowercase, language)

    def lower(text: str) -> str:
        return lower_text(text, vocab, lowercase, language)

    writer = _Writer(vocab, policy, mapping, lower, find_respellings(vocab))
    written = {clip: writer.write(text) for clip, text in given.items()}
    rest = sorted({c for text in written.values() for c in text if c not in vocab})
    added = rest if policy == "extend" else []
    first = max(vocab.values(), default=-1) + 1
    extended = dict(vocab) | {c: first + place for place, c in enumerate(added)}
    rejected = dict(_reject(written, extended))
    return VocabularyPlan(
        vocab=extended,
        mapped={c: mapping[c] for c in sorted(set().union(*given.values())) if c in mapping},
        added=_relate(added, vocab, new_letters or {}),
        replaced=dict(sorted(writer.replaced.items())),
        texts={clip: text for clip, text in written.items() if clip not in rejected},
        rejected=rejected,
    )


class _Writer:
    """Writes texts with characters of a vocabulary, as far as that is possible.

    Attributes
    ----------
    replaced
        Unknown characters that were replaced, with their replacements.
    """

    def __init__(
        self,
        vocab: Mapping[str, int],
        policy: str,
        mapping: Mapping[str, str],
        lower: Callable[[str], str],
        respellings: Mapping[str, str],
    ) -> None:
        self.vocab = vocab
        self.policy = policy
        self.mapping = mapping
        self.lower = lower
        self.respellings = respellings
        self.replaced: dict[str, str] = {}
        self._forms: dict[str, str] = {}

    def write(self, text: str) -> str:
        """Apply the user's replacements, then write unknown characters with known ones."""
        plain = self._write_out(self.lower(replace_characters(text, self.mapping)))
        joined = join_words(plain, self.vocab)
        for before, after in zip(plain, joined, strict=True):
            if before != after:
                self._note(before, after)
        written = []
        for character in joined:
            form = self._write_character(character)
            if form != character:
                self._note(character, form)
            written.append(form)
        return " ".join("".join(written).split())

    def _write_out(self, text: str) -> str:
        """Write out compatibility forms, whose parts may compose to one letter."""
        plain = {c: form for c in set(text) if c not in self.vocab and (form := write_out(c))}
        if not plain:
            return text
        for character in text:
            if character in plain:
                self._note(character, plain[character])
        forms = {c: "".join(self.mapping.get(k, k) for k in form) for c, form in plain.items()}
        written = "".join(forms.get(c, c) for c in text)
        lowered = self.lower(unicodedata.normalize("NFC", written))
        result = respell(lowered, self.respellings)
        for mark in sorted(set(text) - set(result) - plain.keys() - self.vocab.keys()):
            # The mark was composed with a letter, which is therefore its replacement.
            letters = (c for c in result if mark in unicodedata.normalize("NFD", c))
            self._note(mark, next(letters, ""))
        return result

    def _note(self, character: str, form: str) -> None:
        # A dash is a hyphen within words; its replacement elsewhere is recorded rather than that.
        if character not in self.replaced or form == self._forms.get(character):
            self.replaced[character] = form

    def _write_character(self, character: str) -> str:
        if character in self.vocab:
            return character
        if character not in self._forms:
            form = _rewrite(character, self.vocab, self.policy)
            self._forms[character] = character if form is None else form
        return self._forms[character]


def related_characters(character: str, vocab: Mapping[str, int]) -> tuple[str, ...]:
    """Return known characters of similar look or sound, the most similar first.

    They are the parts of the character's decomposition and of its folded case, and the base letter
    in its Unicode name. `ø` is named LETTER O WITH STROKE, but has no decomposition.
    """
    name = unicodedata.name(character, "")
    try:
        base = unicodedata.lookup(name.split(" WITH ")[0])
    except KeyError:
        base = ""
    forms = [character, character.lower(), character.casefold(), base, base.lower()]
    parts = [unicodedata.normalize("NFKD", form) for form in forms]
    found = [part for form in (*forms, *parts) for part in form]
    return tuple(dict.fromkeys(c for c in found if c in vocab and c != character and c != " "))


def _relate(
    added: Iterable[str], vocab: Mapping[str, int], chosen: Mapping[str, str]
) -> dict[str, tuple[int, ...]]:
    """Return the ids that each new character starts from, by the user's choice or by its look."""
    chosen = {normalise_text(key).lower(): value for key, value in chosen.items()}
    unknown = {c for value in chosen.values() for c in normalise_text(value) if c not in vocab}
    if unknown:
        raise ValueError(
            f"text.new_letters: the base does not know {' '.join(sorted(unknown))}; expected "
            "letters of its vocabulary on the right"
        )
    return {
        c: tuple(vocab[k] for k in normalise_text(chosen.get(c.lower(), "")))
        or tuple(vocab[k] for k in related_characters(c, vocab))
        for c in added
    }


def _check_mapping(mapping: Mapping[str, str]) -> None:
    for key in mapping:
        if len(key) != 1:
            raise ValueError(
                f"text.mapping has the key {key!r}; expected a single character "
                "(after Unicode composition) on the left"
            )


def _rewrite(character: str, vocab: Mapping[str, int], policy: str) -> str | None:
    """Return the replacement of an unknown character by known ones; None if there is none."""
    known = find_known_mark(character, vocab) or find_spelling(character, vocab)
    known = known or spell_with_known(character, vocab)
    if known is not None:
        return known
    category = unicodedata.category(character)
    if category[0] in "PS":
        return " " if category == "Pd" and " " in vocab else ""
    if character == TATWEEL and policy != "reject":
        return ""
    if policy != "map":
        return None
    related = spell_nearest(character, vocab) or "".join(related_characters(character, vocab)[:1])
    # An unknown mark is left out, as it is from composed letters, and so is a joiner, which has no
    # sound.
    return related or ("" if category[0] == "M" or character in JOINERS else None)


def replace_characters(text: str, replacements: Mapping[str, str]) -> str:
    """Replace characters, and make one space of each run of whitespace."""
    written = "".join(replacements.get(c, c) for c in text)
    return " ".join(written.split())


def _reject(texts: Mapping[str, str], vocab: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield the clips that have unknown characters or no text left, with those characters."""
    for clip, text in texts.items():
        offending = "".join(sorted(set(text) - vocab.keys()))
        if offending or not text:
            yield clip, offending
