"""Matches the clusters of this run to the speakers of earlier runs, so that ids never move."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from lib.config.speakers import SpeakerSettings
from lib.speakers.clustering import Group, similarity
from lib.speakers.registry import Registry, speaker_id
from lib.speakers.shard import Embeddings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Match:
    """The speakers of a run.

    Attributes
    ----------
    speakers
        Speaker id of every clip, in the order of the embeddings.
    label_ids
        Speaker id by label of the source.
    split_ids
        Speaker id by name under which the user splits it off.
    names
        Name of every speaker there is, by id.
    next_number
        Number of the next new speaker.
    """

    speakers: list[str]
    label_ids: Mapping[str, str]
    split_ids: Mapping[str, str]
    names: Mapping[str, str]
    next_number: int


class SpeakerMatcher:
    """Gives every cluster the id of the speaker it is: one that is known, or a new one.

    The known speaker of a clip is that of its label, or else the one that an earlier run found.
    It is final if the clip has a label, or if neither its recording nor the settings have changed
    since. The other clips are open: they get the speaker of their cluster.

    What holds, and is tested as properties:

    - A clip that is final keeps its speaker, whatever is added. Labels are always final.
    - A new speaker has a number that was never used before.
    - Two new speakers are two clusters, and a cluster is one new speaker at most.
    - Neither the order of the clips nor clips that are gone make a difference.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        clusters: np.ndarray,
        labels: Mapping[str, str],
        previous: Registry,
        settings: SpeakerSettings,
    ) -> None:
        """Take what is known before the match.

        Parameters
        ----------
        embeddings
            Of the clips of this run.
        clusters
            `(num_clips,) int64`, the cluster of every clip, from 0.
        labels
            The source's own label by clip, of the clips that have one.
        previous
            Record of earlier runs, without abandoned splits.
        settings
            With which the clusters were made. If they are not those of `previous`, the clusters are
            new ones, and every one gets the id with which it shares most clips.
        """
        self._clips = embeddings.clips
        self._vectors = embeddings.compared(settings.encoder).astype(np.float64)
        self._clusters = clusters
        self._labels = labels
        self._previous = previous
        self._settings = settings
        self._same_settings = dict(previous.settings) == settings.describe_clustering()
        self._next_number = previous.next_number
        self._label_ids = self._identify_labels()
        self._known = [self._find_known(clip) for clip in self._clips]
        self._final = np.array(
            [
                self._is_final(clip, digest)
                for clip, digest in zip(self._clips, embeddings.digests, strict=True)
            ]
        )

    def match(self, split: Mapping[str, str]) -> Match:
        """Return the speakers of this run.

        An instance is good for one match, as new speakers take their numbers from it.

        Parameters
        ----------
        split
            The name under which the user splits a clip off, by clip. These clips get the speaker
            that they would have otherwise, as `resolve_overrides` moves them. But open clips of
            that speaker follow them where they are nearer.
        """
        speakers = self._match_clusters()
        split_rows: dict[str, list[int]] = {}
        for row, clip in enumerate(self._clips):
            if clip in split:
                split_rows.setdefault(split[clip], []).append(row)
        split_ids = self._identify_splits(sorted(split_rows))
        self._follow_splits(speakers, {split_ids[name]: split_rows[name] for name in split_ids})
        new = range(self._previous.next_number, self._next_number)
        names = {speaker_id(number): speaker_id(number) for number in new}
        names |= {key: row.name for key, row in self._previous.speakers.items()}
        names |= {key: name for name, key in (*self._label_ids.items(), *split_ids.items())}
        return Match(speakers, self._label_ids, split_ids, names, self._next_number)

    # What is known -------------------------------------------------------------------------------

    def _identify_labels(self) -> dict[str, str]:
        """Return the speaker of every label: its own, a known one whom it now names, or a new one.

        A label that the source no longer has may be written differently now, as `1` for `1.0`: its
        speaker takes the new label, if that has most of the clips.
        """
        previous = self._previous.speakers
        ids = {row.label: key for key, row in previous.items() if row.label}
        used = set(self._labels.values())
        unlabelled = {
            key for key, row in previous.items() if row.label not in used and not row.split_name
        }
        shared = Counter(
            (label, self._previous.decisions[clip].speaker)
            for clip, label in sorted(self._labels.items())
            if clip in self._previous.decisions
        )
        for (label, speaker), _ in shared.most_common():
            if label not in ids and speaker in unlabelled:
                ids[label] = speaker
                unlabelled.discard(speaker)
        for label in sorted(used - ids.keys()):
            ids[label] = self._add_speaker()
        _warn_of_spellings(used)
        return ids

    def _identify_splits(self, names: Iterable[str]) -> dict[str, str]:
        """Return the speaker of every name under which the user splits clips off."""
        previous = self._previous.speakers
        ids = {row.split_name: key for key, row in previous.items() if row.split_name}
        return {name: ids.get(name) or self._add_speaker() for name in names}

    def _find_known(self, clip: str) -> str | None:
        if clip in self._labels:
            return self._label_ids[self._labels[clip]]
        decision = self._previous.decisions.get(clip)
        return decision.speaker if decision else None

    def _is_final(self, clip: str, digest: str) -> bool:
        if clip in self._labels:
            return True
        decision = self._previous.decisions.get(clip)
        return decision is not None and self._same_settings and decision.digest == digest

    def _add_speaker(self) -> str:
        self._next_number += 1
        return speaker_id(self._next_number - 1)

    # Clusters to speakers ------------------------------------------------------------------------

    def _match_clusters(self) -> list[str]:
        """Return the speaker of every clip, by its cluster where the clip is open."""
        speakers = list(self._known)
        matched = self._match_known_speakers()
        for cluster in range(self._clusters.max() + 1):
            members = self._clusters == cluster
            rows = np.flatnonzero(members & ~self._final)
            if len(rows):
                found = matched.get(cluster) or self._match_rest(rows, members.sum())
                for row, speaker in self._find_nearest(rows, found).items():
                    speakers[row] = speaker
        return speakers

    def _match_known_speakers(self) -> dict[int, list[str]]:
        """Return the known speakers of every cluster; a cluster that has none is missing.

        With the same settings, a cluster is that of a speaker if it has at least half of the
        speaker's clips, or if more than half of it are that speaker's. With other settings, every
        speaker has one cluster at most and every cluster one speaker at most, so that as many clips
        as possible keep their id. Speakers with labels are matched as with the same settings.
        """
        pairs = zip(self._clusters.tolist(), self._known, strict=True)
        shared = Counter(pair for pair in pairs if pair[1] is not None)
        sizes, totals = Counter(self._clusters.tolist()), Counter(self._known)
        labelled = {self._label_ids[label] for label in self._labels.values()}
        paired = {} if self._same_settings else _pair_one_to_one(shared, labelled)
        matched: dict[int, list[str]] = {}
        for (cluster, speaker), count in sorted(shared.items()):
            if self._same_settings or speaker in labelled:
                fits = 2 * count >= totals[speaker] or 2 * count > sizes[cluster]
            else:
                fits = paired.get(speaker) == cluster
            if fits:
                matched.setdefault(cluster, []).append(speaker)
        return matched

    def _match_rest(self, rows: np.ndarray, size: int) -> list[str]:
        """Return whose the open clips of a cluster without known speaker may be.

        They are a new speaker if they are enough clips and most of the cluster, and if the cluster
        is not as similar to a known speaker as two groups of one speaker are.

        Parameters
        ----------
        rows
            The open clips.
        size
            Number of all clips of the cluster.
        """
        known = sorted({speaker for speaker in self._known if speaker})
        enough = len(rows) >= self._settings.min_clips and 2 * len(rows) > size
        if not enough and known:
            return known
        if self._settings.count == "auto" and self._same_settings and known:
            group = self._gather(rows)
            similarities = [similarity(group, self._gather_known(key)) for key in known]
            if max(similarities) >= self._settings.threshold:
                return [known[int(np.argmax(similarities))]]
        return [self._add_speaker()]

    def _follow_splits(self, speakers: list[str], split_rows: Mapping[str, Sequence[int]]) -> None:
        """Give open clips of a speaker to those who were split off from it and are nearer.

        Parameters
        ----------
        speakers
            Speaker of every clip, changed in place.
        split_rows
            The clips that the user splits off, by the new speaker's id.
        """
        split_off = {row for rows in split_rows.values() for row in rows}
        by_origin: dict[str, list[str]] = {}
        for key, rows in split_rows.items():
            for speaker in {speakers[row] for row in rows} & self._previous.speakers.keys():
                by_origin.setdefault(speaker, []).append(key)
        for speaker, keys in by_origin.items():
            rest = [
                row for row, who in enumerate(speakers) if who == speaker and row not in split_off
            ]
            groups = {key: self._gather(split_rows[key]) for key in sorted(keys)}
            kept = [row for row in rest if self._known[row] == speaker]
            if kept:
                groups[speaker] = self._gather(kept)
            nearest = self._choose([row for row in rest if not self._final[row]], groups)
            for row, choice in nearest.items():
                speakers[row] = choice

    def _find_nearest(self, rows: Sequence[int], candidates: Sequence[str]) -> dict[int, str]:
        """Return the nearest of the candidates, by row."""
        if len(candidates) == 1:
            return dict.fromkeys(rows, candidates[0])
        return self._choose(rows, {key: self._gather_known(key) for key in candidates})

    def _choose(self, rows: Sequence[int], groups: Mapping[str, Group]) -> dict[int, str]:
        """Return the group whose centroid has the highest cosine, by row."""
        if not len(rows):
            return {}
        keys = list(groups)
        centroids = np.array([groups[key].total for key in keys])
        centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
        nearest = np.argmax(self._vectors[rows] @ centroids.T, axis=1)
        return {row: keys[at] for row, at in zip(rows, nearest, strict=True)}

    def _gather_known(self, speaker: str) -> Group:
        return self._gather([row for row, known in enumerate(self._known) if known == speaker])

    def _gather(self, rows: Sequence[int]) -> Group:
        return Group(len(rows), self._vectors[rows].sum(axis=0))


