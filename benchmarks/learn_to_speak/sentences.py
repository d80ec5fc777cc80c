"""Simple English sentences, and for each of them sentences that differ in one word."""

import random
from collections.abc import Sequence

# Words that the recogniser's dictionary has. Each list with twenty words or more can be the place
# where a minimal pair differs.
WORDS = {
    "name": "adam alice anna brian carol daniel edward emma frank george hannah henry jacob julia "
    "kevin laura martin nancy oliver peter rachel robert sarah simon susan",
    "person": "actor baker banker boy brother butcher captain child doctor driver farmer father "
    "friend girl hunter judge king lawyer mother nurse painter pilot player prince queen sailor "
    "singer sister soldier teacher uncle waiter woman writer",
    "animal": "bear bird bull camel cat chicken cow deer dog donkey duck eagle elephant fish fox "
    "frog goat horse lion monkey mouse pig rabbit sheep snake spider tiger turkey turtle wolf",
    "thing": "bag ball basket bell boat book bottle box bread bucket cake candle chair clock coat "
    "coffee cup door dress flag flower guitar hammer hat knife ladder lamp letter mirror orange "
    "paper pencil picture plate potato ring rope shirt shoe spoon table ticket tomato umbrella "
    "wagon window",
    "place": "bakery bank beach bridge castle church cinema city college corner desert factory "
    "forest garden harbor hospital hotel island kitchen lake library market mountain museum ocean "
    "office palace park prison river school station street tower valley village",
    "quality": "angry big blind brave broken calm cheap clean clever cold dark dirty empty famous "
    "friendly funny gentle golden happy heavy hungry lazy little lonely lucky modern narrow noisy "
    "old polite poor proud purple quiet rich round silly silver simple strong tiny tired ugly "
    "wooden yellow young",
    "did": "bought broke built carried caught chose cleaned dropped followed forgot found hated "
    "kept liked lost loved moved needed noticed painted pulled pushed remembered saved sold stole "
    "touched wanted washed watched",
    "went": "arrived danced died failed fell jumped laughed listened lived played rested sang "
    "slept smiled stayed stopped talked waited walked worked",
    "where": "at behind below by for from in near over to under with",
    "when": "again always later often sometimes today tonight twice yesterday",
}
VOCABULARY = {kind: words.split() for kind, words in WORDS.items()}
PATTERNS = (
    "the quality person did the thing",
    "name did one quality thing when",
    "the animal went where the place",
    "name did the thing where name",
    "when the person did name",
    "some quality animal went when",
    "the person where the place went",
    "name went where the quality place",
    "the quality animal did name when",
    "name did every thing where the place",
    "where the place name went",
    "the thing was quality when",
    "where is the quality thing",
    "my person went when",
)
CANDIDATES = 20
_WORD_LENGTHS = range(3, 8)


def invent_sentences(count: int, seed: int) -> list[list[tuple[str, str]]]:
    """Invent different sentences; each a list of ``(word, kind)``, the kind "" for fixed words."""
    rng = random.Random(seed)
    sentences: dict[tuple, None] = {}
    while len(sentences) < count:
        pattern = rng.choice(PATTERNS).split()
        sentence = tuple(
            (rng.choice(VOCABULARY[part]), part) if _is_kind(pattern, place) else (part, "")
            for place, part in enumerate(pattern)
        )
        assert len(sentence) in _WORD_LENGTHS
        sentences.setdefault(sentence)
    return [list(sentence) for sentence in sentences]


def _is_kind(pattern: Sequence[str], place: int) -> bool:
    # "where is the ..." asks; elsewhere "where" stands for a preposition.
    return pattern[place] in VOCABULARY and pattern[place : place + 2] != ["where", "is"]


def join(sentence: Sequence[tuple[str, str]]) -> str:
    """Return a sentence as text."""
    return " ".join(word for word, _ in sentence)


def other_sentences(sentences: Sequence[str], index: int, seed: int) -> list[str]:
    """Return a sentence and 19 others of the list, shuffled."""
    rng = random.Random(f"{seed} {index}")
    others = [text for place, text in enumerate(sentences) if place != index]
    candidates = [sentences[index], *rng.sample(others, CANDIDATES - 1)]
    rng.shuffle(candidates)
    return candidates


def minimal_pairs(sentence: Sequence[tuple[str, str]], index: int, seed: int) -> list[str]:
    """Return a sentence and 19 that differ from it in the same one word, shuffled."""
    rng = random.Random(f"{seed} {index}")
    places = [
        i for i, (_, kind) in enumerate(sentence) if len(VOCABULARY.get(kind, [])) >= CANDIDATES
    ]
    place = rng.choice(places)
    word, kind = sentence[place]
    others = rng.sample([other for other in VOCABULARY[kind] if other != word], CANDIDATES - 1)
    words = [word for word, _ in sentence]
    candidates = [" ".join([*words[:place], w, *words[place + 1 :]]) for w in (word, *others)]
    rng.shuffle(candidates)
    return candidates
