"""Read the text plan that `lib.text.plan` has written."""

from dataclasses import dataclass, fields
from pathlib import Path

from lib.files import read_json
from lib.tables import read_table

TEXTS_FILE = "texts.tsv"
VOCABULARY_FILE = "vocabulary.tsv"
LETTERS_FILE = "letters.json"


@dataclass(frozen=True, slots=True)
class PlannedText:
    """The text that is trained for one transcript.

    Attributes
    ----------
    clip
        Id of the clip.
    text
        Text of characters that the tokenizer knows; "" if nothing can be trained.
    tokens
        Number of its tokens, with the blanks between them.
    non_verbalised
        Digits and symbols of the transcript for which no reading is given.
    reason
        Reason why nothing can be trained, in one word; "" if the text can be.
    detail
        The reason in a sentence.
    """

    clip: str
    text: str = ""
    tokens: int = 0
    non_verbalised: str = ""
    reason: str = ""
    detail: str = ""


COLUMNS = [field.name for field in fields(PlannedText)]


def read_planned_texts(directory: Path) -> dict[str, PlannedText]:
    """Read the planned text of every transcript, by clip."""
    rows = read_table(directory / TEXTS_FILE, COLUMNS)
    return {row["clip"]: PlannedText(**{**row, "tokens": int(row["tokens"])}) for row in rows}


def read_new_letters(directory: Path) -> dict[str, list[str]]:
    """Read the new letters in the order of their ids, with the letters that each starts from."""
    return read_json(directory / LETTERS_FILE)
