"""Find out what kind of source a path is, and read its rows."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from lib import lfs
from lib.corpus import metadata as formats
from lib.corpus.clip import AudioLocation, Columns, CorpusError, InvalidRow, Note, Row
from lib.corpus.columns import (
    EMBEDDED_NAMES,
    PART_NAMES,
    SPEAKER_NAMES,
    TEXT_NAMES,
    plain_name,
    resolve_columns,
)
from lib.corpus.content_hash import ContentHashCache
from lib.corpus.ids import name_of_file
from lib.corpus.kaldi import is_kaldi, read_kaldi
from lib.corpus.locate import Found, locate_file
from lib.corpus.metadata import DOUBTFUL_TEXTS, PART, Metadata, Record
from lib.files import read_json

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
# Words in the names of tables of a corpus that has them in parts: each is read.
PARTS = {"train", "dev", "valid", "validation", "val", "test", "eval", "filelist"}
# Of the texts in a folder, most are no tables.
TABLE_WORDS = PARTS | {"metadata", "transcript", "transcripts", "transcriptions", "list"}
BY_CLIENT = Columns(speaker="client_id")
COMMON_VOICE = "validated.tsv"  # holds what train.tsv, dev.tsv and test.tsv hold, and more
EXPECTED = (
    "expected a dataset saved with datasets.save_to_disk (state.json or dataset_dict.json), a "
    "folder with metadata.csv, metadata.jsonl or metadata.parquet (columns file_name and text), "
    "an LJSpeech folder (metadata.csv with id|text), Common Voice (validated.tsv), a NeMo "
    "manifest (manifest.json), a Kaldi folder (wav.scp and text), or Parquet files with audio "
    "and text"
)


@dataclass(frozen=True, slots=True)
class Table:
    """A file that lists recordings, and how it is read."""

    path: Path
    read: Reader
    # Manifests name recordings wherever they are; other tables only what is beside them.
    absolute: bool = False
    columns: Columns = Columns()


def read_rows(
    source: Path, columns: Columns, cache: ContentHashCache
) -> Iterator[Row | InvalidRow | Note]:
    """Yield the rows of a source, in its order, and what should be known about it."""
    if not source.is_dir():
        found = "is a file" if source.exists() else "does not exist"
        raise CorpusError(f"source.path: {source} {found}, {EXPECTED}")
    if (source / "dataset_dict.json").is_file():
        for split in _listed(source / "dataset_dict.json", "splits"):
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
        Where several could be meant.
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
    """Return the metadata files of a folder, else of the folders in it; one in each."""
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
    """Name what else in a folder may be a source: half of a corpus is not left out in silence."""
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
    """Return the one table of a folder whatever its name, or those of its parts."""
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
    """Whether a table is a part of Common Voice, whose speakers are in `client_id`."""
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
    """Return a file's name, and what stands in the way of reading it where it has a good name."""
    if entry.is_dir():
        return f"{entry.name} (a folder)"
    return entry.name if entry.exists() else f"{entry.name} (a link that points nowhere)"


def _match(source: Path, pattern: str) -> list[Path]:
    """Return the matching files, but not hidden ones nor those in hidden folders (.git, .cache)."""
    found = [path for path in source.glob(pattern) if path.is_file()]
    return sorted(
        path
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(source).parts)
    )


def _listed(path: Path, key: str) -> list[Any]:
    try:
        return list(read_json(path)[key])
    except (OSError, ValueError, KeyError, TypeError) as error:
        if lfs.is_pointer_file(path):
            raise CorpusError(f"source.path: {path} {lfs.ADVICE}") from error
        raise CorpusError(
            f"{path}: has no list {key!r} ({error}), expected a dataset as datasets.save_to_disk "
            "writes it: save it again (source.path)"
        ) from error


def _read_saved_split(
    source: Path, split: Path, columns: Columns, cache: ContentHashCache
) -> Iterator[Row | InvalidRow | Note]:
    """Yield the rows of a split; an indices file of older versions says which ones, in order."""
    state = split / "state.json"
    shards = [_listed_file(split, file) for file in _listed(state, "_data_files")]
    indices = read_json(state).get("_indices_data_files") or read_json(state).get("_indices_files")
    rows = (row for shard in shards for row in _read_shard(source, shard, columns, cache))
    if not indices:
        yield from rows
        return
    from lib.corpus.shards import read_indices

    everything = list(rows)
    notes = [row for row in everything if isinstance(row, Note)]
    found = [row for row in everything if not isinstance(row, Note)]
    yield from notes
    for file in indices:
        for index in read_indices(_listed_file(split, file)):
            yield found[index]


def _listed_file(split: Path, file: Any) -> Path:
    path = split / str(file["filename"] if isinstance(file, dict) else file)
    if not path.is_file():
        raise CorpusError(
            f"{split / 'state.json'}: lists {path}, which does not exist: save the dataset "
            "again (source.path)"
        )
    return path


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
            # A path of the machine that made the dataset is no part of a name.
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
        # In a split's own folder, the folder is part of the name.
        yield _row(record, metadata.columns, found, None, inner, file_name)


def _find_shared(metadata: Metadata) -> set[str | None]:
    """Return the files that several rows name, where the rows say which part they mean."""
    if not any(plain_name(name) in PART_NAMES for name in metadata.names):
        return set()
    counts = Counter(record.cells.get(metadata.columns.audio) for record in metadata.records)
    return {name for name, count in counts.items() if count > 1}


def _note_columns(metadata: Metadata, columns: Columns, label: str) -> Iterator[Note]:
    """Say which column is not read though it seems to matter."""
    found = [name for name in metadata.names if plain_name(name) in SPEAKER_NAMES]
    if columns.speaker is None and found:
        yield Note(
            label,
            f"its column {found[0]!r} is not read: if it says who speaks, set "
            f"source.columns.speaker to {found[0]}",
        )
    others = [
        name for name in metadata.names if plain_name(name) in TEXT_NAMES and name != columns.text
    ]
    if others and columns.text in metadata.names:
        yield Note(
            label,
            f"the transcripts are those of {columns.text!r} and not of {others[0]!r}: if it should "
            f"be the other, set source.columns.text to {others[0]}",
        )
    empty = [r for r in metadata.records if r.cells.get(columns.text) in DOUBTFUL_TEXTS]
    if empty:
        yield Note(
            empty[0].origin,
            f"its text is {empty[0].cells[columns.text]!r}, which programs write for an empty cell "
            f"({len(empty)} such rows): empty the cell if nothing is said",
        )
    parts = [name for name in metadata.names if plain_name(name) in PART_NAMES]
    if parts:
        yield Note(
            label,
            f"its column {parts[0]!r} is not read: if rows are parts of longer recordings, write "
            "each part to a file of its own first",
        )


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
