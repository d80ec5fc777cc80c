"""Simple sentences of our own in several languages, for speech that a synthesiser says.

A language is a file of word lists and of patterns that put them together, `LANGUAGE.yaml`.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

_KIND = re.compile(r"<(\w+)>")


@dataclass(frozen=True)
class Grammar:
    """Word lists by kind, and patterns in which ``<kind>`` stands for a word."""

    words: dict[str, list[str]]
    patterns: list[str]
    sounds: dict[str, str]
    """How letters are said, in ARPABET; nothing for English, which has dictionaries."""

    def invent(self, count: int, seed: int, without: Sequence[str] = ()) -> list[str]:
        """Invent `count` different sentences, none of them in `without`."""
        rng = random.Random(seed)
        known, invented = set(without), []
        while len(invented) < count:
            sentence = self._fill(rng.choice(self.patterns), rng)
            if sentence not in known:
                known.add(sentence)
                invented.append(sentence)
        return invented

    def pronounce(self, word: str) -> str:
        """Return the sounds of a word, in ARPABET."""
        longest = sorted(self.sounds, key=len, reverse=True)
        letters = re.findall("|".join(map(re.escape, longest)), word)
        return " ".join(self.sounds[letter] for letter in letters)

    def _fill(self, pattern: str, rng: random.Random) -> str:
        said: set[str] = set()

        def choose(kind: re.Match) -> str:
            # "anna and anna" would be a strange couple.
            word = rng.choice([word for word in self.words[kind[1]] if word not in said])
            said.add(word)
            return word.replace("_", " ")

        return _KIND.sub(choose, pattern)


@cache
def read_grammar(language: str) -> Grammar:
    """Read a language of this folder, such as ``english``."""
    path = Path(__file__).parent / f"{language}.yaml"
    content = yaml.safe_load(path.read_text("utf-8"))
    words = {kind: text.split() for kind, text in content["words"].items()}
    return Grammar(words, content["patterns"], content.get("sounds", {}))
