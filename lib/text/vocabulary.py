"""Which characters a tokenizer knows, and what to do about the others.

`VitsTokenizer` drops a character that it does not know without a word, and the voice then learns
to say something that is not written. Here every such character has a fate that is on record.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lib.text.normalise import normalise_text

POLICIES = ("extend", "map", "reject")


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


def audit_characters(
    texts: Mapping[str, str], vocab: Mapping[str, int], lowercase: bool = True
) -> list[CharacterUse]:
    """Count every character of the transcripts, the unknown ones first, then by count."""
    counts: Counter[str] = Counter()
    clips: Counter[str] = Counter()
    for text in texts.values():
        characters = Counter(lower_text(normalise_text(text), vocab, lowercase))
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
) -> VocabularyPlan:
    """Decide the fate of every character that the vocabulary does not have.

    In this order: what `mapping` says; its decomposition, where all parts are known; punctuation
    and symbols are left out, as in the texts that MMS voices were trained on; then the policy.

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

    def lower(text: str) -> str:
        return lower_text(text, vocab, lowercase)

    given = {clip: lower(normalise_text(text)) for clip, text in texts.items()}
    lowered = {clip: lower(replace_characters(text, mapping)) for clip, text in given.items()}
    unknown = sorted({c for text in lowered.values() for c in text if c not in vocab})
    replaced = {c: r for c in unknown if (r := _rewrite(c, vocab, policy)) is not None}
    rest = [c for c in unknown if c not in replaced]
    added = rest if policy == "extend" else []
    first = max(vocab.values(), default=-1) + 1
    extended = dict(vocab) | {c: first + place for place, c in enumerate(added)}
    written = {clip: replace_characters(text, replaced) for clip, text in lowered.items()}
    rejected = dict(_reject(written, extended))
    counts = Counter(c for text in lowered.values() for c in text)
    return VocabularyPlan(
        vocab=extended,
        mapped={c: mapping[c] for c in sorted(set().union(*given.values())) if c in mapping},
        added=_relate(added, vocab, new_letters or {}),
        replaced=replaced,
        replaced_counts={c: counts[c] for c in replaced},
        texts={clip: text for clip, text in written.items() if clip not in rejected},
        rejected=rejected,
    )


def lower_text(text: str, vocab: Mapping[str, int], lowercase: bool = True) -> str:
    """Lower the characters that are not in the vocabulary as they are, as the tokenizer does."""
    if not lowercase:
        return text
    return "".join(c if c in vocab else c.lower() for c in text)


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
    parts = unicodedata.normalize("NFD", character)
    if len(parts) > 1 and all(part in vocab for part in parts):
        return parts
    if unicodedata.category(character)[0] in "PS":
        return " " if unicodedata.category(character) == "Pd" and " " in vocab else ""
    if policy != "map":
        return None
    related = related_characters(character, vocab)
    # A mark that the vocabulary cannot put on any letter goes as it goes from composed letters.
    is_mark = unicodedata.category(character)[0] == "M"
    return related[0] if related else "" if is_mark else None


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
