"""Records of a source: clips, invalid rows, notes."""

from dataclasses import dataclass


class CorpusError(ValueError):
    """The source as a whole cannot be read; a single bad row is an `InvalidRow` instead."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the source's columns (`source.columns` in the configuration).

    With None the usual names are tried for audio, text and id; there is no speaker or session.
    """

    audio: str | None = None
    text: str | None = None
    id: str | None = None
    speaker: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class AudioLocation:
    """Location of a clip's audio: a file, or a row of an Arrow or Parquet file."""

    path: str
    column: str | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording with its transcript."""

    id: str  # safe as a file name; it never changes, see lib.corpus.ids
    text: str
    content_hash: str  # digest of the audio bytes
    audio: AudioLocation
    speaker: str | None  # the user's own label
    session: str | None
    origin: str  # for messages: "metadata.csv line 12"


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """A row that cannot become a clip."""

    clip: str | None  # its id, if it has one
    origin: str
    reason: str  # duplicate_id | missing_file | missing_text | unsafe_path | damaged_row
    detail: str


@dataclass(frozen=True, slots=True)
class Note:
    """A message about a source for the user; no row is left out because of it."""

    origin: str
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a source, before it is checked and becomes a clip or an invalid row."""

    origin: str
    name: str | None  # the id is made from it; with None it is made from the content
    key: str | None  # path with extension, which distinguishes rows of the same name
    text: str | None
    audio: AudioLocation
    content_hash: str | None  # None if the file is not read yet
    speaker: str | None
    session: str | None
    note: str | None = None  # how the file was found, if it has another name
