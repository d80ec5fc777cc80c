"""Detect the form of a source, and read its rows."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from lib.corpus import metadata as formats
from lib.corpus.clip import AudioLocation, Columns, CorpusError, InvalidRow, Note, Row
from lib.corpus.columns import (
    EMBEDDED_NAMES,
    PART_NAMES,
    note_columns,
    plain_name,
    resolve_columns,
)
from lib.corpus.content_hash import ContentHashCache
from lib.corpus.ids import name_of_file
from lib.corpus.kaldi import is_kaldi, read_kaldi
from lib.corpus.locate import Found, locate_file
from lib.corpus.metadata import PART, Metadata, Record

Reader = Callable[[Path, str, Columns], Metadata]
METADATA_READERS: dict[str, Reader] = {
    ".csv": formats.read_delimited,
    ".tsv": formats.read_delimited,
    ".txt": formats.read_delimited,
    ".jsonl": formats.read_jsonl,
    ".json": formats.read_jsonl,
    ".parquet": formats.read_parquet,
}
TABLE_ENDS = (".csv", ".tsv", ".jsonl", ".json", ".txt")
DEPTHS = ("", "*/", "*/*/")
# Words in the names of the tables of a corpus in several parts, which are all read.
PARTS = {"train", "dev", "valid", "validation", "val", "test", "eval", "filelist"}
# Only text files with one of these words in their names are tables.
TABLE_WORDS = PARTS | {"metadata", "transcript", "transcripts", "transcriptions", "list"}
BY_CLIENT = Columns(speaker="client_id")
COMMON_VOICE = "validated.tsv"  # it has all rows of train.tsv, dev.tsv and test.tsv, and more
EXPECTED = (
    "expected a dataset saved with datasets.save_to_disk (state.json or dataset_dict.json), a "
    "folder with metadata.csv, metadata.jsonl or metadata.parquet (columns file_name and text), "
    "an LJSpeech folder (metadata.csv with id|text), Common Voice (validated.tsv), a NeMo "
    "manifest (manifest.json), a Kaldi folder (wav.scp and text), or Parquet files with audio "
    "and text"
)


@dataclass(frozen=True, slots=True)
class Table:
    """A file that lists recordings, and its reader."""

    path: Path
    read: Reader
    # Manifests may name recordings anywhere, other tables only below their own folder.
    absolute: bool = False
    columns: Columns = Columns()


def read_rows(
    source: Path, columns: Columns, cache: ContentHashCache
) -> Iterator[Row | InvalidRow | Note]:
    """Yield the rows of a source in its order, and notes about it.

    Raises
    ------
    CorpusError
        If the source has no known form.
    """
    if not source.is_dir():
        found = "is a file" if source.exists() else "does not exist"
        raise CorpusError(f"source.path: {source} {found}, {EXPECTED}")
    if (source / "dataset_dict.json").is_file():
        from lib.corpus.shards import list_splits

        for split in list_splits(source / "dataset_dict.json"):
            yield from _read_saved_split(source, source / split, columns, cache)
    elif (source / "state.json").is_file():
        yield from _read_saved_split(source, source, columns, cache)
    elif tables := find_tables(source):
        yield from _note_unread(source, tables)
        for table in tables:
            yield from _read_table(source, table, columns)
    elif shards := [path for depth in DEPTHS for path in _match(source, f"{depth}*.parquet")]:
        for shard in shards:
            yield from _read_shard(source, shard, columns, cache)
    elif tables := _find_loose_tables(source):
        for table in tables:
            yield from _read_table(source, table, columns)
    else:
        raise CorpusError(f"source.path: found {_list_entries(source)} in {source}, {EXPECTED}")


def find_tables(source: Path) -> list[Table]:
    """Return the tables of a folder that list its recordings.

    Raises
    ------
    CorpusError
        If the choice is ambiguous.
    """
    if tables := _find_metadata(source):
        return tables
    for depth in DEPTHS:
        if found := _match(source, f"{depth}{COMMON_VOICE}"):
            if len(found) > 1:
                raise CorpusError(_several(source, found))
            return [Table(found[0], formats.read_delimited, columns=BY_CLIENT)]
        if found := [path.parent for path in _match(source, f"{depth}wav.scp")]:
            return [Table(path, read_kaldi, absolute=True) for path in found if is_kaldi(path)]
    if manifests := [
        path for suffix in ("json", "jsonl") for path in _match(source, f"*manifest*.{suffix}")
    ]:
        return [Table(path, formats.read_jsonl, absolute=True) for path in manifests]
    return []


def _find_metadata(source: Path) -> list[Table]:
    """Return the metadata file of a folder, or else that of each folder in it."""
    for depth in DEPTHS:
        names = [f"{depth}metadata{suffix}" for suffix in METADATA_READERS]
        found = [path for name in names for path in _match(source, name)]
        folders = [path.parent for path in found]
        if twice := next((folder for folder in folders if folders.count(folder) > 1), None):
            raise CorpusError(_several(source, [path for path in found if path.parent == twice]))
        if found:
            return [Table(path, METADATA_READERS[path.suffix]) for path in sorted(found)]
    return []


def _note_unread(source: Path, tables: list[Table]) -> Iterator[Note]:
    """Yield notes about other files that may be part of the source and are not read."""
    read = {table.path for table in tables}
    names = [f"metadata{suffix}" for suffix in METADATA_READERS]
    others = [*names, "*.parquet", "state.json", "wav.scp"]
    patterns = [[depth + name for depth in DEPTHS] for name in others]
    patterns += [["*manifest*.json"], ["*manifest*.jsonl"]]
    if not any(path.name == COMMON_VOICE for path in read):  # its parts are in it
        patterns += [[COMMON_VOICE], *([f"{p}{end}"] for p in sorted(PARTS) for end in TABLE_ENDS)]
    for places in patterns:
        found = [path for pattern in places for path in _match(source, pattern)]
        unread = [path for path in found if not {path, path.parent} & read]
        if unread:
            first = ", ".join(str(path.relative_to(source)) for path in unread[:3])
            more = f" and {len(unread) - 3} more" if len(unread) > 3 else ""
            taken = ", ".join(str(table.path.relative_to(source)) for table in tables[:3])
            yield Note(
                f"{first}{more}",
                f"not read, since {taken} is: move what does not belong to the source away, or set "
                "source.path to the other",
            )


def _find_loose_tables(source: Path) -> list[Table]:
    """Return the only table of a folder, with any name, or the tables of its parts."""
    found = [
        path
        for suffix in TABLE_ENDS
        for path in _match(source, f"*{suffix}")
        if suffix not in (".txt", ".json") or _has_word(path, TABLE_WORDS)
    ]
    if len(found) > 1 and not all(_has_word(path, PARTS) for path in found):
        raise CorpusError(_several(source, found))
    return [
        Table(
            path, METADATA_READERS[path.suffix], columns=BY_CLIENT if _is_voice(path) else Columns()
        )
        for path in found
    ]


def _is_voice(path: Path) -> bool:
    """Return whether a table is a part of Common Voice, whose speakers are in `client_id`."""
    with path.open("rb") as file:
        first = file.readline(1000).strip().split(b"\t")
    return {b"client_id", b"path", b"sentence"} <= set(first)


def _has_word(path: Path, words: set[str]) -> bool:
    return bool(words & set(path.stem.casefold().replace("-", "_").split("_")))


def _several(source: Path, paths: list[Path]) -> str:
    names = ", ".join(str(path.relative_to(source)) for path in paths[:5])
    return (
        f"source.path: {source} has {names}, expected one of them: set source.path to the folder "
        "of one, or move the others away"
    )


def _list_entries(source: Path) -> str:
    return ", ".join(map(_name, sorted(source.iterdir())[:5])) or "nothing"


def _name(entry: Path) -> str:
    """Return a file's name, and the reason if it cannot be read as a file."""
    if entry.is_dir():
        return f"{entry.name} (a folder)"
    return entry.name if entry.exists() else f"{entry.name} (a link that points nowhere)"


