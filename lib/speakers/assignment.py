"""Whose voice is each clip: labels first, then earlier decisions, then clustering."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from lib.speakers.clustering import Group, SpeakerSettings, find_voices, likeness
from lib.speakers.registry import (
    Decision,
    Registry,
    Speaker,
    load_registry,
    save_registry,
    speaker_id,
    without_voices,
)
from lib.speakers.review import find_doubts, rate_confidence
from lib.speakers.ruling import Overrides, find_split_clips, judge
from lib.speakers.shard import Embeddings, read_embeddings
from lib.speakers.tables import (
    count_clips,
    find_centroid,
    group_rows,
    write_assignment,
    write_centroids,
    write_excluded,
    write_voices,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpeakerPaths:
    """What the assignment writes.

    Attributes
    ----------
    assignments
        Table: clip, speaker_id, confidence.
    centroids
        Parquet: speaker_id, clips, vector.
    voices
        JSON: every speaker's name, label, number of clips and centroid, and the doubts.
    speaker_map
        Table: clip, speaker_id and its place x, y on a plane.
    excluded
        Table: clips that the user leaves out, and by which line.
    """

    assignments: Path
    centroids: Path
    voices: Path
    speaker_map: Path
    excluded: Path


def assign_speakers(
    shards: Sequence[Path],
    clips: Mapping[str, str | None],
    settings: SpeakerSettings,
    overrides: Overrides,
    state: Path,
    paths: SpeakerPaths,
) -> None:
    """Give every clip with a voice vector its speaker, and keep what was given before.

    Parameters
    ----------
    shards
        Voice vectors, as `embed_clips` writes them.
    clips
        All clips of the source, with its own speaker label or None. Labels stand; clips without
        one may join these speakers.
    settings
        See `SpeakerSettings`. When they change, clips are clustered anew, and a voice keeps the
        id with which it shares most clips.
    overrides
        The user's word. It stands above labels and clustering and leaves no trace in the record:
        a line that is taken out brings back what was.
    state
        Durable record of ids and decisions, updated.
    paths
        Files to write.
    """
    embeddings = read_embeddings(shards)
    if not embeddings.clips:
        raise ValueError(
            f"no clip has a voice vector ({len(shards)} shards were read): all clips were rejected "
            "during conversion; see the table of rejected clips for the reasons"
        )
    labels = {clip: clips[clip] for clip in embeddings.clips if clips.get(clip)}
    case = _Case(embeddings, labels, load_registry(state), settings, overrides.split)
    found = case.assign(find_split_clips(overrides, clips))
    names = case.names()
    ruling = judge(overrides, clips, names, set(labels.values()))
    speakers = [ruling.moved.get(*pair) for pair in zip(embeddings.clips, found, strict=True)]
    record = case.update_registry(found, speakers, clips)
    fixed = np.array([clip in labels or clip in ruling.moved for clip in embeddings.clips])
    doubts = find_doubts(
        embeddings.clips, speakers, case.voices, settings.min_clips, ruling.moved, ruling.merged
    )
    final = [ruling.merged.get(speaker, speaker) for speaker in speakers]
    confidence = rate_confidence(embeddings.vectors, final, fixed)
    # First the record: a run that is killed here decides the same again.
    save_registry(state, record)
    shown = {key: record.speakers[key] for key in names.keys() - ruling.merged.keys()}
    entries = count_clips(shown, embeddings.vectors, final)
    write_assignment(embeddings, final, confidence, paths.assignments, paths.speaker_map)
    write_voices(entries, ruling, doubts, paths.voices)
    write_centroids(entries, paths.centroids)
    write_excluded(dict(zip(embeddings.clips, final, strict=True)), ruling, paths.excluded)


class _Case:
    """One round of assigning: what is known, and what the clustering sees now.

    A clip's speaker is `settled` by a label, or by an earlier decision about the same recording
    with the same settings. Every clip whose speaker was ever known has a `vote`, which tells whose
    a voice is even where the clip itself is judged again.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        labels: Mapping[str, str],
        record: Registry,
        settings: SpeakerSettings,
        splits: Collection[str],
    ) -> None:
        self.embeddings = embeddings
        self.labels = labels
        self.record = record
        self.earlier = earlier = without_voices(record, splits)
        self.settings = settings
        # Ids of the voices that the user splits off, by name.
        self.splits: dict[str, str] = {}
        self.next_number = earlier.next_number
        self.same_settings = dict(earlier.settings) == asdict(settings)
        self.vectors = embeddings.vectors.astype(np.float64)
        self.label_ids = self._identify_labels()
        self.votes = [self._vote(clip) for clip in embeddings.clips]
        self.settled = np.array(
            [
                self._is_settled(clip, digest)
                for clip, digest in zip(embeddings.clips, embeddings.digests, strict=True)
            ]
        )
        if len(labels) < len(embeddings.clips):
            self.voices = find_voices(self.vectors, embeddings.voiced, settings)
        else:
            # The source names everyone: nothing to find.
            self.voices = np.unique(np.array(self.votes), return_inverse=True)[1]

    def assign(self, split: Mapping[str, str]) -> list[str]:
        """Return the speaker of every clip, in the order of the embeddings.

        Clips in `split`, by which the user splits voices off, are judged as if they were not; but
        new clips may be those voices'.
        """
        speakers = self._find_speakers()
        rows: dict[str, list[int]] = {}
        for row, clip in enumerate(self.embeddings.clips):
            if clip in split:
                rows.setdefault(split[clip], []).append(row)
        given = {row.given: key for key, row in self.record.speakers.items() if row.given}
        for name in sorted(rows):
            self.splits[name] = given.get(name) or self._new_speaker()
        self._follow_splits(speakers, {self.splits[name]: found for name, found in rows.items()})
        return speakers

    def names(self) -> dict[str, str]:
        """Return the name of every speaker, by id."""
        named = {key: row.name for key, row in self.earlier.speakers.items()}
        named |= {key: name for name, key in (*self.label_ids.items(), *self.splits.items())}
        new = range(self.record.next_number, self.next_number)
        return {speaker_id(number): speaker_id(number) for number in new} | named

    def _follow_splits(self, speakers: list[str], split: Mapping[str, list[int]]) -> None:
        """Let new clips of a speaker be nearer to what the user split off from that speaker."""
        taken = {row for rows in split.values() for row in rows}
        rivals: dict[str, list[str]] = {}
        for voice, rows in split.items():
            for speaker in {speakers[row] for row in rows} & self.earlier.speakers.keys():
                rivals.setdefault(speaker, []).append(voice)
        for speaker, voices in rivals.items():
            members = [at for at, who in enumerate(speakers) if who == speaker and at not in taken]
            groups = {key: self._gather(split[key]).total for key in sorted(voices)}
            kept = [at for at in members if self.votes[at] == speaker]
            if kept:
                groups[speaker] = self._gather(kept).total
            nearest = self._choose_among(groups, [at for at in members if not self.settled[at]])
            for row, choice in nearest.items():
                speakers[row] = choice

    def _choose_among(
        self, groups: Mapping[str, np.ndarray], rows: Sequence[int]
    ) -> dict[int, str]:
        """Return the group whose direction is nearest to each of the clips."""
        keys = list(groups)
        centroids = np.array([groups[key] for key in keys])
        centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
        nearest = np.argmax(self.vectors[rows] @ centroids.T, axis=1) if rows else ()
        return {row: keys[at] for row, at in zip(rows, nearest, strict=True)}

    def _find_speakers(self) -> list[str]:
        speakers = list(self.votes)
        owners = self._match_owners()
        for voice in range(self.voices.max() + 1):
            members = self.voices == voice
            free = np.flatnonzero(members & ~self.settled)
            if not len(free):
                continue
            candidates = owners.get(voice) or self._adopt(free, members.sum())
            for row, speaker in zip(free, self._choose(free, candidates), strict=True):
                speakers[row] = speaker
        return speakers

    def update_registry(
        self, found: Sequence[str], speakers: Sequence[str], clips: Collection[str]
    ) -> Registry:
        """Return the record with this round's decisions.

        What was `found` is decided; whose the clips are by the user's word is shown. Clips that
        are gone from the source leave the record. One of the source's `clips` that has no vector
        this time, since it was rejected, keeps the decision that it had.
        """
        names = self.names()
        labels = {key: label for label, key in self.label_ids.items()}
        given = {key: name for name, key in self.splits.items()}
        entries = dict(self.record.speakers)
        rows_found, rows = group_rows(found), group_rows(speakers)
        for key in sorted({*found, *speakers, *entries}):
            old = entries.get(key)
            heard = rows.get(key) or rows_found.get(key)
            entries[key] = Speaker(
                names.get(key) or old.name,
                labels.get(key),
                len(rows.get(key, ())),
                find_centroid(self.vectors[heard]) if heard else old.centroid,
                given.get(key) or (old.given if old else None),
            )
        kept = {clip: row for clip, row in self.record.decisions.items() if clip in clips}
        decisions = map(Decision, found, self.embeddings.digests)
        return Registry(
            next_number=self.next_number,
            settings=asdict(self.settings),
            speakers=entries,
            decisions=kept | dict(zip(self.embeddings.clips, decisions, strict=True)),
        )

    def _new_speaker(self) -> str:
        self.next_number += 1
        return speaker_id(self.next_number - 1)

    def _identify_labels(self) -> dict[str, str]:
        """Return the speaker of every label: its own, that of a voice it now names, or a new.

        A label that the source no longer has may be written otherwise now, as `1` for `1.0`: the
        speaker goes with its clips.
        """
        ids = {row.label: key for key, row in self.earlier.speakers.items() if row.label}
        used = set(self.labels.values())
        unnamed = {
            key
            for key, row in self.earlier.speakers.items()
            if row.label not in used and not row.given
        }
        decided = self.earlier.decisions
        pairs = Counter(
            (label, decided[clip].speaker)
            for clip, label in sorted(self.labels.items())
            if clip in decided
        )
        for (label, speaker), _ in pairs.most_common():
            if label not in ids and speaker in unnamed:
                ids[label] = speaker
                unnamed.discard(speaker)
        for label in sorted(set(self.labels.values()) - ids.keys()):
            ids[label] = self._new_speaker()
        _warn_of_spellings(self.labels.values())
        return ids

    def _vote(self, clip: str) -> str | None:
        if clip in self.labels:
            return self.label_ids[self.labels[clip]]
        decision = self.earlier.decisions.get(clip)
        return decision.speaker if decision else None

    def _is_settled(self, clip: str, digest: str) -> bool:
        if clip in self.labels:
            return True
        decision = self.earlier.decisions.get(clip)
        return decision is not None and self.same_settings and decision.digest == digest

    def _match_owners(self) -> dict[int, list[str]]:
        """Return whose each voice is; a voice that no one owns is missing.

        A speaker owns the voice where most of its clips are, and every voice of which it is most.
        After a change of settings voices and speakers are paired off instead, but for labels.
        """
        pairs = zip(self.voices.tolist(), self.votes, strict=True)
        table = Counter(pair for pair in pairs if pair[1] is not None)
        sizes, totals = Counter(self.voices.tolist()), Counter(self.votes)
        labelled = {self.label_ids[label] for label in self.labels.values()}
        paired = {} if self.same_settings else _pair_off(table, labelled)
        owners: dict[int, list[str]] = {}
        for (voice, speaker), count in sorted(table.items()):
            if self.same_settings or speaker in labelled:
                owns = 2 * count >= totals[speaker] or 2 * count > sizes[voice]
            else:
                owns = paired.get(speaker) == voice
            if owns:
                owners.setdefault(voice, []).append(speaker)
        return owners

    def _adopt(self, free: np.ndarray, size: int) -> list[str]:
        """Return the speakers that a voice without owner may be: a new one, or those there are.

        A few clips that fell in with others' are not a voice, and a voice as like a speaker as
        that speaker is to itself is not a new one.
        """
        present = sorted({vote for vote in self.votes if vote})
        enough = len(free) >= self.settings.min_clips and 2 * len(free) > size
        if not enough and present:
            return present
        if self.settings.count == "auto" and self.same_settings:
            voice = self._gather(free)
            alike = [likeness(voice, self._gather(self._voters(key))) for key in present]
            if alike and max(alike) >= self.settings.same_voice:
                return [present[int(np.argmax(alike))]]
        return [self._new_speaker()]

    def _choose(self, free: np.ndarray, candidates: list[str]) -> list[str]:
        """Return the nearest of the candidates for each clip."""
        if len(candidates) == 1:
            return candidates * len(free)
        groups = {key: self._gather(self._voters(key)).total for key in candidates}
        return list(self._choose_among(groups, free.tolist()).values())

    def _voters(self, speaker: str) -> np.ndarray:
        return np.array([row for row, vote in enumerate(self.votes) if vote == speaker])

    def _gather(self, rows: np.ndarray) -> Group:
        return Group(len(rows), self.vectors[rows].sum(axis=0))


def _pair_off(table: Mapping[tuple[int, str], int], labelled: set[str]) -> dict[str, int]:
    """Pair voices with speakers so that as many clips as possible keep their id."""
    speakers = sorted({speaker for _, speaker in table} - labelled)
    shared = np.zeros((len(speakers), 1 + max((voice for voice, _ in table), default=0)))
    for (voice, speaker), count in table.items():
        if speaker not in labelled:
            shared[speakers.index(speaker), voice] = count
    rows, voices = linear_sum_assignment(shared, maximize=True)
    return {
        speakers[row]: int(voice)
        for row, voice in zip(rows, voices, strict=True)
        if shared[row, voice]
    }


def _warn_of_spellings(labels: Iterable[str]) -> None:
    """Name labels that differ only in case or spaces: they may mean one person."""
    spellings: dict[str, set[str]] = {}
    for label in labels:
        spellings.setdefault(" ".join(label.casefold().split()), set()).add(label)
    for alike in sorted(map(sorted, spellings.values())):
        if len(alike) > 1:
            logger.warning(
                "The speaker labels %s are kept apart; if they are one person, spell them alike",
                ", ".join(map(repr, alike)),
            )
