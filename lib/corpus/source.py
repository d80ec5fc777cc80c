"""Find out what kind of source a path is, and read its rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from lib.corpus import metadata as formats
from lib.corpus.clip import AudioLocation, Columns, CorpusError, Problem, Row
from lib.corpus.fingerprint import FingerprintCache
from lib.corpus.ids import name_of_file
from lib.corpus.locate import locate_by_id, locate_file
from lib.corpus.metadata import Metadata, Record
from lib.files import read_json

FILE_COLUMNS = ("file_name", "path", "audio")
EMBEDDED_COLUMNS = ("audio", "path", "file_name")
TEXT_COLUMNS = ("text", "transcription", "transcript", "sentence")
METADATA_READERS: dict[str, Callable[[Path, str], Metadata]] = {
    ".csv": formats.read_csv,
    ".jsonl": formats.read_jsonl,
    ".parquet": formats.read_parquet,
}
EXPECTED = (
    "expected a dataset saved with datasets.save_to_disk (state.json or dataset_dict.json), a "
    "folder with metadata.csv, metadata.jsonl or metadata.parquet (columns file_name and text), "
    "an LJSpeech folder (metadata.csv with id|text), or Parquet files with audio and text"
)


def read_rows(source: Path, columns: Columns, cache: FingerprintCache) -> Iterator[Row | Problem]:
    """Yield the rows of a source, in its order."""
    if not source.is_dir():
        found = "is a file" if source.exists() else "does not exist"
        raise CorpusError(f"source.path: {source} {found}, {EXPECTED}")
    if (source / "dataset_dict.json").is_file():
        for split in _listed(source / "dataset_dict.json", "splits"):
            yield from _read_saved_split(source, source / split, columns, cache)
    elif (source / "state.json").is_file():
        yield from _read_saved_split(source, source, columns, cache)
    elif files := _metadata_files(source):
        for file in files:
            yield from _read_metadata_file(source, file, columns)
    elif shards := _visible(source, "*.parquet") or _visible(source, "*/*.parquet"):
        for shard in shards:
            yield from _read_shard(source, shard, columns, cache)
    else:
        entries = sorted(source.iterdir())
        found = ", ".join(map(_name, entries[:5])) or "nothing"
        raise CorpusError(f"source.path: found {found} in {source}, {EXPECTED}")


def _name(entry: Path) -> str:
    """Return a file's name, and what stands in the way of reading it where it has a good name."""
    if entry.is_dir():
        return f"{entry.name} (a folder)"
    return entry.name if entry.exists() else f"{entry.name} (a link that points nowhere)"


def _metadata_files(source: Path) -> list[Path]:
    """Return the metadata files of a folder, or of its split folders."""
    for pattern in ("metadata", "*/metadata"):
        for suffix in METADATA_READERS:
            if files := _visible(source, pattern + suffix):
                return files
    return []


def _visible(source: Path, pattern: str) -> list[Path]:
    """Return the matching files, but not those in hidden folders (.git, .cache)."""
    found = [path for path in source.glob(pattern) if path.is_file()]
    return sorted(path for path in found if not path.relative_to(source).parts[0].startswith("."))


def _listed(path: Path, key: str) -> list[Any]:
    try:
        return list(read_json(path)[key])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(
            f"{path}: has no list {key!r} ({error}), expected a dataset as datasets.save_to_disk "
            "writes it: save it again (source.path)"
        ) from error


def _read_saved_split(
    source: Path, split: Path, columns: Columns, cache: FingerprintCache
) -> Iterator[Row | Problem]:
    for file in _listed(split / "state.json", "_data_files"):
        shard = split / str(file["filename"] if isinstance(file, dict) else file)
        if not shard.is_file():
            raise CorpusError(
                f"{split / 'state.json'}: lists {shard}, which does not exist: save the dataset "
                "again (source.path)"
            )
        yield from _read_shard(source, shard, columns, cache)


