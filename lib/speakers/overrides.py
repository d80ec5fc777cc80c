"""What the user's overrides come to, for the speakers and clips that there are.

`Overrides` holds the lines of the file (`lib.speakers.overrides_file` reads them), and
`resolve_overrides` decides once: patterns become clips, references become speaker ids.
"""

import fnmatch
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from lib.errors import suggest

_ID = re.compile(r"spk\d{3,}")
_PATTERN = re.compile(r"[*?[]")


class OverridesError(ValueError):
    """The user's overrides are wrong; the message lists every fault."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """The sections of the user's file.

    A reference to a speaker is its id, its name, the source's label or a name of `split`. A clip is
    given by id, which wins, or by a pattern with `*`, `?` and `[]`.

    Attributes
    ----------
    names
        Name by speaker.
    merge
        Groups of speakers who are one. The first keeps its id, unless merged by another group.
    assign
        Clips by the speaker to whom they belong.
    split
        Clips that are split off as a new speaker, by its name.
    exclude
        `speakers` and `clips` that are left out of the dataset.
    apart, together
        Groups of speakers who are different people, and speakers who are one person each: nothing
        is asked of them any more.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    merge: Sequence[Sequence[str]] = ()
    assign: Mapping[str, Sequence[str]] = field(default_factory=dict)
    split: Mapping[str, Sequence[str]] = field(default_factory=dict)
    exclude: Mapping[str, Sequence[str]] = field(default_factory=dict)
    apart: Sequence[Sequence[str]] = ()
    together: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ClipOverrides:
    """The overrides of single clips; every clip is in one of the three at most.

    Attributes
    ----------
    assigned
        Reference to a speaker, by clip.
    split
        Name of the speaker as whom it is split off, by clip.
    excluded
        The line that excludes it, by clip.
    faults
        What is wrong with the lines, a sentence each.
    """

    assigned: Mapping[str, str]
    split: Mapping[str, str]
    excluded: Mapping[str, str]
    faults: Sequence[str]


@dataclass(frozen=True, slots=True)
class ResolvedOverrides:
    """The overrides with every clip and speaker resolved.

    Attributes
    ----------
    names
        Name by speaker id.
    merged
        The id that a speaker goes under, by the id of that speaker.
    assigned
        Speaker id by clip, of the clips that were assigned or split off by the user.
    excluded_speakers, excluded_clips
        The line that excludes it, by speaker id and by clip.
    settled
        Sets of speaker ids of whom nothing is asked: kept apart, or one by itself.
    """

    names: Mapping[str, str]
    merged: Mapping[str, str]
    assigned: Mapping[str, str]
    excluded_speakers: Mapping[str, str]
    excluded_clips: Mapping[str, str]
    settled: Sequence[frozenset[str]] = ()


def resolve_overrides(
    overrides: Overrides,
    clips: Collection[str],
    labels: Collection[str],
    names: Mapping[str, str],
    source: str = "The file that speakers.overrides names",
) -> ResolvedOverrides:
    """Return what the overrides come to.

    Parameters
    ----------
    clips
        Ids of all clips of the source.
    labels
        The source's own labels of speakers.
    names
        Name of every speaker there is, by id. While it is empty, any id is taken on trust.
    source
        What messages call the user's file.

    Raises
    ------
    OverridesError
        For speakers and clips that do not exist, and for lines that contradict each other.
    """
    speakers = _Speakers(overrides, clips, labels, names)
    merged = _resolve_merges(overrides.merge, speakers)
    resolved_names = _resolve_names(overrides.names, names, merged, speakers)
    _check_split_names(overrides, labels, speakers)
    excluded = {
        key: f"exclude.speakers: {reference}"
        for reference in overrides.exclude.get("speakers", ())
        if (key := speakers.find_unmerged("exclude.speakers", reference, merged))
    }
    by_reference = {
        reference: speakers.find_unmerged(f"assign.{reference}", reference, merged)
        for reference in overrides.assign
    }
    settled = [
        frozenset(speakers.find_unmerged(place, reference, merged) or "" for reference in group)
        for place, groups in (("apart", overrides.apart), ("together", zip(overrides.together)))
        for group in groups
    ]
    by_clip = resolve_clips(overrides, clips)
    faults = [*speakers.faults, *by_clip.faults]
    if faults:
        listed = "\n".join(f"  - {fault}" for fault in faults)
        raise OverridesError(f"{source} has faults:\n{listed}")
    assigned = {clip: by_reference[reference] for clip, reference in by_clip.assigned.items()}
    assigned |= {clip: speakers.ids[name] for clip, name in by_clip.split.items()}
    return ResolvedOverrides(resolved_names, merged, assigned, excluded, by_clip.excluded, settled)


