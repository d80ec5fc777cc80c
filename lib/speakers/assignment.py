"""Whose voice is each clip: labels first, then earlier decisions, then clustering."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
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
)
from lib.speakers.review import find_doubts, rate_confidence
from lib.speakers.shard import Embeddings, read_embeddings
from lib.speakers.tables import write_outputs

logger = logging.getLogger(__name__)


def assign_speakers(
    shards: Sequence[Path],
    known: Mapping[str, str],
    settings: SpeakerSettings,
    state: Path,
    *,
    assignments: Path,
    centroids: Path,
    registry: Path,
    speaker_map: Path,
) -> None:
    """Give every clip with a voice vector its speaker, and keep what was given before.

    Parameters
    ----------
    shards
        Voice vectors, as `embed_clips` writes them.
    known
        The source's own speaker label of each clip that has one. These stand; clips without one
        may join these speakers.
    settings
        See `SpeakerSettings`. When they change, clips are clustered anew, and a voice keeps the
        id with which it shares most clips.
    state
        Durable record of ids and decisions, updated.
    assignments
        Table to write: clip, speaker_id, confidence.
    centroids
        Parquet to write: speaker_id, clips, vector.
    registry
        JSON to write: every speaker's name, label, number of clips and centroid, and the doubts.
    speaker_map
        Table to write: clip, speaker_id and its place x, y on a plane.
    """
    embeddings = read_embeddings(shards)
    if not embeddings.clips:
        raise ValueError(
            f"no clip has a voice vector ({len(shards)} shards were read): all clips were rejected "
            "during conversion; see the table of rejected clips for the reasons"
        )
    earlier = load_registry(state)
    labels = {clip: known[clip] for clip in embeddings.clips if clip in known}
    case = _Case(embeddings, labels, earlier, settings)
    speakers = case.assign()
    fixed_by_label = np.array([clip in labels for clip in embeddings.clips])
    confidence = rate_confidence(embeddings.vectors, speakers, fixed_by_label)
    doubts = find_doubts(embeddings.clips, speakers, case.voices, settings.min_clips)
    updated = case.update_registry(speakers)
    # First the record: a run that is killed here decides the same again.
    save_registry(state, updated)
    write_outputs(
        embeddings,
        speakers,
        confidence,
        updated,
        doubts,
        assignments=assignments,
        centroids=centroids,
        registry=registry,
        speaker_map=speaker_map,
    )


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
        earlier: Registry,
        settings: SpeakerSettings,
    ) -> None:
        self.embeddings = embeddings
        self.labels = labels
        self.earlier = earlier
        self.settings = settings
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

    def assign(self) -> list[str]:
        """Return the speaker of every clip, in the order of the embeddings."""
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

    def update_registry(self, speakers: Sequence[str]) -> Registry:
        """Return the record with this round's decisions; clips that are gone leave it."""
        names = {key: label for label, key in self.label_ids.items()}
        entries = dict(self.earlier.speakers)
        for key in sorted(set(speakers) | entries.keys()):
            old = entries.get(key)
            rows = [row for row, speaker in enumerate(speakers) if speaker == key]
            label = names.get(key)
            name = label or (old.name if old else key)
            entries[key] = Speaker(name, label, len(rows), self._centroid(rows, old))
        clips, digests = self.embeddings.clips, self.embeddings.digests
        decisions = map(Decision, speakers, digests)
        return Registry(
            next_number=self.next_number,
            settings=asdict(self.settings),
            speakers=entries,
            decisions=dict(zip(clips, decisions, strict=True)),
        )

    def _centroid(self, rows: list[int], old: Speaker | None) -> tuple[float, ...]:
        if not rows:
            return old.centroid
        total = self.vectors[rows].sum(axis=0)
        return tuple(np.round(total / np.linalg.norm(total), 6).tolist())

    def _new_speaker(self) -> str:
        self.next_number += 1
        return speaker_id(self.next_number - 1)

    def _identify_labels(self) -> dict[str, str]:
        """Return the speaker of every label: its own, that of a voice it now names, or a new."""
        ids = {row.label: key for key, row in self.earlier.speakers.items() if row.label}
        unnamed = {key for key, row in self.earlier.speakers.items() if row.label is None}
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
        centroids = np.array([self._gather(self._voters(key)).total for key in candidates])
        centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
        return [candidates[at] for at in np.argmax(self.vectors[free] @ centroids.T, axis=1)]

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
