"""What is trained of every transcript, as `lib.text.plan` has written it down."""

from dataclasses import dataclass, fields
from pathlib import Path

from lib.files import read_json
from lib.tables import read_table

TEXTS_FILE = "texts.tsv"
VOCABULARY_FILE = "vocabulary.tsv"
LETTERS_FILE = "letters.json"


@dataclass(frozen=True, slots=True)
class PlannedText:
    """What is trained of one transcript.

    Attributes
    ----------
    text
        Of characters that the tokenizer knows; "" where nothing can be trained.
    tokens
        Its tokens, with the blanks between them.
    non_verbalised
        Digits and symbols of the transcript that nobody said how to read.
    reason
        Why nothing can be trained, in one word; "" where it can.
    detail
        The same in a sentence.
    """

    clip: str
    text: str = ""
    tokens: int = 0
    non_verbalised: str = ""
    reason: str = ""
    detail: str = ""


COLUMNS = [field.name for field in fields(PlannedText)]


def read_planned_texts(directory: Path) -> dict[str, PlannedText]:
    """Read what is trained of every transcript, by clip."""
    rows = read_table(directory / TEXTS_FILE, COLUMNS)
    return {row["clip"]: PlannedText(**{**row, "tokens": int(row["tokens"])}) for row in rows}


def read_new_letters(directory: Path) -> dict[str, list[str]]:
    """Read each new letter, in the order of their ids, with those that it starts from."""
    return read_json(directory / LETTERS_FILE)
