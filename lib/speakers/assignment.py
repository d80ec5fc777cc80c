"""Assigns a speaker to every clip: clusters, earlier ids, the user's overrides, and the tables."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

from lib.config.speakers import SpeakerSettings
from lib.speakers.clustering import cluster_embeddings
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
from lib.speakers.review import (
    Evidence,
    ReviewSuggestion,
    find_doubts,
    find_review_suggestions,
    rate_confidence,
)
from lib.speakers.second_opinion import cluster_with_opinion
from lib.speakers.shard import Embeddings, SecondOpinion, read_embeddings, read_opinion
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


@dataclass(frozen=True, slots=True)
class Sessions:
    """Which clips were recorded together.

    Attributes
    ----------
    kind
        `session` if the source names them. `folder` and `prefix` are guesses from the names of
        files: they are shown, and decide nothing. None if nothing is known.
    by_clip
        Name of the session by clip.
    """

    kind: str | None = None
    by_clip: Mapping[str, str] = field(default_factory=dict)


def assign_speakers(
    shards: Sequence[Path],
    clips: Mapping[str, str | None],
    settings: SpeakerSettings,
    overrides: Overrides,
    state: Path,
    paths: SpeakerPaths,
    opinion: Path | None = None,
    sessions: Sessions = Sessions(),  # noqa: B008 - frozen
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
    opinion
        The second opinion on these clips, as `hear_clips` writes it; None asks nobody.
    sessions
        Which clips were recorded together.

    Raises
    ------
    ValueError
        If there is no embedding, if `settings.count` does not fit the clips, or if the embeddings
        or the opinion are not those of these clips and settings.
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
    heard = read_opinion(opinion, embeddings) if opinion else None
    clusters = _find_clusters(embeddings, labels, settings, heard)
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
    evidence = _gather_evidence(embeddings, final, ~certain, settings, heard)
    suggestions = _doubt(evidence, embeddings, final, heard, sessions, suggestions) + suggestions
    updated = _update_registry(registry, match, unmerged, embeddings, settings, clips)

    # The record comes first: a run that is killed after it decides the same again.
    save_registry(state, updated)
    there = {key: updated.speakers[key] for key in match.names.keys() - resolved.merged.keys()}
    speakers = count_clips(there, embeddings.vectors, final)
    write_assignments(embeddings, final, confidence, paths.assignments)
    places = project_embeddings(embeddings.vectors)
    write_speaker_map(embeddings.clips, final, places, paths.speaker_map)
    counted = _count_sessions(embeddings.clips, final, sessions)
    write_speakers(speakers, resolved, suggestions, counted, paths.speakers)
    write_centroids(speakers, paths.centroids)
    write_excluded(dict(zip(embeddings.clips, final, strict=True)), resolved, paths.excluded)


def project_embeddings(vectors: np.ndarray) -> np.ndarray:
    """Return the place of every embedding on the plane of largest variance, `(num_clips, 2)`."""
    if len(vectors) < 2:
        return np.zeros((len(vectors), 2))
    # By default the solver depends on the size and may be random: the map would move between runs.
    return PCA(n_components=2, svd_solver="covariance_eigh").fit_transform(vectors)


def _find_clusters(
    embeddings: Embeddings,
    labels: Mapping[str, str],
    settings: SpeakerSettings,
    opinion: SecondOpinion | None,
) -> np.ndarray:
    """Return the cluster of every clip; if the source labels all of them, one for every label."""
    if len(labels) == len(embeddings.clips):
        return np.unique([labels[clip] for clip in embeddings.clips], return_inverse=True)[1]
    if opinion is not None:
        return cluster_with_opinion(embeddings, opinion, settings)
    return cluster_embeddings(embeddings.compared(settings.encoder), embeddings.voiced, settings)


def _gather_evidence(
    embeddings: Embeddings,
    speakers: Sequence[str],
    open_clips: np.ndarray,
    settings: SpeakerSettings,
    opinion: SecondOpinion | None,
) -> Evidence:
    """Return the embeddings that decided, of the clips that were heard.

    Parameters
    ----------
    open_clips
        `(num_clips,) bool`, clips whose speaker neither the source nor the user names.
    """
    if opinion is not None:
        settings = replace(settings, encoder="campplus")
        rows, decisive, parts = opinion.heard, opinion.vectors, opinion.proposed[opinion.heard]
    else:
        rows = np.arange(len(embeddings.clips))
        decisive, parts = embeddings.compared(settings.encoder), np.zeros(len(rows), dtype=int)
    solid = embeddings.voiced[rows] >= settings.least_speech
    return Evidence(
        settings,
        {"resemblyzer": embeddings.vectors[rows], settings.encoder: decisive},
        [embeddings.clips[row] for row in rows],
        [speakers[row] for row in rows],
        parts,
        solid & open_clips[rows],
    )


def _doubt(
    evidence: Evidence,
    embeddings: Embeddings,
    speakers: Sequence[str],
    opinion: SecondOpinion | None,
    sessions: Sessions,
    told: Sequence[ReviewSuggestion],
) -> list[ReviewSuggestion]:
    """Return the doubts about speakers of whom no suggestion tells already."""
    proposed = [0] * len(speakers) if opinion is None else opinion.proposed.tolist()
    members: dict[tuple[str, int], list[str]] = {}
    for clip, speaker, part in zip(embeddings.clips, speakers, proposed, strict=True):
        members.setdefault((speaker, part), []).append(clip)
    named = sessions.by_clip if sessions.kind == "session" else {}
    return find_doubts(evidence, named, members, [frozenset(row.speakers) for row in told])


def _count_sessions(
    clips: Sequence[str], speakers: Sequence[str], sessions: Sessions
) -> dict[str, object]:
    """Return the kind of the sessions, how many there are, and how many each speaker has."""
    found: dict[str, set[str]] = {}
    for clip, speaker in zip(clips, speakers, strict=True):
        if clip in sessions.by_clip:
            found.setdefault(speaker, set()).add(sessions.by_clip[clip])
    return {
        "kind": sessions.kind,
        "count": len(set().union(*found.values())),
        "by_speaker": {speaker: len(own) for speaker, own in sorted(found.items())},
    }


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
