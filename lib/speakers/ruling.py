"""What the user's word about speakers comes to, for the speakers and clips that there are."""

import difflib
import fnmatch
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

_ID = re.compile(r"spk\d{3,}")
_PATTERN = re.compile(r"[*?[]")


class OverridesError(ValueError):
    """The user's word about speakers is wrong; the message lists every fault."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the user says about speakers (`config/speakers.yaml`, see `lib.speakers.overrides`).

    A speaker is given by its id, the source's label or a name of `split`; clips by their ids or by
    patterns with `*`, `?` and `[]`. A clip that is named wins over a pattern.

    Attributes
    ----------
    names
        What a speaker is called.
    merge
        Groups of speakers who are one; the first of each keeps its id, unless another group
        merges that one too.
    assign
        Clips by the speaker whose they are.
    split
        Clips that are a voice of their own, by the name of it.
    exclude
        `speakers` and `clips` that are left out of the dataset.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    merge: Sequence[Sequence[str]] = ()
    assign: Mapping[str, Sequence[str]] = field(default_factory=dict)
    split: Mapping[str, Sequence[str]] = field(default_factory=dict)
    exclude: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Ruling:
    """The user's word, with patterns and names resolved.

    Attributes
    ----------
    names
        Name by speaker id.
    merged
        By speaker id, the id that it goes under.
    moved
        Speaker id by clip.
    excluded_speakers, excluded_clips
        With the line of the user's that says so.
    """

    names: dict[str, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    excluded_speakers: dict[str, str] = field(default_factory=dict)
    excluded_clips: dict[str, str] = field(default_factory=dict)


def judge(
    overrides: Overrides,
    clips: Collection[str],
    known: Mapping[str, str],
    labels: Collection[str] = (),
    source: str = "The file that speakers.overrides names",
) -> Ruling:
    """Resolve the user's word, or say all that is wrong with it.

    Parameters
    ----------
    clips
        All clips of the source.
    known
        Name of every speaker there is, by id. Where none is known yet any id may come to be.
    labels
        The source's own labels of speakers.
    source
        What messages call the user's file.

    Raises
    ------
    OverridesError
        For speakers and clips that do not exist, and for lines that contradict each other.
    """
    hearing = _Hearing(overrides, clips, known, labels)
    ruling = hearing.rule()
    if hearing.faults:
        faults = "\n".join(f"  - {fault}" for fault in hearing.faults)
        raise OverridesError(f"{source} has faults:\n{faults}")
    return ruling


def find_split_clips(overrides: Overrides, clips: Collection[str]) -> dict[str, str]:
    """Return the name of the voice of every clip that is to be split off."""
    claims = _Hearing(overrides, clips, {}, ()).claim_clips()
    return {clip: place[6:] for clip, (place, _) in claims.items() if place.startswith("split.")}


class _Hearing:
    """One reading of the user's word; what is wrong with it gathers in `faults`."""

    def __init__(
        self,
        overrides: Overrides,
        clips: Collection[str],
        known: Mapping[str, str],
        labels: Collection[str],
    ) -> None:
        self.overrides = overrides
        self.clips = dict.fromkeys(sorted(clips))
        self.known = known
        self.labels = labels
        self.faults: list[str] = []
        # Labels and new voices without an id yet stand for themselves.
        self.speakers = {name: name for name in (*labels, *overrides.split)}
        self.speakers |= {name: key for key, name in known.items()} | {key: key for key in known}
        self.merged: dict[str, str] = {}

    def rule(self) -> Ruling:
        self.merged = self._merge()
        names = self._name()
        self._check_splits()
        excluded = {
            key: f"exclude.speakers: {reference}"
            for reference in self.overrides.exclude.get("speakers", ())
            if (key := self._use("exclude.speakers", reference))
        }
        targets = {f"split.{name}": self.speakers[name] for name in self.overrides.split}
        targets |= {f"assign.{r}": self._use(f"assign.{r}", r) for r in self.overrides.assign}
        claims = self.claim_clips()
        return Ruling(
            names,
            self.merged,
            {clip: targets[place] for clip, (place, _) in claims.items() if place in targets},
            excluded,
            {clip: f"{at}: {p}" for clip, (at, p) in claims.items() if at == "exclude.clips"},
        )

    def claim_clips(self) -> dict[str, tuple[str, str]]:
        """Return the one place and pattern that decides about each clip of which any does."""
        claims: dict[str, list[tuple[str, str]]] = {}
        for place, patterns in self._list_patterns():
            for pattern in patterns:
                for clip in self._find_clips(place, pattern):
                    claims.setdefault(clip, []).append((place, pattern))
        decided, clashes = {}, {}
        for clip, found in claims.items():
            strongest = [claim for claim in found if claim[1] == clip] or found
            places = tuple(sorted({place for place, _ in strongest}))
            decided[clip] = strongest[0]
            if len(places) > 1:
                clashes.setdefault(places, []).append(clip)
        for places, concerned in clashes.items():
            more = f" and {len(concerned) - 1} more" if len(concerned) > 1 else ""
            self.faults.append(
                f"clip '{concerned[0]}'{more} stands in {' and in '.join(places)}: leave it in one"
            )
        return decided

    def _list_patterns(self) -> list[tuple[str, Sequence[str]]]:
        said = self.overrides
        return [
            *((f"assign.{reference}", patterns) for reference, patterns in said.assign.items()),
            *((f"split.{name}", patterns) for name, patterns in said.split.items()),
            ("exclude.clips", said.exclude.get("clips", ())),
        ]

    def _merge(self) -> dict[str, str]:
        """Return under whom each merged speaker goes; groups may follow from one another."""
        heads: dict[str, str] = {}
        for group in self.overrides.merge:
            place = f"merge [{', '.join(group)}]"
            keys = [key for reference in group if (key := self._find_speaker(place, reference))]
            for key in keys[1:]:
                if key == keys[0]:
                    self.faults.append(f"{place}: {key} stands there twice")
                elif heads.setdefault(key, keys[0]) != keys[0]:
                    self.faults.append(
                        f"{place}: {key} is merged into {heads[key]} already; write all that are "
                        "one voice into one group"
                    )
        merged = {}
        for key in heads:
            last, passed = key, []
            while last in heads and last not in passed:
                passed.append(last)
                last = heads[last]
            if last in passed:
                circle = ", ".join(sorted(passed[passed.index(last) :]))
                self.faults.append(f"merge: {circle} are merged into each other; say it once")
                return {}
            merged[key] = last
        return merged

    def _name(self) -> dict[str, str]:
        names: dict[str, str] = {}
        owners = {name: key for key, name in self.known.items() if key not in self.merged}
        for reference, name in self.overrides.names.items():
            key = self._use(f"names.{reference}", reference)
            owner = owners.setdefault(name, key)
            if key and owner != key:
                self.faults.append(
                    f"names.{reference}: {owner} is called '{name}' already; if they are one "
                    f"voice, write merge: [[{owner}, {key}]]"
                )
            if key:
                names[key] = name
        return names

    def _check_splits(self) -> None:
        for name in self.overrides.split:
            if _ID.fullmatch(name):
                self.faults.append(
                    f"split.{name}: a new voice takes a name of yours, not an id; to give clips "
                    f"to {name} write them under assign"
                )
            elif name in self.labels or name in self.overrides.names.values():
                self.faults.append(
                    f"split.{name}: '{name}' is a speaker already; to give clips to that speaker "
                    "write them under assign, for a new voice take another name"
                )

    def _use(self, place: str, reference: str) -> str | None:
        """Return the id of a speaker who is still there after merging."""
        key = self._find_speaker(place, reference)
        if key in self.merged:
            self.faults.append(
                f"{place}: {reference} is merged into {self.merged[key]}: write "
                f"{self.merged[key]} here"
            )
            return None
        return key

    def _find_speaker(self, place: str, reference: str) -> str | None:
        if reference in self.speakers:
            return self.speakers[reference]
        if not self.known and _ID.fullmatch(reference):
            return reference
        hint = self._guess(reference, self.speakers)
        if reference in self.clips:
            hint = "that is a clip; the speaker comes first, as spk002: [clip_1, clip_2]"
        self.faults.append(f"{place}: there is no speaker '{reference}'; {hint}")
        return None

    def _find_clips(self, place: str, pattern: str) -> list[str]:
        if pattern in self.clips:
            return [pattern]
        found = fnmatch.filter(self.clips, pattern) if _PATTERN.search(pattern) else []
        if not found:
            stem = PurePath(pattern).stem
            hint = f"did you mean '{stem}'?" if stem in self.clips else None
            self.faults.append(
                f"{place}: the source has no clip '{pattern}'; "
                f"{hint or self._guess(pattern, self.clips)} "
                "A clip that you took out of the source is taken out here too"
            )
        return found

    @staticmethod
    def _guess(wrong: str, valid: Collection[str]) -> str:
        near = difflib.get_close_matches(wrong, list(valid), n=1, cutoff=0.6)
        if near:
            return f"did you mean '{near[0]}'?"
        shown = sorted(valid)[:8]
        more = ", ..." if len(valid) > len(shown) else ""
        return f"there are {', '.join(shown)}{more}." if shown else "there are none yet."
