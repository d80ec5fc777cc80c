"""The durable record of who is who: speaker ids never move and are never given twice."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lib.files import read_json, write_json

FORMAT = 1


class RegistryError(ValueError):
    """The record of speakers cannot be read."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """One voice.

    Attributes
    ----------
    name
        For people: the source's label or the user's name if there is one, else the id.
    label
        The source's own label, or None for a voice that was found.
    clips
        Number of clips; a speaker without any keeps its id.
    centroid
        Mean direction of its clips' vectors, of length one.
    given
        The name under which the user split this voice off, or None.
    """

    name: str
    label: str | None
    clips: int
    centroid: tuple[float, ...]
    given: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whose voice a clip was found to be, and the digest of the WAV file that was judged."""

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


def without_voices(registry: Registry, splits: Collection[str]) -> Registry:
    """Return the record without the voices that the user once split off, but for `splits`.

    Their clips are judged again. The numbers of these voices stay taken.
    """
    void = {key for key, row in registry.speakers.items() if row.given and row.given not in splits}
    return replace(
        registry,
        speakers={key: row for key, row in registry.speakers.items() if key not in void},
        decisions={c: row for c, row in registry.decisions.items() if row.speaker not in void},
    )


def list_names(registry: Registry, splits: Collection[str]) -> dict[str, str]:
    """Return the name of every speaker who is not gone by the user's word, by id."""
    return {key: row.name for key, row in without_voices(registry, splits).speakers.items()}


def load_registry(path: Path) -> Registry:
    """Read the record; without a file no speaker is known yet."""
    if not path.exists():
        return Registry()
    try:
        value = read_json(path)
        registry = Registry(
            next_number=int(value["next_number"]),
            settings=dict(value["settings"]),
            speakers={
                key: Speaker(**{**row, "centroid": tuple(row["centroid"])})
                for key, row in value["speakers"].items()
            },
            decisions={clip: Decision(*row) for clip, row in value["clips"].items()},
        )
        _check(value["format"], registry)
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


def _check(version: int, registry: Registry) -> None:
    if version != FORMAT:
        raise ValueError(f"its format is {version}, this version of the workflow reads {FORMAT}")
    missing = {row.speaker for row in registry.decisions.values()} - registry.speakers.keys()
    if missing:
        raise ValueError(f"clips belong to {sorted(missing)[0]}, which is not among the speakers")
    beyond = [key for key in registry.speakers if int(key[3:]) >= registry.next_number]
    if beyond:
        raise ValueError(f"{beyond[0]} exists, but the next number is {registry.next_number}")