@dataclass(frozen=True, slots=True)
class _ClipLine:
    """One pattern of the user's file that stands for clips."""

    section: str  # assign, split or exclude
    key: str  # of the section: a reference, a name, or "clips"
    pattern: str

    @property
    def place(self) -> str:
        return f"{self.section}.{self.key}"


def resolve_clips(overrides: Overrides, clips: Collection[str]) -> ClipOverrides:
    """Return what the overrides say of single `clips`, which are all of the source by id."""
    clips = dict.fromkeys(sorted(clips))
    lines: dict[str, list[_ClipLine]] = {}
    faults = []
    for line in _list_clip_lines(overrides):
        found = _match_pattern(line.pattern, clips)
        if not found:
            faults.append(_describe_missing_clip(line, clips))
        for clip in found:
            lines.setdefault(clip, []).append(line)
    strongest = {
        clip: [line for line in found if line.pattern == clip] or found
        for clip, found in lines.items()
    }
    faults += _describe_contradictions(strongest)
    decided = {clip: found[0] for clip, found in strongest.items()}
    return ClipOverrides(
        {clip: line.key for clip, line in decided.items() if line.section == "assign"},
        {clip: line.key for clip, line in decided.items() if line.section == "split"},
        {
            clip: f"{line.place}: {line.pattern}"
            for clip, line in decided.items()
            if line.section == "exclude"
        },
        faults,
    )


def _list_clip_lines(overrides: Overrides) -> Iterator[_ClipLine]:
    excluded = {"clips": overrides.exclude.get("clips", ())}
    sections = {"assign": overrides.assign, "split": overrides.split, "exclude": excluded}
    for section, content in sections.items():
        for key, patterns in content.items():
            for pattern in patterns:
                yield _ClipLine(section, key, pattern)


def _match_pattern(pattern: str, clips: Collection[str]) -> list[str]:
    """Return the clips for which a pattern stands; the id of a clip stands for that clip alone."""
    if pattern in clips:
        return [pattern]
    return fnmatch.filter(clips, pattern) if _PATTERN.search(pattern) else []


def _describe_missing_clip(line: _ClipLine, clips: Collection[str]) -> str:
    stem = PurePath(line.pattern).stem
    hint = f"did you mean '{stem}'?" if stem in clips else suggest(line.pattern, clips)
    return (
        f"{line.place}: the source has no clip '{line.pattern}'; {hint} "
        "A clip that you took out of the source is taken out here too"
    )


def _describe_contradictions(lines: Mapping[str, Sequence[_ClipLine]]) -> list[str]:
    """Return one fault for every set of places that claim the same clips."""
    concerned: dict[tuple[str, ...], list[str]] = {}
    for clip, found in lines.items():
        places = tuple(sorted({line.place for line in found}))
        if len(places) > 1:
            concerned.setdefault(places, []).append(clip)
    faults = []
    for places, clips in concerned.items():
        more = f" and {len(clips) - 1} more" if len(clips) > 1 else ""
        faults.append(
            f"clip '{clips[0]}'{more} stands in {' and in '.join(places)}: leave it in one"
        )
    return faults


