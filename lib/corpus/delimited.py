"""Rows of delimited text, with the delimiter and the quoting found from the rows themselves.

Such tables come from spreadsheets (quoted, with line breaks in cells), from scripts (not quoted,
with stray quotation marks) and from other trainers (`|`, no header).
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lib.corpus.clip import InvalidRow

# They are tried in this order, because the later ones are also punctuation of texts.
DELIMITERS = ("\t", "|", ";", ",")
# In tables with these, a quotation mark that is never closed is part of a text.
UNQUOTED = ("\t", "|")
LINE_END = re.compile(r"\r\n|\n|\r")
MAX_CELL = 131_072  # characters, as in Python's csv module
MAX_CELL_LINES = 200
SAMPLE = 1000  # lines
_DECLARED = re.compile('"?sep=(.)"?')  # the line with which spreadsheets declare a delimiter
_CLOSED = re.compile(r'"[^"]*"')


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table: the place where it begins, and its cells."""

    origin: str
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Delimited:
    """The rows of a table, and the invalid ones."""

    delimiter: str
    rows: list[Line]
    invalid_rows: list[InvalidRow]


def parse_delimited(
    text: str,
    label: str,
    is_header: Callable[[Sequence[str]], bool],
    names_audio: Callable[[str], bool],
) -> Delimited:
    """Parse a table.

    Parameters
    ----------
    text
        Content of the table.
    label
        Name of the table in messages.
    is_header
        Returns whether cells are the names of columns.
    names_audio
        Returns whether a cell names a recording. A line with such a cell is a row of its own and
        not a part of a quoted cell that began lines above.
    """
    lines = LINE_END.split(text)
    if declared := _DECLARED.fullmatch(lines[0].strip()):
        lines[0], delimiter = "", declared[1]
    else:
        delimiter = find_delimiter(lines, is_header)
    table = _Table(lines, label, delimiter, is_header, names_audio)
    table.read()
    return Delimited(delimiter, table.rows, table.invalid_rows)


def find_delimiter(lines: Sequence[str], is_header: Callable[[Sequence[str]], bool]) -> str:
    """Return the delimiter, by the header or else by most lines."""
    filled = [line for line in lines[: 2 * SAMPLE] if line.strip()][:SAMPLE]
    first = filled[0] if filled else ""
    for delimiter in DELIMITERS:
        cells = [cell.strip().strip('"') for cell in first.split(delimiter)]
        if len(cells) > 1 and is_header(cells):
            return delimiter
    for delimiter in DELIMITERS:
        if sum(delimiter in line for line in filled) > 0.5 * len(filled):
            return delimiter
    return max(DELIMITERS, key=first.count)


def find_width(
    lines: Sequence[str], delimiter: str, is_header: Callable[[Sequence[str]], bool]
) -> int:
    """Return the number of cells of a row, by the header or else by most rows."""
    filled = [_CLOSED.sub("", line) for line in lines[:SAMPLE] if line.strip()]
    first = next((line for line in lines if line.strip()), "")
    if is_header([cell.strip().strip('"') for cell in first.split(delimiter)]):
        return len(first.split(delimiter))
    counts = Counter(line.count(delimiter) + 1 for line in filled)
    # The smallest of equally frequent numbers, because a text may contain delimiters, but none can
    # be missing.
    return min(counts, key=lambda width: (-counts[width], width), default=1)


class _Table:
    """The state of parsing a table, with the rows and the invalid rows so far."""

    def __init__(
        self,
        lines: Sequence[str],
        label: str,
        delimiter: str,
        is_header: Callable[[Sequence[str]], bool],
        names_audio: Callable[[str], bool],
    ) -> None:
        self.lines = lines
        self.label = label
        self.delimiter = delimiter
        self.names_audio = names_audio
        self.width = find_width(lines, delimiter, is_header)
        # Tables with pipes come from scripts, which do not quote.
        self.quoted = delimiter != "|" or self._is_quoted()
        self.rows: list[Line] = []
        self.invalid_rows: list[InvalidRow] = []

    def read(self) -> None:
        at = 0
        while at < len(self.lines):
            at = self._read_row(at)

    def _read_row(self, at: int) -> int:
        """Read the row that begins at a line; return the line of the next row."""
        line, origin, after = self.lines[at], f"{self.label} line {at + 1}", at + 1
        if not line.replace(self.delimiter, "").strip():
            return after
        cells = line.split(self.delimiter)
        if '"' in line and self.quoted:
            found = self._read_quoted(at)
            if found is not None:
                cells, after = found
            elif self._opens(cells) and self.delimiter not in UNQUOTED:
                detail = "a quotation mark opens a text and does not close it: close it, or write "
                self._reject(origin, detail + 'a mark within a text twice ("")')
                return after
        if "\0" in "".join(cells):
            self._reject(origin, "holds a NUL character")
        elif any(len(cell) > MAX_CELL for cell in cells):
            self._reject(origin, f"a cell has more than {MAX_CELL:,} characters")
        elif any(cell.strip() for cell in cells):
            self.rows.append(Line(origin, cells))
        return after

    def _reject(self, origin: str, detail: str) -> None:
        self.invalid_rows.append(InvalidRow(None, origin, "damaged_row", detail))

    def _opens(self, cells: Sequence[str]) -> bool:
        """Return whether a cell begins with a quotation mark that its line does not close."""
        return any(cell.lstrip(" ").startswith('"') and cell.count('"') % 2 for cell in cells)

    def _read_quoted(self, at: int) -> tuple[list[str], int] | None:
        """Read a row with quoted cells; return None if one is not closed properly."""
        cells, rest, line = [], self.lines[at], at
        while True:
            if rest.lstrip(" ").startswith('"'):
                closed = self._close(rest[rest.index('"') + 1 :], line, at)
                if closed is None:
                    return None
                cell, rest, line = closed
                cells.append(cell)
            else:
                cell, mark, rest = rest.partition(self.delimiter)
                cells.append(cell)
                rest = mark + rest
            if not rest:
                break
            rest = rest[1:]
        fits = line == at or len(cells) == self.width or self.width < 2
        return (cells, line + 1) if fits else None

    def _close(self, rest: str, line: int, start: int) -> tuple[str, str, int] | None:
        """Return a quoted cell after its first mark, the rest of its last line, and that line."""
        parts = []
        while True:
            piece, mark, after = rest.partition('"')
            if line > start and self._is_row(piece):
                return None
            parts.append(piece)
            if mark and after.startswith('"'):
                parts.append('"')
                rest = after[1:]
            elif mark:
                after = after.rstrip(" ") if not after.strip(" ") else after
                return ("".join(parts), after, line) if after[:1] in ("", self.delimiter) else None
            elif line + 1 < len(self.lines) and line - start < MAX_CELL_LINES:
                line += 1
                parts.append("\n")
                rest = self.lines[line]
            else:
                return None

    def _is_row(self, piece: str) -> bool:
        """Return whether a piece of a line within quotation marks is a row of its own."""
        cells = piece.split(self.delimiter)
        if len(cells) < 2:
            return False
        is_whole = len(cells) == self.width and self.delimiter in UNQUOTED
        return is_whole or any(map(self.names_audio, cells))

    def _is_quoted(self) -> bool:
        """Return whether the texts of a table are quoted, though its delimiter does not need it."""
        closed = stray = 0
        for line in self.lines[:SAMPLE]:
            for cell in line.split(self.delimiter):
                if cell.startswith('"'):
                    whole = len(cell) > 1 and cell.endswith('"') and not cell.count('"') % 2
                    closed, stray = closed + whole, stray + (not whole)
        return closed > stray
