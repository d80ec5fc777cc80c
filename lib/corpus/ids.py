"""Clip ids, which are safe as file names on any system and never change.

Two recordings may have the same name: in several folders or formats, or with other capitals. The
first one gets the plain id and keeps it when rows are added, moved or removed later. A durable
record stores the ids.
"""

import hashlib
import os.path
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.corpus.clip import CorpusError
from lib.files import read_json, write_json

SLUG_LENGTH = 48
HASH_LENGTH = 10
SAFE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9_-])?")
# Names that Windows keeps for devices, with any extension.
RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
FORMAT = 1


def name_of_file(path: str) -> str:
    """Return a file's path without its extension, from which its id is made."""
    return os.path.splitext(path.replace("\\", "/").removeprefix("./"))[0]


def clip_id(name: str) -> str:
    """Return `name` itself if it is safe, or else a readable part of it and a hash of it."""
    if SAFE.fullmatch(name) and not RESERVED.fullmatch(name):
        return name
    return hashed_id(name)


def hashed_id(name: str) -> str:
    """Return a safe id that no other name gets."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    # The end of a path is more specific than its beginning.
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", ascii_name)[-SLUG_LENGTH:].strip("-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_LENGTH]
    return f"{slug or 'clip'}-{digest}"


@dataclass(frozen=True, slots=True)
class Identity:
    """The properties by which a recording is recognised.

    Attributes
    ----------
    name
        The name from which its id is made.
    key
        Its path with the extension, or the name again.
    content_hash
        Digest of the audio.
    """

    name: str
    key: str
    content_hash: str


class IdRecord:
    """Ids of recordings, including those that were removed from the source."""

    def __init__(self, path: Path | None):
        self._path = path
        self._known = _load(path) if path else {}
        self._at_first = dict(self._known)

    @property
    def is_new(self) -> bool:
        """Whether no id was ever recorded."""
        return not self._at_first

    def save(self) -> None:
        """Write the record, if anything is new."""
        if self._path and self._known != self._at_first:
            clips = {
                id_: [row.name, row.key, row.content_hash]
                for id_, row in sorted(self._known.items())
            }
            write_json(self._path, {"format": FORMAT, "clips": clips})

    def assign(
        self, recordings: Sequence[Identity], former: Sequence[str | None] = ()
    ) -> list[str | None]:
        """Return the id of every recording; None for a repeated one.

        A recording is recognised by all of its properties; or else by its file, if its audio was
        replaced; or else by name and audio, if its file was moved; or else by its name alone, if
        it was encoded again.

        Parameters
        ----------
        recordings
            All recordings of the source, in its order.
        former
            The id that each recording had before there was a record, or None.
        """
        ids: list[str | None] = [None] * len(recordings)
        first: dict[tuple[str, str], int] = {}
        open_rows = []
        for row, recording in enumerate(recordings):
            if first.setdefault((recording.name, recording.content_hash), row) == row:
                open_rows.append(row)
        given: set[str] = set()
        for row in open_rows if former else ():
            if (id_ := former[row]) and id_ not in given:
                ids[row] = id_
                given.add(id_)
        for properties in (_everything, _file, _name_and_audio, _name):
            self._recognise([row for row in open_rows if not ids[row]], recordings, ids, properties)
        taken = {id_.lower(): id_ for id_ in (*self._known, *filter(None, ids))}
        for row in open_rows:
            if not ids[row]:
                ids[row] = _choose_id(recordings[row], taken)
                taken[ids[row].lower()] = ids[row]
        self._known |= {ids[row]: recordings[row] for row in open_rows}
        return ids

    def _recognise(
        self,
        rows: Iterable[int],
        recordings: Sequence[Identity],
        ids: list[str | None],
        properties: Callable[[Identity], tuple[str, ...]],
    ) -> None:
        """Give rows the unused ids of known recordings that have the same properties."""
        used = set(ids)
        free: dict[tuple[str, ...], list[str]] = {}
        for id_, known in reversed(self._known.items()):
            if id_ not in used:
                free.setdefault(properties(known), []).append(id_)
        for row in rows:
            if fitting := free.get(properties(recordings[row])):
                ids[row] = fitting.pop()


def _everything(row: Identity) -> tuple[str, ...]:
    return row.name, row.key, row.content_hash


def _file(row: Identity) -> tuple[str, ...]:
    return row.name, row.key


def _name_and_audio(row: Identity) -> tuple[str, ...]:
    return row.name, row.content_hash


def _name(row: Identity) -> tuple[str, ...]:
    return (row.name,)


def _choose_id(recording: Identity, taken: dict[str, str]) -> str:
    """Return the first candidate that is not taken; ids that differ only in case are equal."""
    return next(id_ for id_ in _candidates(recording, taken) if id_.lower() not in taken)


def _candidates(recording: Identity, taken: dict[str, str]) -> Iterator[str]:
    plain = clip_id(recording.name)
    yield plain
    if taken[plain.lower()] != plain:
        yield hashed_id(plain)
    yield clip_id(recording.key)
    number = 0
    while True:
        yield hashed_id(f"{recording.key}\0{recording.content_hash}{number or ''}")
        number += 1


def _load(path: Path) -> dict[str, Identity]:
    try:
        content = read_json(path)
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']}, this version reads {FORMAT}")
        known = {id_: Identity(*row) for id_, row in content["clips"].items()}
        if not all(isinstance(part, str) for row in known.values() for part in _everything(row)):
            raise ValueError("a clip has no name, file and content_hash")
        return known
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f"{path}: the record of clip ids is damaged ({error}). Put back a copy of this file; "
            "or delete it, and clips of one name are told apart anew"
        ) from error
