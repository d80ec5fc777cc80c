"""The durable record of clip ids: an id that was given to a recording stays with it.

Two recordings may have a claim to one id: files of one name in several folders or formats, or
names that differ in capitals. The first to come gets it and keeps it, whatever rows are added,
moved or taken out later; the record tells who that was.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lib.corpus.clip import CorpusError
from lib.corpus.ids import clip_id, hashed_id
from lib.files import read_json, write_json

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """What a recording is known by.

    Attributes
    ----------
    name
        What its id is made from.
    key
        Its file with the extension, or the name again.
    fingerprint
        Digest of the audio.
    """

    name: str
    key: str
    fingerprint: str


class IdRecord:
    """Ids by recording, those of recordings that are gone included."""

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
                id_: [row.name, row.key, row.fingerprint]
                for id_, row in sorted(self._known.items())
            }
            write_json(self._path, {"format": FORMAT, "clips": clips})

    def assign(
        self, recordings: Sequence[Identity], former: Sequence[str | None] = ()
    ) -> list[str | None]:
        """Return the id of every recording; None for one that is there a second time.

        A recording is known again by all that there is of it, else by its file (its audio was
        replaced), else by name and audio (its file was moved), else by its name alone (it was
        encoded anew).

        Parameters
        ----------
        former
            The id that each recording had before there was a record, or None.
        """
        ids: list[str | None] = [None] * len(recordings)
        first: dict[tuple[str, str], int] = {}
        open_rows = []
        for row, recording in enumerate(recordings):
            if first.setdefault((recording.name, recording.fingerprint), row) == row:
                open_rows.append(row)
        given: set[str] = set()
        for row in open_rows if former else ():
            if (id_ := former[row]) and id_ not in given:
                ids[row] = id_
                given.add(id_)
        for told in (_everything, _file, _sound, _name):
            self._recognise([row for row in open_rows if not ids[row]], recordings, ids, told)
        taken = {id_.lower(): id_ for id_ in (*self._known, *filter(None, ids))}
        for row in open_rows:
            if not ids[row]:
                ids[row] = _choose_id(recordings[row], taken)
                taken[ids[row].lower()] = ids[row]
        self._known |= {ids[row]: recordings[row] for row in open_rows}
        return ids

    def _recognise(self, rows: Iterable[int], recordings, ids: list[str | None], told) -> None:
        """Give open rows the ids of recordings that share what `told` tells and are not there."""
        used = set(ids)
        free: dict[tuple[str, ...], list[str]] = {}
        for id_, known in reversed(self._known.items()):
            if id_ not in used:
                free.setdefault(told(known), []).append(id_)
        for row in rows:
            if fitting := free.get(told(recordings[row])):
                ids[row] = fitting.pop()


def _everything(row: Identity) -> tuple[str, ...]:
    return row.name, row.key, row.fingerprint


def _file(row: Identity) -> tuple[str, ...]:
    return row.name, row.key


def _sound(row: Identity) -> tuple[str, ...]:
    return row.name, row.fingerprint


def _name(row: Identity) -> tuple[str, ...]:
    return (row.name,)


def _choose_id(recording: Identity, taken: dict[str, str]) -> str:
    """Return the plainest id that nobody has; ids that differ in case only are one file."""
    return next(id_ for id_ in _candidates(recording, taken) if id_.lower() not in taken)


def _candidates(recording: Identity, taken: dict[str, str]) -> Iterator[str]:
    plain = clip_id(recording.name)
    yield plain
    if taken[plain.lower()] != plain:
        yield hashed_id(plain)
    yield clip_id(recording.key)
    number = 0
    while True:
        yield hashed_id(f"{recording.key}\0{recording.fingerprint}{number or ''}")
        number += 1


def _load(path: Path) -> dict[str, Identity]:
    try:
        content = read_json(path)
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']}, this version reads {FORMAT}")
        known = {id_: Identity(*row) for id_, row in content["clips"].items()}
        if not all(isinstance(part, str) for row in known.values() for part in _everything(row)):
            raise ValueError("a clip has no name, file and fingerprint")
        return known
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f"{path}: the record of clip ids is damaged ({error}). Put back a copy of this file; "
            "or delete it, and clips of one name are told apart anew"
        ) from error
