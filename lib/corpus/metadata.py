"""Rows of metadata files in all text formats, before their audio files are searched."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from lib import lfs
from lib.corpus.clip import Columns, CorpusError, InvalidRow
from lib.corpus.columns import (
    AUDIO_NAMES,
    BARE_AUDIO_NAMES,
    LJSPEECH_COLUMNS,
    NORMALISED_NAMES,
    guess_columns,
    is_header,
    name_rows,
    plain_name,
    resolve_columns,
)
from lib.corpus.delimited import Line, parse_delimited
from lib.corpus.locate import names_audio
from lib.files import parse_json

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
UTF32_MARK = b"\xff\xfe\0\0"
BYTE_ORDER_MARK = "\ufeff"
# First bytes of ZIP (also .xlsx and .ods), of older spreadsheets and of gzip.
ARCHIVE_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b")
SAMPLE = 1000  # bytes
# Programs write these for an empty cell or a failed formula; they are no transcripts.
EMPTY_WORDS = frozenset(
    "nan NaN NAN -nan -NaN <NA> <na> NaT #N/A #NA #NV #VALUE! #REF! #NAME? #DIV/0! #NUM! #NULL! "
    "1.#QNAN -1.#IND N/A n/a NULL inf -inf".split()
)
# These stand for an empty label. They are not in the list above, because a transcript may be one.
EMPTY_LABELS = frozenset("None none null nil NA na n.a. N.A. - -- ? undefined".split())
PART = (
    "it is a part of a longer recording, which is not cut here: write each part to a file "
    "of its own"
)


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one row by column; None for an empty cell."""

    origin: str
    cells: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Metadata:
    """The content of a metadata file: its columns, its rows and its invalid rows."""

    columns: Columns
    records: list[Record]
    invalid_rows: list[InvalidRow]
    names: list[str]


