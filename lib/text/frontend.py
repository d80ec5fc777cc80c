"""How a text is written for a voice before its tokenizer sees it: in training as in speech.

A trained model carries it as ``text.json``, since plain tokenizers know nothing of it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lib.files import read_json, write_json
from lib.text.normalise import normalise_text
from lib.text.pinyin import write_pinyin
from lib.text.romanise import romanise
from lib.text.vocabulary import plan_vocabulary, replace_characters

FILE = "text.json"


@dataclass(frozen=True)
class TextFrontend:
    """The user's replacements, then another script where one is asked for."""

    mapping: dict[str, str] = field(default_factory=dict)
    """Characters, and what to write for them."""
    han_to_pinyin: bool = False
    romanised: bool = False
    """Whether the base reads what `uroman` makes of a text."""

    @classmethod
    def read(cls, directory: Path) -> "TextFrontend":
        """Read that of a model; one that has none writes texts as they are."""
        path = directory / FILE
        return cls(**read_json(path)) if path.is_file() else cls()

    def save(self, directory: Path) -> None:
        """Write it beside a model."""
        write_json(directory / FILE, asdict(self))

    @property
    def transliterates(self) -> bool:
        """Whether it changes the script."""
        return self.han_to_pinyin or self.romanised

    def transliterate(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Apply the replacements and change the script."""
        written = {
            key: replace_characters(normalise_text(text), self.mapping)
            for key, text in texts.items()
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
        mapping = {} if self.transliterates else self.mapping
        given = self.transliterate({"": text})[""] if self.transliterates else text
        plan = plan_vocabulary({"": given}, vocabulary, "map", mapping, lowercase)
        lost = "".join(c for c in plan.rejected.get("", "") if c.isalnum())
        if not plan.rejected:
            return plan.texts[""], lost
        left_out = {c: "" for c in plan.rejected[""]}
        kept = plan_vocabulary({"": given}, vocabulary, "map", mapping | left_out, lowercase)
        return kept.texts.get("", ""), lost