def _match(source: Path, pattern: str) -> list[Path]:
    """Return the matching files that are neither hidden nor in hidden folders (.git, .cache)."""
    found = [path for path in source.glob(pattern) if path.is_file()]
    return sorted(
        path
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(source).parts)
    )


def _read_saved_split(
    source: Path, split: Path, columns: Columns, cache: ContentHashCache
) -> Iterator[Row | InvalidRow | Note]:
    """Yield the rows of a split, in the order of its indices file if it has one."""
    from lib.corpus.shards import list_files, read_indices

    files, indices = list_files(split)
    rows = (row for file in files for row in _read_shard(source, file, columns, cache))
    if not indices:
        yield from rows
        return
    everything = list(rows)
    notes = [row for row in everything if isinstance(row, Note)]
    found = [row for row in everything if not isinstance(row, Note)]
    yield from notes
    for file in indices:
        for index in read_indices(file):
            yield found[index]


def _read_shard(
    source: Path, shard: Path, columns: Columns, cache: ContentHashCache
) -> Iterator[Row | InvalidRow | Note]:
    """Yield the rows of an Arrow or Parquet file with embedded audio or paths to it."""
    from lib.corpus import shards

    names = shards.column_names(shard)
    columns = resolve_columns(columns, EMBEDDED_NAMES, names, shard)
    digests = cache.look_up(
        f"{shard}:{columns.audio}", shard.stat(), lambda: shards.digest_rows(shard, columns.audio)
    )
    paths = shards.read_paths(shard, columns.audio)
    others = replace(columns, audio=None)
    cells = shards.read_cells(shard, formats.used_columns(others))
    label = str(shard.relative_to(source))
    metadata = formats.typed_metadata(
        others, [(f"{label} row {row}", values) for row, values in enumerate(cells, 1)], [], names
    )
    yield from _note_columns(metadata, columns, label)
    by_origin = {record.origin: record for record in metadata.records}
    damaged = {invalid_row.origin: invalid_row for invalid_row in metadata.invalid_rows}
    for row, (digest, path) in enumerate(zip(digests, paths, strict=True)):
        origin = f"{label} row {row + 1}"
        if origin in damaged:
            yield damaged[origin]
            continue
        if digest is None:
            found = locate_file(source, path or "", origin, absolute_allowed=True)
        else:
            place = AudioLocation(str(shard), columns.audio, row)
            # An absolute path is that of another machine; its folders are not part of the name.
            inner = PureWindowsPath(path).name if path and _is_absolute(path) else path
            found = Found(place, inner and name_of_file(inner), inner)
        yield _row(by_origin[origin], columns, found, digest)


