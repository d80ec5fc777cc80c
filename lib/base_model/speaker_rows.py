"""Assign rows of a fitted base model's speaker table to speakers."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from lib.base_model.hub import BaseModelError


def place_speakers(
    kept: int,
    speakers: Sequence[str],
    known: Mapping[str, Mapping[str, Any]],
    same: Mapping[str, str],
) -> dict[str, int]:
    """Return the row of every speaker, beginning with those of the dataset.

    The speakers of the base keep their rows and get ids like ``base000``, because the ``spk000`` of
    another corpus is another speaker.

    Parameters
    ----------
    kept
        Number of rows of the base's speaker table.
    speakers
        Ids of the dataset's speakers.
    known
        Speakers of the base, by their ids there.
    same
        Speakers of the dataset who are speakers of the base, with their id or name there.

    Raises
    ------
    BaseModelError
        If `same` names a speaker who is not in the dataset or in the base, or names one twice.
    """
    taken = {speaker: _find_row(speaker, theirs, known, kept) for speaker, theirs in same.items()}
    unknown = sorted(set(same) - set(speakers))
    if unknown:
        raise BaseModelError(
            f"base_model.speakers: the dataset has no speaker {', '.join(unknown)}; it has "
            f"{', '.join(speakers)}"
        )
    if len(set(taken.values())) < len(taken):
        raise BaseModelError(
            f"base_model.speakers: two speakers are said to be one of the base: {dict(same)}. If "
            "they are one person, merge them (speakers.overrides)"
        )
    new = itertools.count(kept)
    rows = {speaker: taken[speaker] if speaker in taken else next(new) for speaker in speakers}
    free = [row for row in range(kept) if row not in taken.values()]
    return rows | {f"base{row:03d}": row for row in free}


def _find_row(speaker: str, theirs: str, known: Mapping[str, Mapping[str, Any]], kept: int) -> int:
    """Find the row of a base's speaker by id or name."""
    for key, entry in known.items():
        if theirs in (key, entry["name"]) and entry["index"] < kept:
            return entry["index"]
    there = ", ".join(f"{key} ({entry['name']})" for key, entry in known.items()) or "none"
    raise BaseModelError(
        f"base_model.speakers: {speaker} is said to be {theirs}, whom the base does not know; "
        f"its speakers: {there}"
    )
