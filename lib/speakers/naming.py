"""Gives the speakers the user's names: apart from who speaks where, so that a name is cheap."""

from collections.abc import Mapping
from pathlib import Path

from lib.files import read_json, write_json
from lib.speakers.ruling import Overrides, judge


def name_speakers(voices: Path, names: Mapping[str, str], registry: Path) -> None:
    """Write the speakers with the user's names.

    Parameters
    ----------
    voices
        What the assignment found (see `SpeakerPaths`).
    names
        The user's names by speaker.
    registry
        JSON to write: the same with these names.
    """
    content = read_json(voices)
    known = {key: row["name"] for key, row in content["speakers"].items()}
    for key, name in judge(Overrides(names=names), (), known).names.items():
        content["speakers"][key]["name"] = name
    write_json(registry, content)
