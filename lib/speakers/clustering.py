"""Agglomerative clustering of speaker embeddings: how many clusters there are, and whose clips.

Ward's tree says which clips belong together. `similarity` decides at every fork of the tree whether
the two branches are one cluster or two. The embeddings are those of either encoder.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import AgglomerativeClustering

from lib.config.speakers import SpeakerSettings

logger = logging.getLogger(__name__)

# Two clips of one speaker have a cosine of about 0.8. One clip of such evidence stands beside
# what a group shows itself, or the similarity of two or three clips would be chance.
USUAL_COHESION = 0.8

# Ward's tree needs memory and time by the square of its leaves: 6,000 take seconds and 0.3 GB.
# Beyond that, blocks of clips are first condensed to small bundles of nearly equal vectors.
MAX_LEAVES = 6000
BUNDLE_SIZE = 8

# Where the number of clusters is given: how the similarity threshold is moved to meet it.
HIGHER = np.arange(1, 40) * 0.01
LOWER = np.arange(1, 60) * -0.01

# Finer than speakers: 98.5% of AN4's clips were with a majority of their own speaker's.
PROPOSAL_THRESHOLD = 0.95

# What a new speaker has to show beyond the threshold: see `newcomer_margin`.
NEWCOMER_MARGIN = {"resemblyzer": 0.0, "campplus": 0.1}

# Merging and re-attaching settles in two rounds or three; more would go round in circles.
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Group:
    """A group of clips: how many, and `(dimensions,) float64`, the sum of their embeddings."""

    size: int
    total: np.ndarray

    def __add__(self, other: "Group") -> "Group":
        return Group(self.size + other.size, self.total + other.total)

    @property
    def cohesion(self) -> float:
        """Mean cosine of two different clips; `USUAL_COHESION` counts as one clip more."""
        distinct = (self.total @ self.total - self.size) / self.size
        return max((distinct + USUAL_COHESION) / self.size, 1e-6)


def similarity(one: Group, other: Group) -> float:
    """Return the similarity of two groups: the cosine of their centroids, corrected for noise.

    A centroid of few clips is noisy, and noise lowers the plain cosine: halves of one speaker with
    five clips look as different as two speakers with fifty. The mean cosine across the groups is
    therefore divided by those within them, which count pairs of different clips only. Two groups of
    one speaker give 1, whatever the number of clips.
    """
    across = one.total @ other.total / (one.size * other.size)
    return float(across / np.sqrt(one.cohesion * other.cohesion))


def cluster_embeddings(
    vectors: np.ndarray,
    voiced: np.ndarray,
    settings: SpeakerSettings,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Return the cluster of every clip.

    Parameters
    ----------
    vectors
        `(num_clips, dimensions)`, speaker embeddings, rows of length one.
    voiced
        `(num_clips,)`, seconds of speech.
    settings
        See `SpeakerSettings`.
    weights
        `(num_clips,)`, of how many clips each is an example; None is one.

    Returns
    -------
    numpy.ndarray
        `(num_clips,) int64`, numbers from 0, the cluster with most clips first.

    Raises
    ------
    ValueError
        If `settings.count` is more than the clips, or than the clusters that they can form.
    """
    vectors = vectors.astype(np.float64)
    _check_count(len(vectors), settings)
    if len(vectors) < 2:
        return np.zeros(len(vectors), dtype=np.int64)
    solid = _find_solid(voiced, settings)
    groups = _find_groups(_grow_tree(vectors[solid]), vectors[solid], settings)
    clusters = number_by_size(_find_nearest(vectors, groups))
    if settings.count != "auto":
        return clusters
    weights = np.ones(len(vectors)) if weights is None else weights
    return _join_newcomers(vectors, clusters, solid, weights, settings)


def propose_clusters(
    vectors: np.ndarray, voiced: np.ndarray, settings: SpeakerSettings
) -> np.ndarray:
    """Return clusters as `cluster_embeddings` does, but finer: a speaker may have one a day."""
    vectors = vectors.astype(np.float64)
    if len(vectors) < 2:
        return np.zeros(len(vectors), dtype=np.int64)
    solid = _find_solid(voiced, settings)
    branches = _single_speaker_branches(_grow_tree(vectors[solid]), PROPOSAL_THRESHOLD)
    groups = _drop_tiny(_merge_similar(branches, PROPOSAL_THRESHOLD), settings.min_clips)
    return number_by_size(_find_nearest(vectors, groups))