def read_text(path: Path) -> str:
    """Return the content of a UTF-8 (or marked UTF-16) file."""
    content = path.read_bytes()
    if lfs.is_pointer(content):
        raise CorpusError(f"source.path: {path} {lfs.ADVICE}")
    if content.startswith(ARCHIVE_MARKS):
        raise CorpusError(
            f"source.path: {path} is an archive or a spreadsheet, expected text: unpack it, or "
            "export it as CSV in UTF-8"
        )
    utf16 = content.startswith(UTF16_MARKS) and not content.startswith(UTF32_MARK)
    if not utf16 and content[:SAMPLE].count(0) > 0.2 * len(content[:SAMPLE]):
        raise CorpusError(
            f"source.path: {path} is not UTF-8 (every few bytes a zero, as in UTF-16 without its "
            "mark, or no text at all): save the file as UTF-8"
        )
    try:
        return content.decode("utf-16" if utf16 else "utf-8").lstrip(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CorpusError(
            f"{path} line {line}: {content[error.start : error.end]!r} is not "
            f"{error.encoding.upper()}: save the file as UTF-8 (source.path)"
        ) from error


def read_delimited(path: Path, label: str, chosen: Columns) -> Metadata:
    """Read a table of text, with or without a header, and with any usual delimiter."""

    def is_audio(cell: str) -> bool:
        return names_audio(path.parent, cell)

    def has_names(cells: Sequence[str]) -> bool:
        return is_header(cells, chosen) and not is_audio(cells[0])

    table = parse_delimited(read_text(path), label, has_names, is_audio)
    if not table.rows:
        raise CorpusError(f"{path}: is empty, expected columns file_name and text")
    if all(len(row.cells) == 1 for row in table.rows):
        raise CorpusError(
            f"{path}: has one column only, expected at least file_name and text, with a tab or one "
            "of | ; , between them in every row"
        )
    first = [cell.strip() for cell in table.rows[0].cells]
    headless = table.delimiter == "|" or any(
        is_audio(cell) for row in table.rows[:50] for cell in row.cells
    )
    rows = table.rows
    if has_names(first) or not headless:
        rows = rows[1:]
        bare = table.delimiter == "|" or any(
            is_audio(cell) for row in rows[:1] for cell in row.cells
        )
        columns, names = _read_header(first, bare, chosen)
    else:
        width = _usual_width(rows)
        usual = [row.cells for row in _fold_rows(rows, width, table.delimiter, is_audio)]
        usual = [cells for cells in usual if len(cells) == width]
        columns, names = name_rows(guess_columns(usual, is_audio, chosen, path), width, chosen)
    columns = resolve_columns(columns, AUDIO_NAMES, names, path)
    rows = list(_fold_rows(rows, _width(names), table.delimiter, is_audio))
    rows, cut = _take_out_cut(rows, names, columns.text, is_audio)
    records, miscounted = _collect(rows, names)
    invalid_rows = [*table.invalid_rows, *miscounted, *cut]
    return Metadata(columns, clean_records(records, columns), invalid_rows, names)


def _width(names: list[str]) -> int:
    """Return the number of cells of a row; LJSpeech's last column is not in the file."""
    return len(names) - (names[-1] == LJSPEECH_COLUMNS[-1])


def _take_out_cut(
    rows: list[Line], names: list[str], text: str, is_audio: Callable[[str], bool]
) -> tuple[list[Line], list[InvalidRow]]:
    """Return the rows that are whole, and those whose text is cut by a line break outside quotes.

    The rest of such a text is a line with one cell. It comes after a row that ends with its text,
    or before a row that begins with its text.
    """
    width = _width(names)
    at_end = names.index(text) >= width - 1
    lone = [width > 1 and len(row.cells) == 1 and not is_audio(row.cells[0]) for row in rows]
    parts = [False, *lone, False]
    near = parts[2:] if at_end else parts[:-2] if names.index(text) == 0 else [False] * len(rows)
    whole, invalid_rows = [], []
    for row, is_near in zip(rows, near, strict=True):
        if is_near and len(row.cells) > 1:
            detail = (
                f"the {'next' if at_end else 'previous'} line has one cell only: its text may go "
                "on there. Put it into quotation marks, or write it on one line"
            )
            invalid_rows.append(_damaged(row.origin, detail))
        else:
            whole.append(row)
    return whole, invalid_rows


def _collect(rows: list[Line], names: list[str]) -> tuple[list[Record], list[InvalidRow]]:
    """Return the rows that have as many cells as there are columns, and the others."""
    width = _width(names)
    ljspeech = width < len(names)
    records, invalid_rows = [], []
    for row in rows:
        cells: list[str | None] = list(row.cells)
        if ljspeech and len(cells) == width - 1:
            cells.append(None)
        if len(cells) != width:
            invalid_rows.append(_miscounted(row, f"{width} ({', '.join(names[:width])})"))
            continue
        if ljspeech:
            # The normalised text has numbers and abbreviations in words, as they are spoken.
            written = (cells[-1], cells[-2])
            cells.append(next((cell for cell in written if cell and cell.strip()), None))
        records.append(Record(row.origin, dict(zip(names, cells, strict=True))))
    return records, invalid_rows


def _read_header(
    first: list[str], bare_allowed: bool, chosen: Columns
) -> tuple[Columns, list[str]]:
    """Return the columns of a header; with `bare_allowed` `id` or `file` may name the audio."""
    plain = [plain_name(name) for name in first]
    bare = next((plain.index(name) for name in BARE_AUDIO_NAMES if name in plain), None)
    if not bare_allowed or chosen.audio or bare is None or set(plain) & set(AUDIO_NAMES):
        return chosen, first
    if len(first) == 3 and bare == 0 and plain[2] in NORMALISED_NAMES:
        return replace(chosen, audio="id", text=chosen.text or "spoken"), list(LJSPEECH_COLUMNS)
    text = chosen.text or (first[1 - bare] if len(first) == 2 else None)
    return replace(chosen, audio=first[bare], text=text), first


def _usual_width(rows: list[Line]) -> int:
    """Return the number of cells of most rows; the smallest of equally frequent numbers."""
    widths = Counter(len(row.cells) for row in rows)
    return min(widths, key=lambda width: (-widths[width], width))


def _fold_rows(
    rows: list[Line], width: int, delimiter: str, is_audio: Callable[[str], bool]
) -> Iterator[Line]:
    """Join the parts of a text that has a `|`, in a table of two columns."""
    for row in rows:
        if delimiter == "|" and width == 2 and len(row.cells) > 2:
            if is_audio(row.cells[-1]) and not is_audio(row.cells[0]):
                cells = [delimiter.join(row.cells[:-1]), row.cells[-1]]
            else:
                cells = [row.cells[0], delimiter.join(row.cells[1:])]
            row = Line(row.origin, cells)
        yield row


def read_jsonl(path: Path, label: str, chosen: Columns) -> Metadata:
    """Read one JSON object per line, or a list of objects."""
    rows: list[tuple[str, dict[str, Any]]] = []
    invalid_rows: list[InvalidRow] = []
    for origin, line in _json_lines(read_text(path), label):
        try:
            row = parse_json(line) if isinstance(line, str) else line
            if not isinstance(row, dict):
                raise ValueError(f"a {type(row).__name__}")
            rows.append((origin, row))
        except ValueError as error:
            invalid_rows.append(_damaged(origin, f"not a JSON object: {error}"))
    names = list(dict.fromkeys(key for _, row in rows for key in row))
    columns = resolve_columns(chosen, AUDIO_NAMES, names, path)
    # A part at the beginning of a recording has no offset, but is a part too.
    cut = {str(row.get(columns.audio)) for _, row in rows if row.get("offset") not in (None, 0)}
    parts = [origin for origin, row in rows if str(row.get(columns.audio)) in cut]
    invalid_rows += [_damaged(origin, PART) for origin in parts]
    rows = [(origin, row) for origin, row in rows if str(row.get(columns.audio)) not in cut]
    return typed_metadata(columns, rows, invalid_rows, names)


def _json_lines(text: str, label: str) -> Iterator[tuple[str, Any]]:
    if text.lstrip().startswith("["):
        with suppress(ValueError):  # its lines may still be objects
            for number, item in enumerate(parse_json(text), 1):
                yield f"{label} item {number}", item
            return
    # Only line feeds separate lines, because a JSON string may contain U+2028.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{label} line {number}", line


def read_parquet(path: Path, label: str, chosen: Columns) -> Metadata:
    """Read a metadata table in Parquet."""
    from lib.corpus import shards

    names = shards.column_names(path)
    columns = resolve_columns(chosen, AUDIO_NAMES, names, path)
    cells = shards.read_cells(path, used_columns(columns))
    rows = [(f"{label} row {number}", row) for number, row in enumerate(cells, 1)]
    return typed_metadata(columns, rows, [], names)


def used_columns(columns: Columns) -> list[str]:
    """Return the names of the columns that are read."""
    return sorted({name for field in fields(Columns) if (name := getattr(columns, field.name))})


def typed_metadata(
    columns: Columns,
    rows: list[tuple[str, dict[str, Any]]],
    invalid_rows: list[InvalidRow],
    names: list[str],
) -> Metadata:
    """Return rows of texts from rows with values of any type."""
    records, wanted = [], used_columns(columns)
    for origin, row in rows:
        try:
            records.append(Record(origin, as_text({name: row.get(name) for name in wanted})))
        except ValueError as error:
            invalid_rows.append(_damaged(origin, str(error)))
    return Metadata(columns, clean_records(records, columns), invalid_rows, names)


def as_text(cells: dict[str, Any]) -> dict[str, str | None]:
    """Return the cells of a typed row as they would be in a text file.

    Raises
    ------
    ValueError
        For a list, an object or bytes, which cannot be in a text file.
    """
    return {key: _cell_text(key, value) for key, value in cells.items()}


def _cell_text(key: str, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        # Programs write whole numbers as fractions if a cell of the column is empty.
        return str(int(value))
    if isinstance(value, list | tuple | dict | bytes):
        raise ValueError(
            f"column {key!r} holds a {type(value).__name__}, expected a text: name another column "
            "in source.columns"
        )
    return str(value)


def clean_records(records: list[Record], columns: Columns) -> list[Record]:
    """Empty the cells that programs fill with `nan`, and write `1.0` as `1` in labels with gaps.

    Programs write `nan` for an empty cell, and `1.0` for 1 in a column with empty cells.
    """
    names = [name for name in (columns.speaker, columns.session, columns.id) if name]
    shortened = {name for name in names if _is_numbers_with_gaps(records, name)}
    cleaned = []
    for record in records:
        cells = dict(record.cells)
        for name in filter(None, (columns.text, *names)):
            value = cells.get(name)
            nothing = EMPTY_WORDS if name == columns.text else EMPTY_WORDS | EMPTY_LABELS
            if value and value.strip() in nothing:
                cells[name] = None
            elif value and name in shortened:
                cells[name] = value.strip().removesuffix(".0")
        cleaned.append(Record(record.origin, cells))
    return cleaned


def _is_numbers_with_gaps(records: list[Record], name: str) -> bool:
    values = [(record.cells.get(name) or "").strip() for record in records]
    filled = [value for value in values if value and value not in EMPTY_WORDS | EMPTY_LABELS]
    whole = all(re.fullmatch(r"-?\d+\.0", value) for value in filled)
    return bool(filled) and len(filled) < len(values) and whole


def _damaged(origin: str, detail: str) -> InvalidRow:
    return InvalidRow(None, origin, "damaged_row", detail)


def _miscounted(row: Line, expected: str) -> InvalidRow:
    advice = "a text with the delimiter or a line break in it has to be in quotation marks"
    return _damaged(row.origin, f"has {len(row.cells)} cells, expected {expected}: {advice}")
