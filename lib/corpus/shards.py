"""Audio and text in Arrow and Parquet files, read with pyarrow alone.

`datasets` is not used, because its import takes 2 s at every start and it needs torchcodec.
"""

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lib import lfs
from lib.corpus.clip import AudioLocation, CorpusError
from lib.corpus.content_hash import digest_bytes
from lib.files import parse_json, read_json

if TYPE_CHECKING:
    import pyarrow as pa

_Result = TypeVar("_Result")
# A row of a Parquet file is read with its whole row group, which is cached for the next rows.
_row_groups_lock = threading.Lock()


def _names_damage(read: Callable[..., _Result]) -> Callable[..., _Result]:
    """Let a function name the file that pyarrow cannot read, and what to do."""

    @wraps(read)
    def named(place: Path | AudioLocation, *others: Any) -> _Result:
        try:
            return read(place, *others)
        except CorpusError:
            raise
        except (OSError, ValueError, LookupError, MemoryError) as error:
            if isinstance(error, OSError) and error.errno:  # a fault of the machine
                raise
            path = Path(place.path) if isinstance(place, AudioLocation) else place
            _refuse_pointer(path, error)
            raise CorpusError(
                f"source.path: {path} is damaged or of another kind ({error}), expected "
                "Parquet, or Arrow as datasets.save_to_disk writes it: download or save it again"
            ) from error

    return named


@_names_damage
def column_names(path: Path) -> list[str]:
    """Return the names of a file's columns."""
    return _schema(path).names


@_names_damage
def read_cells(path: Path, columns: list[str]) -> list[dict[str, Any]]:
    """Return the rows of some columns without audio; classes are returned as their names."""
    if path.suffix == ".parquet":
        rows = _parquet(path).read(columns=columns).to_pylist()
    else:
        rows = _arrow_table(str(path), _stamp(path)).select(columns).to_pylist()
    for column, names in _class_names(path).items():
        if column in columns:
            for row in rows:
                row[column] = _class_name(row[column], names, column, path)
    return rows


@_names_damage
def read_indices(path: Path) -> list[int]:
    """Return the numbers of a dataset's rows, from the indices file of an older version."""
    return _arrow_table(str(path), _stamp(path)).column(0).to_pylist()


def list_splits(path: Path) -> list[str]:
    """Return the splits of a saved dataset, from its `dataset_dict.json`."""
    return _read_list(path, "splits")


def list_files(split: Path) -> tuple[list[Path], list[Path]]:
    """Return the data files of a saved split, and the indices files of an older version.

    Raises
    ------
    CorpusError
        If `state.json` cannot be read, or a file does not exist.
    """
    state = split / "state.json"
    files = [_listed_file(split, file) for file in _read_list(state, "_data_files")]
    content = read_json(state)
    indices = content.get("_indices_data_files") or content.get("_indices_files") or []
    return files, [_listed_file(split, file) for file in indices]


def _read_list(path: Path, key: str) -> list[Any]:
    try:
        return list(read_json(path)[key])
    except (OSError, ValueError, KeyError, TypeError) as error:
        if lfs.is_pointer_file(path):
            raise CorpusError(f"source.path: {path} {lfs.ADVICE}") from error
        raise CorpusError(
            f"{path}: has no list {key!r} ({error}), expected a dataset as datasets.save_to_disk "
            "writes it: save it again (source.path)"
        ) from error


def _listed_file(split: Path, file: Any) -> Path:
    path = split / str(file.get("filename", "") if isinstance(file, dict) else file)
    if not path.is_file():
        raise CorpusError(
            f"{split / 'state.json'}: lists {path}, which is no file: save the dataset "
            "again (source.path)"
        )
    return path


