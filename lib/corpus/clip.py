"""Records of a source: clips, invalid rows, notes, and which clips were recorded together."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

# Clips a session has on average, where names are taken for sessions.
MIN_SESSION_CLIPS = 3


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


def find_sessions(clips: Mapping[str, Clip]) -> tuple[str | None, dict[str, str]]:
    """Return which clips were recorded together, as far as the source shows it.

    Returns
    -------
    tuple
        `session` and the session by clip, where the source has a column of them. Else `folder` or
        `prefix`, if the folders of the files, or their names up to the last `-`, `_`, `.` or space,
        divide all clips into some groups; these are guesses. Else None and nothing.
    """
    named = {clip.id: clip.session for clip in clips.values() if clip.session}
    if named:
        return "session", named
    folders = {
        clip.id: PurePath(clip.audio.path).parent.as_posix()
        for clip in clips.values()
        if clip.audio.row is None
    }
    prefixes = {
        id_: found[1] for id_ in clips if (found := re.fullmatch(r"(.+)[-_. ][^-_. ]+", id_))
    }
    for kind, groups in (("folder", folders), ("prefix", prefixes)):
        if len(groups) == len(clips) and 1 < len(set(groups.values())) <= (
            len(clips) / MIN_SESSION_CLIPS
        ):
            return kind, groups
    return None, {}