def _read_shard(
    source: Path, shard: Path, columns: Columns, cache: FingerprintCache
) -> Iterator[Row | Problem]:
    """Yield the rows of an Arrow or Parquet file with embedded audio or paths to it."""
    from lib.corpus import shards

    columns = _resolve(columns, EMBEDDED_COLUMNS, shards.column_names(shard), shard)
    digests = cache.look_up(
        f"{shard}:{columns.audio}", shard.stat(), lambda: shards.digest_rows(shard, columns.audio)
    )
    names = shards.read_paths(shard, columns.audio)
    others = [columns.text, columns.id, columns.speaker, columns.session]
    cells = shards.read_cells(shard, sorted(set(filter(None, others))))
    label = shard.relative_to(source)
    for row, (digest, name, values) in enumerate(zip(digests, names, cells, strict=True)):
        record = Record(f"{label} row {row + 1}", formats.as_text(values))
        audio = AudioLocation(str(shard), columns.audio, row)
        if digest is None:
            audio = locate_file(source, name or "", record.origin, absolute_allowed=True)
        yield _row(record, columns, name and name_of_file(name), audio, digest)


def _read_metadata_file(source: Path, path: Path, columns: Columns) -> Iterator[Row | Problem]:
    """Yield the rows of an audiofolder or an LJSpeech folder."""
    label = str(path.relative_to(source))
    if path.suffix == ".csv" and "|" in formats.first_line(path):
        metadata = formats.read_ljspeech(path, label)
        columns = _resolve_ljspeech(columns, metadata.columns, path)
    else:
        metadata = METADATA_READERS[path.suffix](path, label)
        columns = _resolve(columns, FILE_COLUMNS, metadata.columns, path)
    yield from metadata.problems
    # In a split's own folder, the folder is part of the name.
    prefix = "" if path.parent == source else f"{path.parent.relative_to(source).as_posix()}/"
    for record in metadata.records:
        file_name = (record.cells.get(columns.audio) or "").strip()
        if columns.audio == formats.LJSPEECH_AUDIO:
            audio = locate_by_id(path.parent, file_name, record.origin)
            name = prefix + (
                name_of_file(file_name) if _names_file(audio, file_name) else file_name
            )
        else:
            audio = locate_file(path.parent, file_name, record.origin)
            name = prefix + name_of_file(file_name)
        yield _row(record, columns, name, audio, None)


def _names_file(audio: AudioLocation | Problem, name: str) -> bool:
    """Whether an LJSpeech id is a file name with its extension: `a.wav`, but not `a.1`."""
    return isinstance(audio, AudioLocation) and audio.path.endswith(name)


def _row(
    record: Record,
    columns: Columns,
    name: str | None,
    audio: AudioLocation | Problem,
    fingerprint: str | None,
) -> Row | Problem:
    """Return the row with the cells that `columns` names."""

    def cell(column: str | None) -> str | None:
        return ((record.cells.get(column) if column else None) or "").strip() or None

    name = cell(columns.id) or name
    if isinstance(audio, Problem):
        return replace(audio, clip=name)
    text, speaker, session = cell(columns.text), cell(columns.speaker), cell(columns.session)
    return Row(record.origin, name, text, audio, fingerprint, speaker, session)


def _resolve(columns: Columns, audio_names: Sequence[str], found: list[str], path: Path) -> Columns:
    """Return the names that a source's columns really have."""
    defaults = {"audio": audio_names, "text": TEXT_COLUMNS, "id": ("id",)}
    resolved: dict[str, str | None] = {}
    for field in fields(Columns):
        chosen = getattr(columns, field.name)
        wanted = [chosen] if chosen else defaults.get(field.name, ())
        resolved[field.name] = next((name for name in wanted if name in found), None)
        if resolved[field.name] is None and (chosen or field.name in ("audio", "text")):
            raise CorpusError(
                f"{path}: has columns {', '.join(found) or 'none'}, expected "
                f"{' or '.join(wanted)} for the {field.name}: name the right one in "
                f"source.columns.{field.name}"
            )
    return Columns(**resolved)


def _resolve_ljspeech(columns: Columns, found: list[str], path: Path) -> Columns:
    """Return the columns of an LJSpeech table; what was written out is the text to learn from."""
    chosen = replace(columns, audio=None, id=None, text=columns.text or "spoken")
    # The id names the audio, and is taken from there: without an extension, if it has one.
    return replace(_resolve(chosen, (formats.LJSPEECH_AUDIO,), found, path), id=None)