def newcomer_margin(
    size: float, host: float, rest: float, settings: SpeakerSettings, evidence: int
) -> float:
    """Return how far below the threshold a group's similarity to a host must be not to be its own.

    The more the rest is one speaker, the less likely is another one: as in a Chinese restaurant
    process, with odds of one to the clips of the host. Every clip of the group is evidence against
    these odds, and shares their logarithm. Beside one of many speakers there is next to nothing to
    show; three clips beside a thousand of one have to be very different.

    Parameters
    ----------
    size, host, rest
        Numbers of clips of the group, of the speaker whom it might join, and of all but the group.
    evidence
        Number of clips of the group whose embeddings are known.
    """
    odds = np.log(max(host / size, 1.0)) * host / rest
    return float(NEWCOMER_MARGIN[settings.encoder] * odds / evidence)


def _find_solid(voiced: np.ndarray, settings: SpeakerSettings) -> np.ndarray:
    """Return the rows of the clips with enough speech to be clustered."""
    solid = np.flatnonzero(voiced >= settings.least_speech)
    fewest = settings.min_clips if settings.count == "auto" else max(settings.count, 2)
    if len(solid) >= max(fewest, 2):
        return solid
    logger.info("%d clips have enough speech: all %d are clustered", len(solid), len(voiced))
    return np.arange(len(voiced))


def _find_nearest(vectors: np.ndarray, groups: Sequence[Group]) -> np.ndarray:
    centroids = unit(np.array([group.total for group in groups]))
    return np.argmax(vectors @ centroids.T, axis=1)


def _check_count(num_clips: int, settings: SpeakerSettings) -> None:
    if settings.count != "auto" and settings.count > num_clips:
        raise ValueError(
            f"speakers.count is {settings.count}, but only {num_clips} clips can be clustered: "
            "set it to 'auto' or to the number of speakers in these clips"
        )


@dataclass(frozen=True, slots=True)
class _Tree:
    """Ward's tree: `leaves` first, then one group a merge; `children[i]` made node leaves + i."""

    nodes: list[Group]
    children: np.ndarray

    @property
    def num_leaves(self) -> int:
        return len(self.children) + 1


def _grow_tree(vectors: np.ndarray) -> _Tree:
    leaves = _condense(vectors)
    points = unit(np.array([leaf.total for leaf in leaves]))
    children = _ward(points).children_
    nodes = leaves
    for left, right in children:
        nodes.append(nodes[left] + nodes[right])
    return _Tree(nodes, children)


def _ward(points: np.ndarray, num_clusters: int = 1) -> AgglomerativeClustering:
    return AgglomerativeClustering(
        n_clusters=num_clusters, linkage="ward", compute_full_tree=True
    ).fit(points)