def _class_names(path: Path) -> dict[str, list[str]]:
    """Return the names of the classes of every `ClassLabel` column, whose values are numbers."""
    try:
        told = parse_json((_schema(path).metadata or {}).get(b"huggingface", b"{}"))
        features = told.get("info", {}).get("features", {})
        return {
            column: feature["names"]
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (ValueError, AttributeError, KeyError) as error:
        raise CorpusError(
            f"{path}: its features cannot be read ({error}), expected those that datasets writes: "
            "save the dataset again"
        ) from error


def _class_name(value: Any, names: list[str], column: str, path: Path) -> Any:
    if not isinstance(value, int) or value == -1:  # datasets' number for no class
        return None if value == -1 else value
    if not 0 <= value < len(names):
        raise CorpusError(
            f"{path}: column {column!r} holds the class {value}, expected 0 to {len(names) - 1}: "
            "save the dataset again"
        )
    return names[value]


@_names_damage
def read_paths(path: Path, column: str) -> list[str | None]:
    """Return the file name in each row of an audio column, if any."""
    import pyarrow as pa
    import pyarrow.compute

    kind = _audio_type(path, column)
    if pa.types.is_struct(kind):
        if "path" not in [field.name for field in kind]:
            return [None] * _num_rows(path)
        if path.suffix == ".parquet":
            cells = _parquet(path).read(columns=[f"{column}.path"]).column(column)
        else:
            cells = _arrow_table(str(path), _stamp(path)).column(column)
        # The result of struct_field, unlike .field(), is null if the whole struct is.
        paths = (pyarrow.compute.struct_field(chunk, "path") for chunk in cells.chunks)
        return [name for chunk in paths for name in chunk.to_pylist()]
    if _is_text(kind):
        return [row[column] for row in read_cells(path, [column])]
    return [None] * _num_rows(path)


@_names_damage
def digest_rows(path: Path, column: str) -> list[str | None]:
    """Return the digest of each row's embedded audio; None where a row has none."""
    digests: list[str | None] = []
    for chunk in _byte_chunks(path, column):
        for row, value in enumerate(chunk):
            content = value.as_buffer() if value.is_valid else None
            if content is not None and lfs.is_pointer(content[: lfs.MAX_SIZE].to_pybytes()):
                raise CorpusError(f"{path}: the audio of row {row + 1} {lfs.ADVICE}")
            digests.append(None if content is None else digest_bytes(content))
    return digests or [None] * _num_rows(path)


@_names_damage
def read_bytes(location: AudioLocation) -> bytes:
    """Return the embedded audio of one row."""
    path = Path(location.path)
    if path.suffix == ".parquet":
        group, row = _row_group_of(path, location.row)
        with _row_groups_lock:
            values = _row_group(location.path, _stamp(path), location.column, group)
        return values[row].as_py()
    column = _arrow_table(location.path, _stamp(path)).column(location.column)
    start = 0
    for chunk in column.chunks:
        if location.row < start + len(chunk):
            return _bytes_of(chunk)[location.row - start].as_py()
        start += len(chunk)
    raise CorpusError(f"{path}: has {start} rows, expected row {location.row + 1}: read it again")


def _byte_chunks(path: Path, column: str) -> "Iterator[pa.Array]":
    """Yield the embedded bytes, a chunk at a time."""
    kind = _audio_type(path, column)
    if _is_text(kind) or (_is_struct(kind) and "bytes" not in [field.name for field in kind]):
        return
    if path.suffix == ".parquet":
        for batch in _parquet(path).iter_batches(batch_size=64, columns=[column]):
            yield _bytes_of(batch.column(0))
    else:
        for chunk in _arrow_table(str(path), _stamp(path)).column(column).chunks:
            yield _bytes_of(chunk)


def _bytes_of(chunk: "pa.Array") -> "pa.Array":
    import pyarrow as pa
    import pyarrow.compute

    # The result of struct_field, unlike .field(), is null if the whole struct is.
    found = pyarrow.compute.struct_field(chunk, "bytes") if _is_struct(chunk.type) else chunk
    return found.cast(pa.large_binary()) if pa.types.is_binary_view(found.type) else found


def _audio_type(path: Path, column: str) -> "pa.DataType":
    """Return the type of an audio column that can be read."""
    import pyarrow as pa

    kind = _schema(path).field(column).type
    if _is_struct(kind) and {"bytes", "path"} & {field.name for field in kind}:
        return kind
    binary = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    if _is_text(kind) or any(fits(kind) for fits in binary):
        return kind
    raise CorpusError(
        f"{path}: column {column!r} holds {kind}, expected audio (bytes and path), bytes, or the "
        "path of a file: name the right column in source.columns.audio"
    )


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(fits(kind) for fits in texts)


def _is_struct(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return pa.types.is_struct(kind)


def _schema(path: Path) -> "pa.Schema":
    if path.suffix == ".parquet":
        return _parquet(path).schema_arrow
    return _arrow_table(str(path), _stamp(path)).schema


def _num_rows(path: Path) -> int:
    if path.suffix == ".parquet":
        return _parquet(path).metadata.num_rows
    return _arrow_table(str(path), _stamp(path)).num_rows


def _stamp(path: Path) -> tuple[int, int]:
    """Return size and time stamp of a file, so that caches notice a change."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _parquet(path: Path) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.ParquetFile(path)


@lru_cache(maxsize=64)
def _arrow_table(path: str, stamp: tuple[int, int]) -> "pa.Table":
    """Return a file that `save_to_disk` wrote; its pages are loaded when they are read.

    Offsets are checked: those of a damaged file would lead outside of its memory.
    """
    import pyarrow as pa

    table = pa.ipc.open_stream(pa.memory_map(path)).read_all()
    table.validate(full=True)
    return table


def _refuse_pointer(path: Path, error: Exception) -> None:
    if lfs.is_pointer_file(path):
        raise CorpusError(f"source.path: {path} {lfs.ADVICE}") from error


def _row_group_of(path: Path, row: int) -> tuple[int, int]:
    """Return the row group that holds a row, and the row's place in it."""
    starts = _row_group_starts(str(path), _stamp(path))
    group = bisect_right(starts, row) - 1
    return group, row - starts[group]


@lru_cache(maxsize=64)
def _row_group_starts(path: str, stamp: tuple[int, int]) -> list[int]:
    metadata = _parquet(Path(path)).metadata
    starts, start = [], 0
    for group in range(metadata.num_row_groups):
        starts.append(start)
        start += metadata.row_group(group).num_rows
    return starts


@lru_cache(maxsize=4)
def _row_group(path: str, stamp: tuple[int, int], column: str, group: int) -> "pa.ChunkedArray":
    import pyarrow as pa

    chunks = _parquet(Path(path)).read_row_group(group, columns=[column]).column(0).chunks
    return pa.chunked_array([_bytes_of(chunk) for chunk in chunks])
