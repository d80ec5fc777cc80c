"""How a text is written for a voice before its tokenizer sees it: in training as in speech.

A trained model carries it as ``text.json``, since plain tokenizers know nothing of it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lib.files import read_json, write_json
from lib.text.normalise import normalise_text
from lib.text.numbers import NumberWriter
from lib.text.pinyin import write_pinyin
from lib.text.romanise import romanise
from lib.text.vocabulary import plan_vocabulary, replace_characters

FILE = "text.json"


@dataclass(frozen=True)
class TextFrontend:
    """Numbers written out, the user's replacements, then another script where one is asked for."""

    mapping: dict[str, str] = field(default_factory=dict)
    """Characters, and what to write for them."""
    han_to_pinyin: bool = False
    romanised: bool = False
    """Whether the base reads what `uroman` makes of a text."""
    language: str = ""
    """ISO 639 code: decides lower case, and how numbers are read."""
    write_numbers: bool = False
    """Whether num2words writes numbers out."""
    number_words: dict[str, str] = field(default_factory=dict)
    """The user's table of numbers, and how they are read."""

    @classmethod
    def from_config(cls, text: Mapping[str, Any], language: str, romanised: bool) -> "TextFrontend":
        """Return that of a configuration's section `text`."""
        return cls(
            mapping=dict(text["mapping"]),
            han_to_pinyin=text["han_to_pinyin"],
            romanised=romanised,
            language=language,
            write_numbers=text.get("write_numbers", False),
            number_words=dict(text.get("number_words", {})),
        )

    @classmethod
    def read(cls, directory: Path) -> "TextFrontend":
        """Read that of a model; one that has none writes texts as they are."""
        path = directory / FILE
        return cls(**read_json(path)) if path.is_file() else cls()

    def save(self, directory: Path) -> None:
        """Write it beside a model."""
        write_json(directory / FILE, asdict(self))

    @property
    def numbers(self) -> NumberWriter:
        """What writes its numbers out."""
        return NumberWriter(self.language, self.write_numbers, self.number_words)

    @property
    def transliterates(self) -> bool:
        """Whether it changes the script."""
        return self.han_to_pinyin or self.romanised

    def prepare(self, texts: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return texts as `plan_vocabulary` takes them, and the replacements that are left to it.

        Where the script changes, they have to be made before.
        """
        if self.transliterates:
            return self.transliterate(texts), {}
        return self._write_numbers(texts), self.mapping

    def _write_numbers(self, texts: Mapping[str, str]) -> dict[str, str]:
        return {key: self.numbers.write(normalise_text(text)) for key, text in texts.items()}

    def transliterate(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Write numbers out, apply the replacements and change the script."""
        written = {
            key: replace_characters(text, self.mapping)
            for key, text in self._write_numbers(texts).items()
        }
        if self.han_to_pinyin:
            written = {key: write_pinyin(text) for key, text in written.items()}
        return romanise(written) if self.romanised else written

    def write(self, text: str, vocabulary: Mapping[str, int], lowercase: bool) -> tuple[str, str]:
        """Write one text in characters of a trained voice's vocabulary.

        Returns
        -------
        tuple
            The text, and the letters and digits that the voice does not know and leaves out. A
            character that it does not know is written with the nearest that it does, if any.
        """
        texts, mapping = self.prepare({"": text})
        plan = plan_vocabulary(texts, vocabulary, "map", mapping, lowercase, language=self.language)
        lost = "".join(c for c in plan.rejected.get("", "") if c.isalnum())
        if not plan.rejected:
            return plan.texts[""], lost
        left_out = mapping | {c: "" for c in plan.rejected[""]}
        kept = plan_vocabulary(
            texts, vocabulary, "map", left_out, lowercase, language=self.language
        )
        return kept.texts.get("", ""), lost