def _condense(vectors: np.ndarray) -> list[Group]:
    """Return one group a clip, or bundles of nearly equal clips where there are too many."""
    if len(vectors) <= MAX_LEAVES:
        return [Group(1, vector) for vector in vectors]
    # Ids are often sorted by speaker. In a random order a block has clips of many speakers, and
    # many clips of each.
    order = np.random.default_rng(0).permutation(len(vectors))
    bundles = []
    for block in np.array_split(order, -(-len(order) // MAX_LEAVES)):
        labels = _ward(vectors[block], len(block) // BUNDLE_SIZE).labels_
        for label in range(labels.max() + 1):
            rows = block[labels == label]
            bundles.append(Group(len(rows), vectors[rows].sum(axis=0)))
    return bundles


def _find_groups(tree: _Tree, vectors: np.ndarray, settings: SpeakerSettings) -> list[Group]:
    """Return one group a cluster; for a given count the similarity threshold is moved."""
    threshold = settings.threshold
    groups = _settle(tree, vectors, threshold, settings.min_clips)
    if settings.count == "auto" or len(groups) == settings.count:
        return groups
    too_many = len(groups) > settings.count
    # Too many groups can be merged, too few cannot be divided: keep the fewest above the count.
    nearest = groups if too_many else None
    for moved in (threshold + (LOWER if too_many else HIGHER)).tolist():
        groups = _settle(tree, vectors, moved, settings.min_clips)
        if len(groups) >= settings.count and (nearest is None or len(groups) < len(nearest)):
            nearest = groups
        if len(groups) == settings.count or (len(groups) > settings.count) != too_many:
            break
    if nearest is None:
        raise ValueError(
            f"speakers.count is {settings.count}, but the clips do not fall into as many groups "
            f"of {settings.min_clips} clips and more (speakers.min_clips): lower one of the two"
        )
    return _merge_similar(nearest, -np.inf, settings.count)


def _single_speaker_branches(tree: _Tree, threshold: float) -> list[Group]:
    """Cut the tree into the largest branches whose every fork joins one speaker's clips."""
    whole = [True] * tree.num_leaves
    for left, right in tree.children:
        similar = similarity(tree.nodes[left], tree.nodes[right]) >= threshold
        whole.append(whole[left] and whole[right] and similar)
    branches, todo = [], [len(tree.nodes) - 1]
    while todo:
        node = todo.pop()
        if whole[node]:
            branches.append(tree.nodes[node])
        else:
            todo.extend(tree.children[node - tree.num_leaves])
    return branches


def _settle(tree: _Tree, vectors: np.ndarray, threshold: float, min_clips: int) -> list[Group]:
    """Cut the tree, merge groups that are one speaker, and move clips to the nearest group."""
    groups = _single_speaker_branches(tree, threshold)
    for _ in range(ROUNDS):
        groups = _drop_tiny(_merge_similar(groups, threshold), min_clips)
        nearest = _find_nearest(vectors, groups)
        members = [np.flatnonzero(nearest == number) for number in range(len(groups))]
        groups = [Group(len(rows), vectors[rows].sum(axis=0)) for rows in members if len(rows)]
    return _drop_tiny(groups, min_clips)


def _join_newcomers(
    vectors: np.ndarray,
    clusters: np.ndarray,
    solid: np.ndarray,
    weights: np.ndarray,
    settings: SpeakerSettings,
) -> np.ndarray:
    """Join clusters that show too little to be speakers, by `solid` clips if there are any."""

    def gather(number: int) -> Group:
        own = np.flatnonzero(clusters == number)
        rows = np.intersect1d(own, solid) if np.isin(own, solid).any() else own
        return Group(len(rows), vectors[rows].sum(axis=0))

    for number in np.argsort(np.bincount(clusters, weights), kind="stable"):
        others = np.setdiff1d(clusters, number)
        if not len(others):
            break
        groups = [gather(key) for key in (number, *others)]
        similarities = similarity_table(groups)[0, 1:]
        sizes = np.bincount(clusters, weights)
        size, rest, evidence = sizes[number], sizes[others].sum(), groups[0].size
        margins = [newcomer_margin(size, sizes[key], rest, settings, evidence) for key in others]
        surplus = similarities - settings.threshold + margins
        if surplus.max() >= 0:
            clusters = np.where(clusters == number, others[surplus.argmax()], clusters)
    return number_by_size(clusters)


def _merge_similar(groups: list[Group], threshold: float, fewest: int = 1) -> list[Group]:
    """Merge the two most similar groups, until none reach the threshold or `fewest` are left."""
    groups = list(groups)
    scaled = np.array([_scale(group) for group in groups])
    table = similarity_table(groups)
    for _ in range(len(groups) - fewest):
        one, other = np.unravel_index(np.argmax(table), table.shape)
        if table[one, other] < threshold:
            break
        groups[one], groups[other] = groups[one] + groups[other], None
        scaled[one] = _scale(groups[one])
        row = scaled @ scaled[one]
        row[[number for number, group in enumerate(groups) if group is None]] = -np.inf
        row[one] = -np.inf
        table[one, :] = table[:, one] = row
        table[other, :] = table[:, other] = -np.inf
    return [group for group in groups if group is not None]


def similarity_table(groups: Sequence[Group]) -> np.ndarray:
    """Return `similarity` of every two groups, `(num_groups, num_groups)`; -inf with themselves."""
    scaled = np.array([_scale(group) for group in groups])
    table = scaled @ scaled.T
    np.fill_diagonal(table, -np.inf)
    return table


def _scale(group: Group) -> np.ndarray:
    """Return the group's total so that the product of two is their `similarity`."""
    return group.total / (group.size * np.sqrt(group.cohesion))


def _drop_tiny(groups: list[Group], min_clips: int) -> list[Group]:
    """Leave out groups of less than `min_clips`; if all are that small, return one of them all."""
    kept = [group for group in groups if group.size >= min_clips]
    if kept:
        return kept
    logger.warning("no cluster has %d clips: all clips are taken for one speaker", min_clips)
    whole = groups[0]
    for group in groups[1:]:
        whole = whole + group
    return [whole]


def number_by_size(labels: np.ndarray) -> np.ndarray:
    """Renumber from 0, most clips first; of equal sizes the one whose first clip is earlier."""
    values, first, counts = np.unique(labels, return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))
    numbers = np.empty(values.max() + 1, dtype=np.int64)
    numbers[values[order]] = np.arange(len(values))
    return numbers[labels]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to length one."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
