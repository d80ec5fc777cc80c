"""Rows of metadata files: what the text formats hold, before anyone looks for the audio."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.corpus.clip import CorpusError, Problem

LJSPEECH_COLUMNS = ("id", "text", "normalised")
LJSPEECH_AUDIO = "id"  # the audio's name is the id itself
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one row by column; None where the source has nothing."""

    origin: str
    cells: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Metadata:
    """A metadata file as it is: columns, good rows, and rows that cannot be read."""

    columns: list[str]
    records: list[Record]
    problems: list[Problem]


def read_text(path: Path) -> str:
    """Return the content of a UTF-8 (or marked UTF-16) file."""
    content = path.read_bytes()
    encoding = "utf-16" if content.startswith(UTF16_MARKS) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CorpusError(
            f"{path} line {line}: {content[error.start : error.end]!r} is not UTF-8: save the file "
            "as UTF-8 (source.path)"
        ) from error


def first_line(path: Path) -> str:
    """Return the first line that is not empty."""
    return next((line for line in read_text(path).splitlines() if line.strip()), "")


def read_csv(path: Path, label: str) -> Metadata:
    """Read a table with a header; commas, semicolons or tabs between the columns."""
    delimiter = max(",;\t", key=first_line(path).count)
    rows = _csv_rows(read_text(path), label, delimiter=delimiter)
    header = next(rows, None)
    if not isinstance(header, tuple):
        raise CorpusError(f"{path}: has no header, expected columns file_name and text")
    columns = [name.strip() for name in header[1]]
    records: list[Record] = []
    problems: list[Problem] = []
    for row in rows:
        if isinstance(row, Problem):
            problems.append(row)
        elif len(row[1]) != len(columns):
            problems.append(_miscounted(row, f"{len(columns)} (of the header)"))
        else:
            records.append(Record(row[0], dict(zip(columns, row[1], strict=True))))
    return Metadata(columns, records, problems)


def read_ljspeech(path: Path, label: str) -> Metadata:
    """Read `id|text` or `id|text|normalised`, without quoting and with or without a header."""
    records: list[Record] = []
    problems: list[Problem] = []
    rows = _csv_rows(read_text(path), label, delimiter="|", quoting=csv.QUOTE_NONE)
    for number, row in enumerate(rows):
        if isinstance(row, Problem):
            problems.append(row)
            continue
        origin, cells = row
        if len(cells) not in (2, 3):
            problems.append(_miscounted(row, "2 or 3 (id|text|normalised)"))
        elif number or cells[0].strip().lower() not in ("id", "file", "file_name"):
            # Numbers and abbreviations written out, where given, are what is spoken.
            spoken = next(cell for cell in (*cells[:0:-1], None) if cell is None or cell.strip())
            named = dict(zip(LJSPEECH_COLUMNS, [*cells, None], strict=False))
            records.append(Record(origin, named | {"spoken": spoken}))
    return Metadata([*LJSPEECH_COLUMNS, "spoken"], records, problems)


def read_jsonl(path: Path, label: str) -> Metadata:
    """Read one JSON object per line."""
    records: list[Record] = []
    problems: list[Problem] = []
    # Only line feeds separate: U+2028 and its like may stand within a JSON string.
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        origin = f"{label} line {number}"
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError(f"a {type(record).__name__}")
        except ValueError as error:
            detail = f"not a JSON object: {error}"
            problems.append(Problem(None, origin, "damaged_row", detail))
            continue
        records.append(Record(origin, as_text(record)))
    columns = list(dict.fromkeys(key for record in records for key in record.cells))
    return Metadata(columns, records, problems)


def read_parquet(path: Path, label: str) -> Metadata:
    """Read a metadata table in Parquet."""
    from lib.corpus.shards import column_names, read_cells

    columns = column_names(path)
    records = [
        Record(f"{label} row {number}", as_text(cells))
        for number, cells in enumerate(read_cells(path, columns), 1)
    ]
    return Metadata(columns, records, [])


def as_text(cells: dict[str, Any]) -> dict[str, str | None]:
    """Return the cells of a typed row as they would stand in a text file."""
    return {key: None if value is None else str(value) for key, value in cells.items()}


def _csv_rows(
    text: str, label: str, delimiter: str, quoting: int = csv.QUOTE_MINIMAL
) -> Iterator[tuple[str, list[str]] | Problem]:
    """Yield origin and cells of every row that is not empty, or what is wrong with it."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting)
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Problem(None, f"{label} line {start}", "damaged_row", str(error))
            continue
        if not any(cell.strip() for cell in row):
            continue
        if reader.line_num > start:
            # One missing quote swallows all rows up to the next one: say which.
            origin = f"{label} lines {start} to {reader.line_num}"
            detail = "read as one row: a quotation mark is missing, or a text has a line break"
            yield Problem(None, origin, "damaged_row", detail)
        elif "\0" in "".join(row):
            yield Problem(None, f"{label} line {start}", "damaged_row", "holds a NUL character")
        else:
            yield f"{label} line {start}", row


def _miscounted(row: tuple[str, list[str]], expected: str) -> Problem:
    return Problem(
        None, row[0], "damaged_row", f"has {len(row[1])} columns, expected {expected}: quote texts"
    )
