"""Section `text`: characters and numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lib.config.keys import STRICT, Share, SingleCharacter, Text


@dataclass(frozen=True)
class TextSettings:
    """What is trained of a transcript."""

    __pydantic_config__ = STRICT

    unknown_characters: Literal["extend", "map", "reject"] = "extend"
    """What happens to a character that the base does not know.

    This comes after punctuation is left out and accents that the base knows apart are taken
    apart. extend: the character becomes a new letter, learnt from your clips. map: it is written
    with the nearest known letter. reject: its clips are left out. results/text/vocabulary.tsv
    tells what became of every character.
    """
    mapping: Mapping[SingleCharacter, str] = field(default_factory=dict)
    """Replacements that are applied first: a character, and what to write for it.

    "" leaves the character out.
      mapping: {"0": "zero", "&": " and "}
    """
    new_letters: Mapping[SingleCharacter, Text] = field(default_factory=dict)
    """Known letters that a new letter starts from.

    By itself a new letter starts from the known letters that it looks like ("ǹ" from "n"). Say it
    yourself where the look does not tell: {"ŋ": "ng"} starts from the mean of both.
    """
    write_numbers: bool = False
    """Whether num2words writes numbers out as words of source.language.

    Only where it knows the language and there is one reading: 21 and 3.5, but no dates, times,
    ordinals and sums of money. Those stay as they are and are flagged
    (dataset.non_verbalised_symbols).
    """
    number_words: Mapping[str, str] = field(default_factory=dict)
    """How numbers are read: what stands between spaces, and the words for it.

    This table comes before num2words.
      number_words: {"1st": "first", "1984": "nineteen eighty-four"}
    """
    han_to_pinyin: bool = False
    """Whether Han characters are written as tone-marked Mandarin pinyin (pypinyin).

    For bases that read romanised text: 你好 becomes nǐ hǎo.
    """
    max_unknown_share: Share = 0.5
    """Share of letters unknown to the base above which the run is refused before any work.

    Then the base reads another script than your transcripts are written in.
    """