class _Speakers:
    """The speakers to whom the user's file may refer.

    Attributes
    ----------
    ids
        Speaker id by reference. A label or a name of `split` that has no id yet stands for itself.
    faults
        What was wrong with the references so far.
    """

    def __init__(
        self,
        overrides: Overrides,
        clips: Collection[str],
        labels: Collection[str],
        names: Mapping[str, str],
    ) -> None:
        without_id = {name: name for name in (*labels, *overrides.split)}
        by_name = {name: key for key, name in names.items()}
        self.ids = without_id | by_name | {key: key for key in names}
        self.faults: list[str] = []
        self._clips = clips
        self._trust_ids = not names

    def find(self, place: str, reference: str) -> str | None:
        """Return the id of a speaker; without one, None, and a fault is added."""
        if reference in self.ids:
            return self.ids[reference]
        if self._trust_ids and _ID.fullmatch(reference):
            return reference
        hint = suggest(reference, self.ids)
        if reference in self._clips:
            hint = "that is a clip; the speaker comes first, as spk002: [clip_1, clip_2]"
        self.faults.append(f"{place}: there is no speaker '{reference}'; {hint}")
        return None

    def find_unmerged(self, place: str, reference: str, merged: Mapping[str, str]) -> str | None:
        """Return the id of a speaker who is not merged into another; else None, with a fault."""
        key = self.find(place, reference)
        if key in merged:
            self.faults.append(
                f"{place}: {reference} is merged into {merged[key]}: write {merged[key]} here"
            )
            return None
        return key


def _resolve_merges(groups: Sequence[Sequence[str]], speakers: _Speakers) -> dict[str, str]:
    """Return the id that each merged speaker goes under; a group may continue another one."""
    heads: dict[str, str] = {}
    for group in groups:
        place = f"merge [{', '.join(group)}]"
        keys = [key for reference in group if (key := speakers.find(place, reference))]
        for key in keys[1:]:
            if key == keys[0]:
                speakers.faults.append(f"{place}: {key} stands there twice")
            elif heads.setdefault(key, keys[0]) != keys[0]:
                speakers.faults.append(
                    f"{place}: {key} is merged into {heads[key]} already; write all that are "
                    "one speaker into one group"
                )
    merged = {}
    for key in heads:
        last, passed = key, []
        while last in heads and last not in passed:
            passed.append(last)
            last = heads[last]
        if last in passed:
            circle = ", ".join(sorted(passed[passed.index(last) :]))
            speakers.faults.append(f"merge: {circle} are merged into each other; say it once")
            return {}
        merged[key] = last
    return merged


def _resolve_names(
    lines: Mapping[str, str],
    names: Mapping[str, str],
    merged: Mapping[str, str],
    speakers: _Speakers,
) -> dict[str, str]:
    """Return the user's names by speaker id; no two speakers may have one name."""
    resolved = {}
    owners = {name: key for key, name in names.items() if key not in merged}
    for reference, name in lines.items():
        key = speakers.find_unmerged(f"names.{reference}", reference, merged)
        owner = owners.setdefault(name, key)
        if key and owner != key:
            speakers.faults.append(
                f"names.{reference}: {owner} is called '{name}' already; if they are one "
                f"speaker, write merge: [[{owner}, {key}]]"
            )
        if key:
            resolved[key] = name
    return resolved


def _check_split_names(overrides: Overrides, labels: Collection[str], speakers: _Speakers) -> None:
    """Add a fault for every name of `split` that is an id or belongs to another speaker."""
    for name in overrides.split:
        if _ID.fullmatch(name):
            speakers.faults.append(
                f"split.{name}: a new speaker takes a name of yours, not an id; to give clips "
                f"to {name} write them under assign"
            )
        elif name in labels or name in overrides.names.values():
            speakers.faults.append(
                f"split.{name}: '{name}' is a speaker already; to give clips to that speaker "
                "write them under assign, for a new speaker take another name"
            )
