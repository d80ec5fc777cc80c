"""Which characters a tokenizer knows, and what to do about the others.

`VitsTokenizer` drops a character that it does not know without a word, and the voice then learns
to say something that is not written. Here it is on record what becomes of each.
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
TATWEEL = "\u0640"  # stretches a word, and is no letter of it

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
        As the tokenizer sees it, in lower case if it lowers.
    name
        Its Unicode name.
    count
        How often it occurs.
    clips
        In how many clips.
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
    """How texts and vocabulary are brought together.

    Attributes
    ----------
    vocab
        The vocabulary to train with: all old ids as they were, new ones after them.
    added
        Each new character, with the ids of known characters to start its embedding from, nearest
        first; none where nothing is related.
    mapped
        Each character of the texts that the user's mapping replaces, and by what.
    replaced
        Each other unknown character that is written otherwise, and how ("" leaves it out).
    replaced_counts
        How often.
    texts
        Text of every clip that is left, of characters in `vocab` alone: the tokenizer drops none.
    rejected
        Clips that cannot be written, with the characters that stand against it ("" where the text
        has nothing left to say).
    """

    vocab: dict[str, int]
    added: dict[str, tuple[int, ...]] = field(default_factory=dict)
    mapped: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    replaced_counts: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)


def prepare_texts(
    texts: Mapping[str, str], vocab: Mapping[str, int], lowercase: bool = True, language: str = ""
) -> dict[str, str]:
    """Return texts as the tokenizer is to see them, before unknown characters are dealt with."""
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
    """Count every character of the transcripts, the unknown ones first, then by count."""
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
    """Decide what becomes of every character that the vocabulary does not have.

    In this order: what `mapping` says; a mark of the same meaning that is known; another spelling
    of the same character, where all parts are known; compatibility forms are written out;
    punctuation and symbols are left out, as in the texts that MMS voices were trained on; then
    the policy.

    Parameters
    ----------
    texts
        Transcript of each clip.
    vocab
        Id of each character that the tokenizer knows.
    policy
        `extend` adds the character; `map` writes the nearest known one and rejects clips where
        there is none; `reject` rejects every clip that has it.
    mapping
        The user's own replacements, of single characters by any text.
    lowercase
        Whether the tokenizer lowers (`normalize` in its config).
    new_letters
        Known characters that a new one starts from, where its look does not tell.
    language
        ISO 639 code, for lower case.

    Raises
    ------
    ValueError
        If the policy or a key of the user's tables is none.
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
        replaced_counts=dict(writer.counts),
        texts={clip: text for clip, text in written.items() if clip not in rejected},
        rejected=rejected,
    )


class _Writer:
    """Writes texts in characters of a vocabulary, as far as they need no new ones.

    Attributes
    ----------
    replaced
        Every unknown character that was written otherwise, and how; `counts` says how often.
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
        self.counts: Counter[str] = Counter()
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
        """Write out compatibility forms; what they are composed of may be one letter together."""
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
            # It went into a letter: that is how it is written.
            letters = (c for c in result if mark in unicodedata.normalize("NFD", c))
            self._note(mark, next(letters, ""))
        return result

    def _note(self, character: str, form: str) -> None:
        # What a dash is elsewhere says more than that it is a hyphen within words.
        if character not in self.replaced or form == self._forms.get(character):
            self.replaced[character] = form
        self.counts[character] += 1

    def _write_character(self, character: str) -> str:
        if character in self.vocab:
            return character
        if character not in self._forms:
            form = _rewrite(character, self.vocab, self.policy)
            self._forms[character] = character if form is None else form
        return self._forms[character]


def related_characters(character: str, vocab: Mapping[str, int]) -> tuple[str, ...]:
    """Return the known characters that look or sound nearest, nearest first.

    The parts of its decomposition, of its folded case, and the letter that its Unicode name is
    built on: `ø` is a LETTER O WITH STROKE, which no decomposition tells.
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
    """Return the ids that each new character starts from: the user's choice, else its relatives."""
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
    """Return how an unknown character is written with known ones; None where it is not."""
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
    # A mark that the vocabulary cannot put on any letter goes as it goes from composed letters,
    # and a joiner has no sound of its own.
    return related or ("" if category[0] == "M" or character in JOINERS else None)


def replace_characters(text: str, replacements: Mapping[str, str]) -> str:
    """Write characters otherwise; spaces that this leaves side by side become one."""
    written = "".join(replacements.get(c, c) for c in text)
    return " ".join(written.split())


def _reject(texts: Mapping[str, str], vocab: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield the clips that still have unknown characters, or no text any more."""
    for clip, text in texts.items():
        offending = "".join(sorted(set(text) - vocab.keys()))
        if offending or not text:
            yield clip, offending
