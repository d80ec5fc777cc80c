r"""The one reader and the one writer of tab-separated tables, and the reader of speaker vectors.

One row is one line, nothing is quoted, and the first line names the columns. What would break that
is written as `\t`, `\n` and `\r`; a backslash that could be taken for the start of one is doubled.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from lib.files import atomic_path

_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
_MEANINGS = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table, atomically; None becomes an empty cell."""
    lines = ("\t".join(map(_escape, row)) + "\n" for row in (columns, *rows))
    with atomic_path(path) as temporary:
        # Halves of surrogate pairs, as in file names that are not UTF-8, are written as numbers.
        temporary.write_bytes("".join(lines).encode("utf-8", "backslashreplace"))


def read_table(path: Path, columns: Sequence[str] | None = None) -> list[dict[str, str]]:
    """Return the rows of a table, each as a dictionary by column.

    Parameters
    ----------
    columns
        The columns that the table must have; None takes what is there.

    Raises
    ------
    ValueError
        If the columns are others, or a row has too few or too many cells.
    """
    # Not splitlines(): a cell may hold characters at which that would end a line.
    lines = path.read_bytes().decode("utf-8").split("\n")
    header = [_unescape(cell) for cell in lines[0].split("\t")] if lines[0] else []
    if columns is not None and header != list(columns):
        raise ValueError(
            f"{path}: got columns {', '.join(header) or 'none'}, expected {', '.join(columns)}: "
            "delete it and run again"
        )
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if line:
            cells = [_unescape(cell) for cell in line.split("\t")]
            if len(cells) != len(header):
                raise ValueError(
                    f"{path} line {number}: got {len(cells)} cells, expected {len(header)} "
                    f"({', '.join(header)}): delete it and run again"
                )
            rows.append(dict(zip(header, cells, strict=True)))
    return rows


def read_vectors(path: Path) -> dict[str, list[float]]:
    """Read a Parquet file with the columns `speaker_id` and `vector`, by speaker."""
    # Its import takes a while, which those who read text tables should not wait for.
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["speaker_id", "vector"]).to_pydict()
    return dict(zip(table["speaker_id"], table["vector"], strict=True))


def one_line(value: object) -> str:
    """Return a message for a cell: every run of whitespace is one space, None is empty."""
    return "" if value is None else " ".join(str(value).split())


def _escape(value: object) -> str:
    text = "" if value is None else str(value)
    text = re.sub(r"\\(?=[tnr\\\t\n\r])", r"\\\\", text)
    return re.sub(r"[\t\n\r]", lambda match: _ESCAPES[match[0]], text)


def _unescape(cell: str) -> str:
    if "\\" not in cell:
        return cell
    return re.sub(r"\\([tnr\\])", lambda match: _MEANINGS[match[1]], cell)
