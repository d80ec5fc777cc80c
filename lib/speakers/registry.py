"""The durable record of speakers: their ids never move and are never given twice."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lib.files import read_json, write_json

FORMAT = 2
# What format 1 called the keys of `settings` and of a speaker.
_RENAMED_SETTINGS = {"same_voice": "similarity_threshold"}
_RENAMED_FIELDS = {"given": "split_name"}


class RegistryError(ValueError):
    """The record of speakers cannot be read."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """One speaker.

    Attributes
    ----------
    name
        For people: the source's label or the user's name if there is one, else the id.
    label
        The source's own label, or None for a speaker that was found by clustering.
    clips
        Number of clips; a speaker without any keeps its id.
    centroid
        256 numbers: the mean direction of the embeddings of its clips, of length one.
    split_name
        The name under which the user split this speaker off, or None.
    """

    name: str
    label: str | None
    clips: int
    centroid: tuple[float, ...]
    split_name: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The speaker that was found for a clip, and the digest of the WAV file at that time."""

    speaker: str
    digest: str


@dataclass(frozen=True, slots=True)
class Registry:
    """All speakers there ever were, and every decision that stands.

    Attributes
    ----------
    next_number
        Number of the next new speaker.
    settings
        What the decisions were made with.
    speakers
        By speaker id.
    decisions
        By clip id.
    """

    next_number: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    speakers: Mapping[str, Speaker] = field(default_factory=dict)
    decisions: Mapping[str, Decision] = field(default_factory=dict)


def speaker_id(number: int) -> str:
    """Return the id of the speaker with this number, like `spk007`."""
    return f"spk{number:03d}"


def drop_abandoned_splits(registry: Registry, split_names: Collection[str]) -> Registry:
    """Return the record without speakers that the user split off once, but does no longer.

    Their clips have no earlier decision then. The numbers of these speakers stay taken.

    Parameters
    ----------
    split_names
        Names under which the user splits speakers off now.
    """
    abandoned = {
        key
        for key, row in registry.speakers.items()
        if row.split_name and row.split_name not in split_names
    }
    return replace(
        registry,
        speakers={key: row for key, row in registry.speakers.items() if key not in abandoned},
        decisions={c: row for c, row in registry.decisions.items() if row.speaker not in abandoned},
    )


def list_names(registry: Registry, split_names: Collection[str]) -> dict[str, str]:
    """Return the name of every speaker by id, without abandoned splits."""
    kept = drop_abandoned_splits(registry, split_names)
    return {key: row.name for key, row in kept.speakers.items()}


def load_registry(path: Path) -> Registry:
    """Read the record, of this format or the one before; without a file no speaker is known yet.

    Raises
    ------
    RegistryError
        If the file is damaged or of another format.
    """
    if not path.exists():
        return Registry()
    try:
        value = _upgrade(read_json(path))
        registry = Registry(
            next_number=int(value["next_number"]),
            settings=dict(value["settings"]),
            speakers={
                key: Speaker(**{**row, "centroid": tuple(row["centroid"])})
                for key, row in value["speakers"].items()
            },
            decisions={clip: Decision(*row) for clip, row in value["clips"].items()},
        )
        _check(registry)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RegistryError(
            f"{path}: the record of speaker ids is damaged ({type(error).__name__}: {error}). "
            "Put back a copy of this file; or delete it, and speakers are numbered anew from "
            "spk000, which no longer match models trained before"
        ) from error
    return registry


def save_registry(path: Path, registry: Registry) -> None:
    """Write the record, atomically."""
    write_json(
        path,
        {
            "format": FORMAT,
            "next_number": registry.next_number,
            "settings": dict(registry.settings),
            "speakers": {key: asdict(row) for key, row in sorted(registry.speakers.items())},
            "clips": {
                clip: [row.speaker, row.digest] for clip, row in sorted(registry.decisions.items())
            },
        },
    )


def _upgrade(value: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a file in the present format."""
    if value["format"] == FORMAT:
        return value
    if value["format"] != 1:
        raise ValueError(
            f"its format is {value['format']}, this version of the workflow reads 1 and {FORMAT}"
        )
    return {
        **value,
        "format": FORMAT,
        "settings": _rename(value["settings"], _RENAMED_SETTINGS),
        "speakers": {key: _rename(row, _RENAMED_FIELDS) for key, row in value["speakers"].items()},
    }


def _rename(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in row.items()}


def _check(registry: Registry) -> None:
    missing = {row.speaker for row in registry.decisions.values()} - registry.speakers.keys()
    if missing:
        raise ValueError(f"clips belong to {sorted(missing)[0]}, which is not among the speakers")
    beyond = [key for key in registry.speakers if int(key[3:]) >= registry.next_number]
    if beyond:
        raise ValueError(f"{beyond[0]} exists, but the next number is {registry.next_number}")