def _is_absolute(path: str) -> bool:
    return PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()


def _read_table(source: Path, table: Table, chosen: Columns) -> Iterator[Row | InvalidRow | Note]:
    """Yield the rows of a table beside its recordings."""
    folder = table.path if table.path.is_dir() else table.path.parent
    inner = "" if folder == source else f"{folder.relative_to(source).as_posix()}/"
    label = inner if table.path.is_dir() else str(table.path.relative_to(source))
    if chosen.speaker is None:
        chosen = replace(chosen, speaker=table.columns.speaker)
    metadata = table.read(table.path, label, chosen)
    yield from _note_columns(metadata, metadata.columns, label)
    yield from metadata.invalid_rows
    shared = _find_shared(metadata)
    for record in metadata.records:
        if record.cells.get(metadata.columns.audio) in shared:
            yield InvalidRow(None, record.origin, "damaged_row", PART)
            continue
        file_name = (record.cells.get(metadata.columns.audio) or "").strip()
        found = locate_file(folder, file_name, record.origin, table.absolute)
        # The table's folder below the source is part of the name.
        yield _row(record, metadata.columns, found, None, inner, file_name)


def _find_shared(metadata: Metadata) -> set[str | None]:
    """Return the files that several rows name, if a column says which part of a file is meant."""
    if not any(plain_name(name) in PART_NAMES for name in metadata.names):
        return set()
    counts = Counter(record.cells.get(metadata.columns.audio) for record in metadata.records)
    return {name for name, count in counts.items() if count > 1}


def _note_columns(metadata: Metadata, columns: Columns, label: str) -> Iterator[Note]:
    texts = [(record.origin, record.cells.get(columns.text)) for record in metadata.records]
    return note_columns(metadata.names, texts, columns, label)


def _row(
    record: Record,
    columns: Columns,
    found: Found | InvalidRow,
    content_hash: str | None,
    prefix: str = "",
    file_name: str | None = None,
) -> Row | InvalidRow:
    """Return the row with the cells that `columns` names."""

    def cell(column: str | None) -> str | None:
        return ((record.cells.get(column) if column else None) or "").strip() or None

    name = cell(columns.id)
    if isinstance(found, InvalidRow):
        stem = name_of_file(file_name) if file_name else None
        return replace(found, clip=name or (stem and prefix + stem))
    key = found.key and prefix + found.key
    name = name or (found.name and prefix + found.name)
    text, speaker, session = cell(columns.text), cell(columns.speaker), cell(columns.session)
    return Row(
        record.origin, name, key, text, found.location, content_hash, speaker, session, found.note
    )
