"""All clips of a source, checked and in a fixed order."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path

from lib import lfs
from lib.corpus.clip import AudioLocation, Clip, Columns, CorpusError, InvalidRow, Note, Row
from lib.corpus.content_hash import ContentHashCache, digest_file
from lib.corpus.ids import Identity, IdRecord, clip_id
from lib.corpus.locate import forget_folders
from lib.corpus.source import read_rows
from lib.files import atomic_path

logger = logging.getLogger(__name__)

INDEX_NAME = "corpus.json"
CONTENT_HASHES_NAME = "content_hashes.json"
INDEX_VERSION = 1


@dataclass(frozen=True, slots=True)
class Corpus:
    """Clips by id, in the order of their ids, with the invalid rows and notes of a source.

    `record` is the durable record of ids, which `save_corpus` writes.
    """

    clips: dict[str, Clip]
    invalid_rows: list[InvalidRow]
    notes: list[Note] = field(default_factory=list)
    record: IdRecord | None = field(default=None, repr=False, compare=False)

    def digest(self, *fields: str, ids: Iterable[str] | None = None) -> str:
        """Return a digest that changes exactly when these fields of these clips change."""
        chosen = sorted(self.clips if ids is None else set(ids))
        values = [[id_, *(getattr(self.clips[id_], field) for field in fields)] for id_ in chosen]
        return _digest(values)

    def digest_invalid_rows(self) -> str:
        """Return a digest that changes exactly when the invalid rows change."""
        return _digest([astuple(invalid_row) for invalid_row in self.invalid_rows])


def read_corpus(
    path: Path, columns: Columns, cache: Path | None, record: Path | None = None
) -> Corpus:
    """Read a source; `save_corpus` saves the result.

    Parameters
    ----------
    path
        The source.
    columns
        Names of its columns, by the configuration.
    cache
        Folder with the cached digests of audio; None has no cache.
    record
        Durable record of the clips' ids; with None the ids depend on the source alone.

    Raises
    ------
    CorpusError
        If the source as a whole cannot be read, or no row of it can be used.
    """
    hash_cache = ContentHashCache(cache and cache / CONTENT_HASHES_NAME)
    forget_folders()
    rows: list[Row] = []
    content_hashes: list[str] = []
    invalid_rows: list[InvalidRow] = []
    notes: list[Note] = []
    for row in read_rows(path, columns, hash_cache):
        if isinstance(row, Note):
            notes.append(row)
            continue
        checked = row if isinstance(row, InvalidRow) else _check(row, hash_cache)
        if isinstance(checked, InvalidRow):
            invalid_rows.append(replace(checked, clip=checked.clip and clip_id(checked.clip)))
        else:
            rows.append(row)
            content_hashes.append(checked)
    _refuse_shared(rows, content_hashes, invalid_rows)
    known = IdRecord(record)
    clips = _identify(rows, content_hashes, invalid_rows, known, cache)
    if not clips:
        raise CorpusError(_nothing_usable(path, invalid_rows))
    notes += [Note(row.origin, row.note) for row in rows if row.note]
    hash_cache.save()
    return Corpus(dict(sorted(clips.items())), invalid_rows, notes, known)


def save_corpus(corpus: Corpus, cache: Path) -> None:
    """Save the ids that `read_corpus` gave, and an index in `cache` for `load_corpus`.

    This is for a run that really starts. A dry run, or a run that is refused, may read a source
    that is copied only in part, and must not save its ids.
    """
    if corpus.record:
        corpus.record.save()
    _write_index(corpus, cache / INDEX_NAME)


def _refuse_shared(
    rows: list[Row], content_hashes: list[str], invalid_rows: list[InvalidRow]
) -> None:
    """Move rows to the invalid ones if they name the same file differently.

    At most one of these names is right.
    """
    if not any(row.note for row in rows):
        return
    names: dict[AudioLocation, dict[str, Row]] = {}
    for row in rows:
        names.setdefault(row.audio, {}).setdefault(row.note or "", row)
    for at in reversed(range(len(rows))):
        row = rows[at]
        others = [other for note, other in names[row.audio].items() if note != (row.note or "")]
        if row.note and others:
            detail = f"{row.note}, but so is the file of {others[0].origin}: name the right one"
            invalid_rows.append(InvalidRow(row.name, row.origin, "missing_file", detail))
            del rows[at], content_hashes[at]


def _identify(
    rows: list[Row],
    content_hashes: list[str],
    invalid_rows: list[InvalidRow],
    record: IdRecord,
    cache: Path | None,
) -> dict[str, Clip]:
    """Return the clips by id, and add repeated rows to the invalid ones."""
    recordings = [
        Identity(row.name or content_hash, row.key or row.name or content_hash, content_hash)
        for row, content_hash in zip(rows, content_hashes, strict=True)
    ]
    ids = record.assign(
        recordings, _former_ids(rows, content_hashes, cache) if record.is_new else ()
    )
    first: dict[tuple[str, str], Row] = {}
    clips: dict[str, Clip] = {}
    for row, recording, id_ in zip(rows, recordings, ids, strict=True):
        before = first.setdefault((recording.name, recording.content_hash), row)
        if id_ is None:
            invalid_rows.append(_duplicate(row, before, recording))
        else:
            clips[id_] = Clip(
                id=id_,
                text=row.text,
                content_hash=recording.content_hash,
                audio=row.audio,
                speaker=row.speaker,
                session=row.session,
                origin=row.origin,
            )
    return clips


def _former_ids(rows: list[Row], content_hashes: list[str], cache: Path | None) -> list[str | None]:
    """Return the ids that an earlier version gave, from its index."""
    if cache is None or not (cache / INDEX_NAME).is_file():
        return []
    try:
        former = load_corpus(cache).clips.values()
    except CorpusError:
        return []
    ids = {(clip.audio, clip.content_hash): clip.id for clip in former}
    return [
        ids.get((row.audio, content_hash))
        for row, content_hash in zip(rows, content_hashes, strict=True)
    ]


def load_corpus(path: Path) -> Corpus:
    """Load a corpus that `save_corpus` saved, without reading the source.

    Raises
    ------
    CorpusError
        If the index cannot be read.
    """
    index = path / INDEX_NAME if path.is_dir() else path
    try:
        content = json.loads(index.read_bytes())
        if content["version"] != INDEX_VERSION:
            raise ValueError(f"version {content['version']}, expected {INDEX_VERSION}")
        clips = [
            Clip(**{**fields, "audio": AudioLocation(**fields["audio"])})
            for fields in content["clips"]
        ]
        invalid_rows = [InvalidRow(**fields) for fields in content["invalid_rows"]]
        notes = [Note(**fields) for fields in content.get("notes", ())]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CorpusError(
            f"{index}: not an index of a source ({error}): start the workflow again, which "
            "writes it anew"
        ) from error
    return Corpus({clip.id: clip for clip in clips}, invalid_rows, notes)


def read_audio(clip: Clip) -> bytes:
    """Return a clip's audio file as bytes."""
    if clip.audio.row is None:
        return Path(clip.audio.path).read_bytes()
    from lib.corpus.shards import read_bytes

    return read_bytes(clip.audio)


