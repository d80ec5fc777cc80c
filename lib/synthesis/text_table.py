"""Tables of texts to read out: their own, or the user's metadata table with missing recordings."""

import math
from dataclasses import dataclass
from pathlib import Path

from lib.config.outcome import SPEEDS
from lib.corpus.clip import Columns, CorpusError, InvalidRow
from lib.corpus.columns import LJSPEECH_COLUMNS, SPEAKER_NAMES, plain_name
from lib.corpus.ids import clip_id, hashed_id, name_of_file
from lib.corpus.locate import Found, locate_file
from lib.corpus.metadata import Metadata, Record
from lib.corpus.source import METADATA_READERS

ID = "id"
SPEED_NAMES = ("speed", "speaking_rate", "rate")


@dataclass(frozen=True, slots=True)
class TextRow:
    """A text to read out."""

    id: str
    """Safe as a file name on any system."""
    text: str
    speaker: str | None
    speed: float | None
    origin: str
    """Its place in the table, for messages."""


@dataclass(frozen=True, slots=True)
class TextTable:
    """What a table has to read out."""

    rows: list[TextRow]
    invalid_rows: list[InvalidRow]
    recorded: int
    """Number of rows that are left out because they have a recording."""


def read_text_table(path: Path) -> TextTable:
    """Read the texts of a table that have no recording.

    The table has the columns ``id`` and ``text``, perhaps ``speaker`` and ``speed``. Or it is a
    metadata table, whose column of files gives the ids: rows whose file is beside the table are
    left out. A row without an id gets one from its text.

    Raises
    ------
    CorpusError
        If the table as a whole cannot be read.
    """
    check_text_table(path)
    metadata = _read(path)
    invalid_rows = list(metadata.invalid_rows)
    rows: dict[str, TextRow] = {}
    recorded = 0
    for record in metadata.records:
        row = _check(record, metadata, path.parent)
        if row is None:
            recorded += 1
        elif isinstance(row, InvalidRow):
            invalid_rows.append(row)
        elif (other := rows.get(row.id.lower())) is not None:
            detail = (
                f"its id is also that of {other.origin}; file names differ in case alone or not"
            )
            invalid_rows.append(InvalidRow(row.id, row.origin, "duplicate_id", detail))
        else:
            rows[row.id.lower()] = row
    return TextTable(list(rows.values()), invalid_rows, recorded)


def check_text_table(path: Path | str | None) -> None:
    """Refuse what is no table, before any work; None is no table that is asked for.

    Raises
    ------
    CorpusError
        If there is no such file, or if it is of another kind.
    """
    if path is None:
        return
    path = Path(path)
    kinds = ", ".join(METADATA_READERS)
    if not path.is_file():
        raise CorpusError(f"speech.texts: {path} is no file, expected a table ({kinds})")
    if path.suffix.lower() not in METADATA_READERS:
        raise CorpusError(f"speech.texts: {path} is no table, expected a name with {kinds}")


def _read(path: Path) -> Metadata:
    """Read the columns that are there; the column of ids is read as that of files is."""
    reader = METADATA_READERS[path.suffix.lower()]
    try:
        metadata = reader(path, path.name, Columns())
    except CorpusError as error:
        # Without a column of files the ids stand for them.
        try:
            metadata = reader(path, path.name, Columns(audio=ID))
        except CorpusError:
            raise error from None
    found = {plain_name(name): name for name in reversed(metadata.names)}
    speaker = next((found[name] for name in SPEAKER_NAMES if name in found), None)
    speed = next((found[name] for name in SPEED_NAMES if name in found), None)
    own = metadata.columns
    # A reader knows five columns. Texts to read out have no session: its place takes the speed.
    chosen = Columns(own.audio, own.text, own.id, speaker, speed)
    return reader(path, path.name, chosen) if speaker or speed else metadata


def _check(record: Record, metadata: Metadata, folder: Path) -> TextRow | InvalidRow | None:
    """Return a row to read out, or why it cannot be; None if it has a recording."""
    columns = metadata.columns

    def cell(name: str | None) -> str | None:
        value = record.cells.get(name) if name else None
        return value.strip() if value and value.strip() else None

    named = cell(columns.audio)
    # An id is no file, but for LJSpeech: speech that was written beside the table is no recording.
    is_id = columns.audio == ID and metadata.names != list(LJSPEECH_COLUMNS)
    if named and not is_id and _is_recorded(folder, named, record.origin):
        return None
    text, speed = cell(columns.text), cell(columns.session)
    name = cell(columns.id) or (named if is_id else named and name_of_file(named))
    clip = clip_id(name) if name else hashed_id(text or record.origin)
    if not text:
        return InvalidRow(clip, record.origin, "missing_text", "the row has no text")
    value = _read_speed(speed)
    if value is None:
        slowest, fastest = SPEEDS
        detail = f"its speed is {speed!r}, expected a number from {slowest:g} to {fastest:g}"
        return InvalidRow(clip, record.origin, "wrong_speed", detail)
    return TextRow(clip, text, cell(columns.speaker), value or None, record.origin)


def _is_recorded(folder: Path, name: str, origin: str) -> bool:
    return isinstance(locate_file(folder, name, origin), Found)


def _read_speed(cell: str | None) -> float | None:
    """Return a speed; 0 if there is none, None if it is not valid."""
    if cell is None:
        return 0.0
    try:
        value = float(cell.replace(",", "."))
    except ValueError:
        return None
    slowest, fastest = SPEEDS
    return value if math.isfinite(value) and slowest <= value <= fastest else None
