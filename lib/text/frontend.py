"""The text processing before a voice's tokenizer, the same in training and in synthesis.

A trained model has its settings as ``text.json``, because they are unknown to plain tokenizers.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lib.files import read_json, write_json
from lib.text.normalise import normalise_text
from lib.text.numbers import NumberWriter
from lib.text.romanise import romanise, write_pinyin
from lib.text.vocabulary import plan_vocabulary, replace_characters

FILE = "text.json"


@dataclass(frozen=True)
class TextFrontend:
    """Writes numbers out, applies the user's replacements, and changes the script if asked to."""

    mapping: dict[str, str] = field(default_factory=dict)
    """Characters and their replacements."""
    han_to_pinyin: bool = False
    romanised: bool = False
    """Whether the base reads text that is romanised with `uroman`."""
    language: str = ""
    """ISO 639 code, on which lower case and the reading of numbers depend."""
    write_numbers: bool = False
    """Whether num2words writes numbers out."""
    number_words: dict[str, str] = field(default_factory=dict)
    """The user's table of numbers and their readings."""

    @classmethod
    def from_config(cls, text: Mapping[str, Any], language: str, romanised: bool) -> "TextFrontend":
        """Return the frontend of a configuration's section `text`."""
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
        """Read the frontend of a model; if it has none, one that changes no text is returned."""
        path = directory / FILE
        return cls(**read_json(path)) if path.is_file() else cls()

    def save(self, directory: Path) -> None:
        """Write the settings into a model's folder."""
        write_json(directory / FILE, asdict(self))

    @property
    def numbers(self) -> NumberWriter:
        """The writer of numbers."""
        return NumberWriter(self.language, self.write_numbers, self.number_words)

    @property
    def transliterates(self) -> bool:
        """Whether the script is changed."""
        return self.han_to_pinyin or self.romanised

    def prepare(self, texts: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return texts for `plan_vocabulary`, and the replacements that it has to make.

        If the script is changed, the replacements are made before, and none is left.
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
            The text, and the letters and digits that are left out. An unknown character is
            written with the most similar known one, and left out if there is none.
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