def _digest(values: object) -> str:
    content = json.dumps(values, default=asdict, ensure_ascii=True)
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def _check(row: Row, hash_cache: ContentHashCache) -> str | InvalidRow:
    """Return the digest of a row's audio, or an invalid row with the reason."""
    if row.text is None:
        return InvalidRow(row.name, row.origin, "missing_text", "the row has no transcript")
    if row.content_hash:
        return row.content_hash
    path = Path(row.audio.path)
    try:
        stat = path.stat()
        if stat.st_size < lfs.MAX_SIZE and lfs.is_pointer_file(path):
            return InvalidRow(row.name, row.origin, "missing_file", f"{path} {lfs.ADVICE}")
        return hash_cache.look_up(str(path), stat, lambda: digest_file(str(path)))
    except OSError as error:
        return InvalidRow(row.name, row.origin, "missing_file", f"{path}: {error.strerror}")


def _duplicate(row: Row, first: Row, recording: Identity) -> InvalidRow:
    detail = (
        f"{first.origin} has the same id and the same audio and comes first: give each row its own "
        "file name, or name a column of ids in source.columns.id"
    )
    return InvalidRow(clip_id(recording.name), row.origin, "duplicate_id", detail)


def _nothing_usable(path: Path, invalid_rows: list[InvalidRow]) -> str:
    if not invalid_rows:
        return f"source.path: {path} has no rows, expected recordings with transcripts"
    counts = Counter(invalid_row.reason for invalid_row in invalid_rows)
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    first = invalid_rows[0]
    return (
        f"source.path: none of the {len(invalid_rows)} rows of {path} can be used ({reasons}); the "
        f"first: {first.origin}: {first.detail}"
    )


def _clip_fields(clip: Clip) -> dict[str, object]:
    """Return the same as `asdict`, in a tenth of its time."""
    values = {name: getattr(clip, name) for name in Clip.__slots__}
    audio = clip.audio
    return {**values, "audio": {"path": audio.path, "column": audio.column, "row": audio.row}}


def _write_index(corpus: Corpus, path: Path) -> None:
    """Write the index if its content has changed, because its time stamp must then change."""
    content = {
        "version": INDEX_VERSION,
        "clips": [_clip_fields(clip) for clip in corpus.clips.values()],
        "invalid_rows": [asdict(invalid_row) for invalid_row in corpus.invalid_rows],
        "notes": [asdict(note) for note in corpus.notes],
    }
    # It is not indented, because Python's slow encoder would then take a third of the start's time.
    encoded = json.dumps(content).encode("ascii")
    if path.is_file() and path.read_bytes() == encoded:
        return
    logger.info("%s: %d clips, %d invalid rows", path, len(corpus.clips), len(corpus.invalid_rows))
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded)
