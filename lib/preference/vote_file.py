"""Reads the votes of a preference test: the file `config/votes.csv`.

    listener,clip,a,b,vote
    Amina,monday_017,epoch0050-1f0c3a77,epoch0100-9b2e6d10,a
    Amina,monday_021,epoch0100-9b2e6d10,epoch0025-c07d55e1,same

A checkpoint is named by its epoch and by a digest of its weights, so that a vote counts for the
weights that were heard and for no others. What is pasted at the end is added: the header may be
repeated, and of two votes of one listener on the same pair and clip the later one counts. A
spreadsheet may have saved the file.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

USUAL_PLACE = "config/votes.csv"
COLUMNS = ("listener", "clip", "a", "b", "vote")
FIRST, SECOND, SAME = "a", "b", "same"


class VotesError(ValueError):
    """A file of votes that cannot be read, or a line of it that is no vote."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What a listener said of a sentence by two checkpoints."""

    listener: str
    clip: str
    a: str
    """The checkpoint that was shown first."""
    b: str
    vote: str
    """``a`` or ``b`` for the one that is better, ``same`` if none is."""

    @property
    def pair(self) -> tuple[str, str]:
        """The two checkpoints, in the order of their names."""
        return (self.a, self.b) if self.a < self.b else (self.b, self.a)

    @property
    def winner(self) -> str | None:
        """The better one; None if none is."""
        return {FIRST: self.a, SECOND: self.b}.get(self.vote)


def find_votes_file(path: str | None) -> Path | None:
    """Return the file of votes; None if there is none yet.

    Parameters
    ----------
    path
        `export.votes` of the configuration. None, or a missing file at the usual place, is no file.

    Raises
    ------
    VotesError
        If another file is named and missing.
    """
    if path is None or (path == USUAL_PLACE and not Path(path).exists()):
        return None
    if not Path(path).is_file():
        raise VotesError(
            f"export.votes: there is no file {path}; expected a table with the columns "
            f"{','.join(COLUMNS)}, or null for none"
        )
    return Path(path)


def read_votes(path: Path | None) -> list[Vote]:
    """Read a file of votes; None has none.

    Returns
    -------
    list of Vote
        In the order of the file, one for each listener, clip and pair.

    Raises
    ------
    VotesError
        If the file cannot be read, or has a line that is no vote.
    """
    if path is None:
        return []
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise VotesError(
            f"export.votes: {path} cannot be read ({error}); expected a table in UTF-8 with the "
            f"columns {','.join(COLUMNS)}"
        ) from None
    return _settle(_parse(lines, path))


def _parse(lines: Iterable[str], path: Path) -> Iterable[Vote]:
    # A quotation mark that is never closed would take all further lines for one cell.
    for number, line in enumerate(lines, 1):
        cells = _split(line)
        if not any(cells) or [cell.lower() for cell in cells] == list(COLUMNS):
            continue
        fault = _find_fault(cells)
        if fault:
            raise VotesError(
                f"export.votes: {path}, line {number}: {fault}; expected "
                f"{','.join(COLUMNS)}, as the page of the preference test writes it: {line[:120]!r}"
            )
        yield Vote(*cells)


def _split(line: str) -> list[str]:
    """Return the cells of a line; spreadsheets write semicolons or tabs, and empty cells after."""
    splits = []
    for delimiter in (",", ";", "\t"):
        reader = csv.reader([line], delimiter=delimiter, skipinitialspace=True)
        cells = [cell.strip() for cell in next(reader, [])]
        while cells and not cells[-1]:
            cells.pop()
        splits.append(cells)
    fitting = [cells for cells in splits if len(cells) in (0, len(COLUMNS))]
    return [*fitting, splits[0]][0]


def _find_fault(cells: list[str]) -> str:
    """Say why a line is no vote; empty if it is one."""
    if len(cells) != len(COLUMNS):
        return f"{len(cells)} cells"
    _, clip, a, b, vote = cells
    if not (clip and a and b):
        return "a cell is empty"
    if a == b:
        return "both checkpoints are the same"
    if vote not in (FIRST, SECOND, SAME):
        return f"the vote is {vote!r}, none of {FIRST}, {SECOND} and {SAME}"
    return ""


def _settle(votes: Iterable[Vote]) -> list[Vote]:
    """Let the later vote of a listener on the same pair and clip count."""
    settled: dict[tuple[str, str, tuple[str, str]], Vote] = {}
    for vote in votes:
        key = vote.listener, vote.clip, vote.pair
        settled.pop(key, None)
        settled[key] = vote
    return list(settled.values())
