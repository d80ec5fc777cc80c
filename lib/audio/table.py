"""The measurements of all clips as one table."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from lib.audio.measurement import Measurement, Source, read_sidecar
from lib.tables import one_line, read_table, write_table

SOURCE_COLUMNS = tuple(f"source_{field.name}" for field in fields(Source))
COLUMNS = tuple(
    column
    for field in fields(Measurement)
    for column in (SOURCE_COLUMNS if field.name == "source" else (field.name,))
)
TEXTS = {
    *("clip", "status", "reason", "detail", "audio_fingerprint"),
    *("source_container", "source_codec"),
}
INTEGERS = {"num_samples", "source_sample_rate", "source_channels"}
WARNING_SEPARATOR = " | "


def collect_measurements(sidecars: Iterable[Path], table: Path) -> None:
    """Write a table with one row per sidecar, sorted by clip; a missing value is an empty cell."""
    measurements = sorted(map(read_sidecar, sidecars), key=lambda measured: measured.clip)
    write_table(table, COLUMNS, (map(_to_cell, _flatten(row)) for row in measurements))


def read_measurements(table: Path) -> dict[str, Measurement]:
    """Return the measurements in a table that `collect_measurements` wrote, by clip."""
    return {row["clip"]: _unflatten(row) for row in read_table(table, COLUMNS)}


def _flatten(measured: Measurement) -> list[Any]:
    """Return the values of one row, in the order of COLUMNS."""
    values: list[Any] = []
    for field in fields(Measurement):
        value = getattr(measured, field.name)
        if field.name == "source":
            values += [value and getattr(value, part.name) for part in fields(Source)]
        else:
            values.append(WARNING_SEPARATOR.join(value) if field.name == "warnings" else value)
    return values


def _to_cell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else one_line(value)


def _unflatten(cells: dict[str, str]) -> Measurement:
    values = {column: _from_cell(column, cell) for column, cell in cells.items()}
    parts = {column.removeprefix("source_"): values.pop(column) for column in SOURCE_COLUMNS}
    source = Source(**parts) if parts["container"] is not None else None
    return Measurement(**values, source=source)


def _from_cell(column: str, cell: str) -> Any:
    if column == "warnings":
        return tuple(cell.split(WARNING_SEPARATOR)) if cell else ()
    if column == "peak_bound":
        return cell == "true"
    if not cell:
        return None
    if column in TEXTS:
        return cell
    return int(cell) if column in INTEGERS else float(cell)