def _pair_one_to_one(shared: Mapping[tuple[int, str], int], labelled: set[str]) -> dict[str, int]:
    """Return the cluster of each speaker without label, so that most clips keep their id.

    Parameters
    ----------
    shared
        Number of clips by cluster and known speaker.
    labelled
        Speakers with a label, who are left out.
    """
    speakers = sorted({speaker for _, speaker in shared} - labelled)
    table = np.zeros((len(speakers), 1 + max((cluster for cluster, _ in shared), default=0)))
    for (cluster, speaker), count in shared.items():
        if speaker not in labelled:
            table[speakers.index(speaker), cluster] = count
    rows, clusters = linear_sum_assignment(table, maximize=True)
    return {
        speakers[row]: int(cluster)
        for row, cluster in zip(rows, clusters, strict=True)
        if table[row, cluster]
    }


def _warn_of_spellings(labels: Iterable[str]) -> None:
    """Warn of labels that differ only in case or spaces: they may mean one person."""
    spellings: dict[str, set[str]] = {}
    for label in labels:
        spellings.setdefault(" ".join(label.casefold().split()), set()).add(label)
    for variants in sorted(map(sorted, spellings.values())):
        if len(variants) > 1:
            logger.warning(
                "The speaker labels %s are kept apart; if they are one person, spell them alike",
                ", ".join(map(repr, variants)),
            )
