"""The tokenizer of a voice, without transformers: its import takes longer than a sentence."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from lib.files import read_json

VOCABULARY_FILE = "vocab.json"
TOKENIZER_FILE = "tokenizer_config.json"


@dataclass(frozen=True)
class CharacterTokenizer:
    """Ids of characters with blanks between them, as `VitsTokenizer` returns them."""

    vocabulary: Mapping[str, int]
    lowercase: bool = True
    """Whether characters that are not in the vocabulary are converted to lower case."""
    add_blank: bool = True
    specials: Collection[str] = ()
    """Characters of the vocabulary that are the padding or the unknown token.

    `VitsTokenizer` divides a text at them: beside them are no blanks of their own. In MMS
    vocabularies this is the letter with id 0.
    """
    language: str | None = None

    @classmethod
    def read(cls, directory: Path) -> "CharacterTokenizer":
        """Read the tokenizer of a model.

        Raises
        ------
        ValueError
            If it makes phonemes of a text, which needs a program of its own.
        """
        path = directory / TOKENIZER_FILE
        settings = read_json(path)
        if settings.get("phonemize", True):
            raise ValueError(f"{path}: phonemize is true; expected a voice that reads characters")
        vocabulary = read_json(directory / VOCABULARY_FILE)
        names = (settings.get("pad_token"), settings.get("unk_token"))
        return cls(
            vocabulary,
            lowercase=settings.get("normalize", True),
            add_blank=settings.get("add_blank", True),
            specials=tuple(sorted({name for name in names if name in vocabulary})),
            language=settings.get("language"),
        )

    def encode(self, written: str) -> list[int]:
        """Return the token ids of a text; characters that are not in the vocabulary are left out.

        Parameters
        ----------
        written
            Text that a `TextFrontend` wrote with characters of the vocabulary.
        """
        known = self.vocabulary
        return [known[character] if character else 0 for character in self.divide(written)]

    def divide(self, written: str) -> list[str]:
        """Return the character of every token of a text; that of a blank is empty."""
        known = self.vocabulary
        if self.lowercase:
            lowered = "".join(c if c in known else c.lower() for c in written)
            if self.language == "ron":
                lowered = lowered.replace("ț", "ţ")
            written = "".join(c for c in lowered if c in known).strip()
        pattern = "|".join(map(re.escape, self.specials))
        tokens: list[str] = []
        for part in re.split(f"({pattern})", written) if pattern else [written]:
            if part in self.specials:
                tokens.append(part)
            elif part:
                tokens += self._intersperse(list(part))
        return tokens

    def _intersperse(self, characters: list[str]) -> list[str]:
        if not self.add_blank:
            return characters
        blanks = [""] * (2 * len(characters) + 1)
        blanks[1::2] = characters
        return blanks
