"""Assigns a speaker to every clip: clusters, earlier ids, the user's overrides, and the tables."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.config.speakers import SpeakerSettings
from lib.speakers.clustering import cluster_embeddings, project_embeddings
from lib.speakers.matching import Match, SpeakerMatcher
from lib.speakers.overrides import Overrides, resolve_clips, resolve_overrides
from lib.speakers.registry import (
    Decision,
    Registry,
    Speaker,
    drop_abandoned_splits,
    load_registry,
    save_registry,
)
from lib.speakers.review import find_review_suggestions, rate_confidence
from lib.speakers.shard import Embeddings, read_embeddings
from lib.speakers.tables import (
    count_clips,
    find_centroid,
    group_rows,
    write_assignments,
    write_centroids,
    write_excluded,
    write_speaker_map,
    write_speakers,
)


@dataclass(frozen=True, slots=True)
class SpeakerPaths:
    """The files that `assign_speakers` writes.

    Attributes
    ----------
    assignments
        Table: clip, speaker_id, confidence, intra_clip_similarity.
    centroids
        Parquet: speaker_id, clips, vector.
    speakers
        JSON: every speaker's name, label, number of clips and centroid, who is merged and excluded,
        and the review suggestions.
    speaker_map
        Table: clip, speaker_id and its place x, y on a plane.
    excluded
        Table: clips that the user excludes, and by which line.
    """

    assignments: Path
    centroids: Path
    speakers: Path
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
    """Assign a speaker to every clip with an embedding, and keep what was assigned before.

    Parameters
    ----------
    shards
        Speaker embeddings, as `embed_clips` writes them.
    clips
        All clips of the source, with its own speaker label or None. Labels stand; clips without
        one may join these speakers.
    settings
        See `SpeakerSettings`. When they change, clips are clustered anew, and a cluster keeps the
        id with which it shares most clips.
    overrides
        The user's overrides. They win over labels and clustering and leave no trace in the record:
        a line that is taken out brings back what was before.
    state
        Durable record of ids and decisions, updated.
    paths
        Files to write.

    Raises
    ------
    ValueError
        If there is no embedding, or `settings.count` does not fit the clips.
    OverridesError
        If the overrides do not fit the clips and speakers that there are.
    RegistryError
        If the record is damaged.
    """
    embeddings = read_embeddings(shards)
    if not embeddings.clips:
        raise ValueError(
            f"no clip has a speaker embedding ({len(shards)} shards were read): all clips were "
            "rejected during conversion; see the table of rejected clips for the reasons"
        )
    labels = {clip: label for clip in embeddings.clips if (label := clips.get(clip))}
    registry = load_registry(state)
    previous = drop_abandoned_splits(registry, overrides.split)
    clusters = _find_clusters(embeddings, labels, settings)
    matcher = SpeakerMatcher(embeddings, clusters, labels, previous, settings)
    match = matcher.match(resolve_clips(overrides, clips).split)
    resolved = resolve_overrides(overrides, clips, set(labels.values()), match.names)

    unmerged = [
        resolved.assigned.get(clip, speaker)
        for clip, speaker in zip(embeddings.clips, match.speakers, strict=True)
    ]
    final = [resolved.merged.get(speaker, speaker) for speaker in unmerged]
    certain = np.array([clip in labels or clip in resolved.assigned for clip in embeddings.clips])
    confidence = rate_confidence(embeddings.vectors, final, certain)
    suggestions = find_review_suggestions(
        embeddings.clips, unmerged, clusters, settings.min_clips, resolved.assigned, resolved.merged
    )
    updated = _update_registry(registry, match, unmerged, embeddings, settings, clips)

    # The record comes first: a run that is killed after it decides the same again.
    save_registry(state, updated)
    there = {key: updated.speakers[key] for key in match.names.keys() - resolved.merged.keys()}
    speakers = count_clips(there, embeddings.vectors, final)
    write_assignments(embeddings, final, confidence, paths.assignments)
    places = project_embeddings(embeddings.vectors)
    write_speaker_map(embeddings.clips, final, places, paths.speaker_map)
    write_speakers(speakers, resolved, suggestions, paths.speakers)
    write_centroids(speakers, paths.centroids)
    write_excluded(dict(zip(embeddings.clips, final, strict=True)), resolved, paths.excluded)


def _find_clusters(
    embeddings: Embeddings, labels: Mapping[str, str], settings: SpeakerSettings
) -> np.ndarray:
    """Return the cluster of every clip; if the source labels all of them, one for every label."""
    if len(labels) < len(embeddings.clips):
        return cluster_embeddings(embeddings.vectors, embeddings.voiced, settings)
    return np.unique([labels[clip] for clip in embeddings.clips], return_inverse=True)[1]


def _update_registry(
    registry: Registry,
    match: Match,
    unmerged: Sequence[str],
    embeddings: Embeddings,
    settings: SpeakerSettings,
    clips: Collection[str],
) -> Registry:
    """Return the record with the decisions of this run.

    The decisions are those of the match, so that overrides leave no trace. Numbers of clips and
    centroids are those with manual assignments. Clips that are gone from the source leave the
    record. A clip of the source that has no embedding this time, as it was rejected, keeps the
    decision that it had.

    Parameters
    ----------
    unmerged
        Speaker of every clip with manual assignments, before merging.
    clips
        Ids of all clips of the source.
    """
    labels = {key: label for label, key in match.label_ids.items()}
    split_names = {key: name for name, key in match.split_ids.items()}
    rows, found_rows = group_rows(unmerged), group_rows(match.speakers)
    speakers = dict(registry.speakers)
    for key in sorted({*match.speakers, *unmerged, *speakers}):
        old = speakers.get(key)
        own = rows.get(key) or found_rows.get(key)
        speakers[key] = Speaker(
            match.names.get(key) or old.name,
            labels.get(key),
            len(rows.get(key, ())),
            find_centroid(embeddings.vectors[own]) if own else old.centroid,
            split_names.get(key) or (old.split_name if old else None),
        )
    kept = {clip: row for clip, row in registry.decisions.items() if clip in clips}
    decisions = map(Decision, match.speakers, embeddings.digests)
    return Registry(
        next_number=match.next_number,
        settings=settings.describe_clustering(),
        speakers=speakers,
        decisions=kept | dict(zip(embeddings.clips, decisions, strict=True)),
    )
