"""The second opinion: CAM++ hears some clips of each proposed cluster, and decides who is one.

Resemblyzer's embeddings of all clips are cheap, and divide them into proposed clusters that are
finer than speakers: the same person on another day is another cluster. CAM++ takes six times as
long and tells people apart across days. It therefore hears a bounded number of clips, and what it
finds is spread over the proposed clusters.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lib.audio.wav import read_wav
from lib.config.speakers import SpeakerSettings
from lib.speakers.campplus import CampPlusEncoder, choose_samples, describe_campplus
from lib.speakers.clustering import (
    cluster_embeddings,
    number_by_size,
    propose_clusters,
    unit,
)
from lib.speakers.embedding import find_speech
from lib.speakers.shard import (
    CAMPPLUS_DIMENSIONS,
    Embeddings,
    SecondOpinion,
    read_embeddings,
    read_heard,
    write_opinion,
)

logger = logging.getLogger(__name__)

# Clips of each proposed cluster that are heard.
MIN_HEARD = 16
# Clips that are heard in all, where those of a proposed cluster turn out to be several speakers and
# more of it are heard. A clip takes 0.1 s on two cores.
MAX_HEARD = 600

# The heard clips of a proposed cluster that are another speaker than most of them divide it if they
# are this share; fewer are errors.
DIVIDING_SHARE = 0.2


def hear_clips(
    shards: Sequence[Path],
    clips: Path,
    output: Path,
    settings: SpeakerSettings,
    *,
    sample_rate: int = 16000,
    threads: int = 1,
    device: str | None = None,
    code: str = "",
) -> None:
    """Propose clusters, and write CAM++ embeddings of some clips of each into `output`.

    Parameters
    ----------
    shards
        Speaker embeddings, as `embed_clips` writes them.
    clips
        Folder of the converted clips, `{clip}.wav`.
    output
        Parquet file to write. If it exists, embeddings of clips whose bytes did not change are
        kept, if they were computed with the same code and encoder.
    sample_rate
        Of the WAV files, in Hz.
    threads
        CPU threads for the encoder.
    device
        `cpu` or `cuda`; None takes a GPU where torch sees one.
    code
        Digest of the code that computes embeddings.

    Raises
    ------
    EncoderError
        If CAM++ is not installed.
    """
    embeddings = read_embeddings(shards)
    made_with = f"{describe_campplus()}, {sample_rate} Hz, {code}"
    digests = dict(zip(embeddings.clips, embeddings.digests, strict=True))
    known = read_heard(output, made_with)
    vectors = {
        clip: vector for clip, (digest, vector) in known.items() if digests.get(clip) == digest
    }
    listener = _Listener(clips, sample_rate, threads, device, vectors)
    opinion = form_opinion(embeddings, settings, listener.hear)
    write_opinion(output, embeddings, opinion, made_with)
    logger.info(
        "%d of %d clips are heard by CAM++, %d of them now",
        len(opinion.heard),
        len(embeddings.clips),
        listener.num_heard,
    )


def form_opinion(
    embeddings: Embeddings,
    settings: SpeakerSettings,
    hear: Callable[[Sequence[str]], Mapping[str, np.ndarray]],
) -> SecondOpinion:
    """Propose clusters, and have some clips of each heard; more of those with several speakers.

    Parameters
    ----------
    hear
        Returns the embeddings of clips, by clip. It may be asked for a clip more than once.
    """
    proposed = propose_clusters(embeddings.vectors, embeddings.voiced, settings)
    if not embeddings.clips:
        return _hear(embeddings, proposed, [], hear)
    queues = order_clips(embeddings, proposed, settings)
    opinion = _hear(embeddings, proposed, [queue[:MIN_HEARD] for queue in queues], hear)
    divided = _find_divided(embeddings, opinion, settings)
    if divided:
        opinion = _hear(embeddings, proposed, _choose_more(queues, divided), hear)
    logger.info(
        "%d proposed clusters, of which %d have several speakers", len(queues), len(divided)
    )
    return opinion


def _hear(
    embeddings: Embeddings,
    proposed: np.ndarray,
    chosen: Sequence[Sequence[int]],
    hear: Callable[[Sequence[str]], Mapping[str, np.ndarray]],
) -> SecondOpinion:
    heard = np.array(sorted(row for rows in chosen for row in rows), dtype=np.int64)
    names = [embeddings.clips[row] for row in heard]
    vectors = hear(names)
    found = np.array([vectors[name] for name in names], dtype=np.float32)
    return SecondOpinion(proposed, heard, found.reshape(-1, CAMPPLUS_DIMENSIONS))


def order_clips(
    embeddings: Embeddings, proposed: np.ndarray, settings: SpeakerSettings
) -> list[list[int]]:
    """Return the rows of every proposed cluster, those to hear first.

    Two orders take turns. One looks random and is that of the ids, so that clips that are added
    change little; clips with too little speech come last. The other begins with the clips that are
    least like the cluster: if it holds some clips of somebody else, these are among them.
    """

    def rank(row: int) -> tuple[bool, bytes]:
        chance = hashlib.blake2b(embeddings.clips[row].encode(), digest_size=8).digest()
        return bool(embeddings.voiced[row] < settings.min_speech), chance

    queues = []
    for cluster in range(proposed.max() + 1):
        rows = np.flatnonzero(proposed == cluster)
        cosines = embeddings.vectors[rows] @ embeddings.vectors[rows].sum(axis=0)
        solid = embeddings.voiced[rows] >= settings.min_speech
        unlike = rows[np.lexsort((cosines, ~solid))].tolist()
        turns = zip(sorted(rows.tolist(), key=rank), unlike, strict=True)
        queues.append(list(dict.fromkeys(row for turn in turns for row in turn)))
    return queues


def _find_divided(
    embeddings: Embeddings, opinion: SecondOpinion, settings: SpeakerSettings
) -> list[int]:
    """Return the proposed clusters whose heard clips are not all of one speaker."""
    found = _cluster_heard(embeddings, opinion, settings)
    proposed = opinion.proposed[opinion.heard]
    return [part for part in np.unique(proposed).tolist() if np.ptp(found[proposed == part])]


def _choose_more(queues: Sequence[Sequence[int]], divided: Sequence[int]) -> list[Sequence[int]]:
    """Return the rows to hear of every cluster, more of the divided ones up to `MAX_HEARD`."""
    sizes = np.array([len(queue) for queue in queues])
    most = np.minimum(sizes, MIN_HEARD)
    counts = most
    while (counts < sizes)[divided].any() and counts.sum() < MAX_HEARD:
        most = counts
        counts = counts.copy()
        counts[divided] = np.minimum(sizes[divided], counts[divided].max() + 1)
    chosen = counts if counts.sum() <= MAX_HEARD else most
    return [queue[:count] for queue, count in zip(queues, chosen, strict=True)]


class _Listener:
    """Embeds clips, and keeps what is known of them.

    Attributes
    ----------
    num_heard
        Number of clips that had to be embedded.
    """

    def __init__(
        self,
        clips: Path,
        sample_rate: int,
        threads: int,
        device: str | None,
        known: Mapping[str, np.ndarray],
    ) -> None:
        self.num_heard = 0
        self._clips, self._sample_rate = clips, sample_rate
        self._threads, self._device = threads, device
        self._known = dict(known)
        self._encoder: CampPlusEncoder | None = None

    def hear(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the embeddings of clips, by clip."""
        new = [name for name in names if name not in self._known]
        if new:
            self._known |= self._embed(new)
            self.num_heard += len(new)
        return {name: self._known[name] for name in names}

    def _embed(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        import torch

        torch.set_num_threads(self._threads)
        self._encoder = self._encoder or CampPlusEncoder(self._device)
        chosen = []
        for name in names:
            samples = read_wav(self._clips / f"{name}.wav")
            speech, _ = find_speech(samples, self._sample_rate)
            chosen.append(choose_samples(samples, self._sample_rate, speech))
        return dict(zip(names, self._encoder.embed(chosen), strict=True))


def cluster_with_opinion(
    embeddings: Embeddings, opinion: SecondOpinion, settings: SpeakerSettings
) -> np.ndarray:
    """Return the cluster of every clip, `(num_clips,) int64`, as `cluster_embeddings` does.

    The heard clips are clustered by CAM++, and each is given to the cluster to which the sum of
    both encoders' cosines is highest. The other clips follow those of their proposed cluster.
    """
    clusters = np.full(len(embeddings.clips), -1, dtype=np.int64)
    clusters[opinion.heard] = _cluster_heard(embeddings, opinion, settings)
    for proposed in range(opinion.proposed.max() + 1):
        rows = np.flatnonzero(opinion.proposed == proposed)
        known, rest = rows[clusters[rows] >= 0], rows[clusters[rows] < 0]
        if len(rest):
            clusters[rest] = _follow(embeddings.vectors, known, clusters[known], rest, settings)
    return number_by_size(clusters)


def _cluster_heard(
    embeddings: Embeddings, opinion: SecondOpinion, settings: SpeakerSettings
) -> np.ndarray:
    """Return the cluster of the clips that were heard, `(num_heard,) int64`."""
    second = replace(settings, encoder="campplus")
    parts = opinion.proposed[opinion.heard]
    weights = np.bincount(opinion.proposed) / np.maximum(np.bincount(parts), 1)
    voiced = embeddings.voiced[opinion.heard]
    found = cluster_embeddings(opinion.vectors, voiced, second, weights[parts])
    return _assign_by_both((embeddings.vectors[opinion.heard], opinion.vectors), found)


def _assign_by_both(vectors: Sequence[np.ndarray], clusters: np.ndarray) -> np.ndarray:
    """Return the cluster of every clip to which the sum of the encoders' cosines is highest."""
    total = np.zeros((len(clusters), clusters.max() + 1))
    for own in vectors:
        centroids = [own[clusters == number].sum(axis=0) for number in range(total.shape[1])]
        total += own @ unit(np.array(centroids)).T
    return np.argmax(total, axis=1)


def _follow(
    vectors: np.ndarray,
    known: np.ndarray,
    clusters: np.ndarray,
    rest: np.ndarray,
    settings: SpeakerSettings,
) -> np.ndarray:
    """Return the cluster of the clips of one proposed cluster that were not heard.

    Parameters
    ----------
    known, clusters
        Rows of those that were heard, and their clusters.
    rest
        Rows of the others.
    """
    values, counts = np.unique(clusters, return_counts=True)
    enough = counts >= max(settings.min_clips, DIVIDING_SHARE * len(known))
    kept = values[enough] if enough.any() else values[[np.argmax(counts)]]
    centroids = [vectors[known[clusters == value]].sum(axis=0) for value in kept]
    return kept[np.argmax(vectors[rest] @ unit(np.array(centroids)).T, axis=1)]
