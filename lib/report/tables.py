"""Reads the tables of a run for figures and report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.files import read_json
from lib.tables import read_table


def read_names(registry: Path) -> dict[str, str]:
    """Read the name of every speaker from registry.json."""
    return {key: entry["name"] for key, entry in read_json(registry)["speakers"].items()}


# As in config/config.yaml.
USUAL_PLACE = "config/speakers.yaml"


def describe_place(place: str | None) -> tuple[str, str]:
    """Return where a correction is to be written, and what else has to be done, or nothing.

    Parameters
    ----------
    place
        As `speakers.overrides` in the configuration.
    """
    if place is not None:
        return place, ""
    hint = (
        "This run reads no such file yet: make it, and set speakers.overrides to its name in the "
        "run's configuration."
    )
    return USUAL_PLACE, hint


def label_speaker(speaker: str, names: Mapping[str, str]) -> str:
    """Return the id, and the name where it says more."""
    name = names.get(speaker, speaker)
    return speaker if name == speaker else f"{speaker} · {name}"


def accepted_clips(manifest: Path) -> list[dict[str, str]]:
    """Read the rows of manifest.tsv that are in the dataset."""
    return [row for row in read_table(manifest) if row["status"] == "accepted"]


def format_duration(seconds: float) -> str:
    """Write a duration with the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.2f} h"


def describe_doubt(doubt: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Say what the clustering now sees otherwise."""
    concerned = [label_speaker(speaker, names) for speaker in doubt["speakers"]]
    sizes = " and ".join(f"{len(group):,}" for group in doubt["groups"])
    clips = "; ".join(", ".join(group[:3]) for group in doubt["groups"])
    what = {
        "two_voices": f"{' and '.join(concerned)} may be more than one voice",
        "one_voice": f"{' and '.join(concerned)} may be one and the same voice",
    }
    said = what.get(doubt["reason"], f"{' and '.join(concerned)}: {doubt['reason']}")
    return f"{said} (groups of {sizes} clips, for instance {clips}). The ids stay as they are."


@dataclass(frozen=True, slots=True)
class Example:
    """What a speaker says with the new voice, and how that speaker sounded.

    Attributes
    ----------
    sentences
        What was said, and the WAV file with it.
    recording
        Row of manifest.tsv of an original clip, or None for a speaker without clips.
    """

    speaker: str
    sentences: list[tuple[str, Path]]
    recording: dict[str, str] | None


def collect_examples(samples: Path, manifest: Path) -> list[Example]:
    """Find every speaker's samples, and an original clip to compare them with."""
    texts = read_json(samples / "texts.json")
    rows: dict[str, list[dict[str, str]]] = {}
    for row in accepted_clips(manifest):
        rows.setdefault(row["speaker_id"], []).append(row)
    return [
        Example(
            speaker=folder.name,
            sentences=[(text, folder / f"{number}.wav") for number, text in texts.items()],
            recording=_choose_recording(rows.get(folder.name, ()), texts.values()),
        )
        for folder in sorted(path for path in samples.iterdir() if path.is_dir())
    ]


def _choose_recording(
    rows: Iterable[dict[str, str]], texts: Iterable[str]
) -> dict[str, str] | None:
    """Prefer a clip with a text that the voice says too, then one that was held out."""
    said = set(texts)
    ranked = sorted(
        rows,
        key=lambda row: (
            row["text"] not in said,
            row["split"] != "validation",
            abs(float(row["duration"]) - 4.0),
            row["clip"],
        ),
    )
    return ranked[0] if ranked else None
