"""The records that a source is read into."""

from dataclasses import dataclass


class CorpusError(ValueError):
    """The source as a whole cannot be read; a single bad row is an `InvalidRow` instead."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the source's columns (`source.columns` in the configuration).

    None means: for audio, text and id the usual names are tried; speaker and session are absent.
    """

    audio: str | None = None
    text: str | None = None
    id: str | None = None
    speaker: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class AudioLocation:
    """Where a clip's bytes are: a file of its own, or a row of an Arrow or Parquet file."""

    path: str
    column: str | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording with its transcript."""

    id: str  # safe as a file name; once given it stays, see lib.corpus.id_record
    text: str
    content_hash: str  # digest of the audio bytes; changes exactly when they do
    audio: AudioLocation
    speaker: str | None  # the user's own label
    session: str | None
    origin: str  # for messages: "metadata.csv line 12"


@dataclass(frozen=True, slots=True)
class InvalidRow:
    """A row that cannot become a clip."""

    clip: str | None  # its id, where one can be told
    origin: str
    reason: str  # duplicate_id | missing_file | missing_text | unsafe_path | damaged_row
    detail: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a source that the user should know, though nothing is left out for it."""

    origin: str
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a source, before it is known whether it is fit to be a clip."""

    origin: str
    name: str | None  # what the id is made from; None: from the content
    key: str | None  # tells rows of one name apart: the file's path with its extension
    text: str | None
    audio: AudioLocation
    content_hash: str | None  # None: the file has yet to be read
    speaker: str | None
    session: str | None
    note: str | None = None  # how the file was found, where it is called otherwise
