"""The second opinion: who is heard, what is kept, and what it makes of the proposed clusters."""

import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from lib.audio.wav import write_wav
from lib.config.speakers import SpeakerSettings
from lib.speakers import second_opinion
from lib.speakers.second_opinion import (
    MAX_HEARD,
    MIN_HEARD,
    _choose_more,
    cluster_with_opinion,
    form_opinion,
    hear_clips,
    order_clips,
)
from lib.speakers.shard import (
    Embeddings,
    SecondOpinion,
    read_heard,
    read_opinion,
    write_opinion,
    write_shard,
)

DEFAULTS = SpeakerSettings()


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


class Corpus:
    """Clips with a voice by resemblyzer, and another by CAM++."""

    def __init__(self, voices, parts, seed=0):
        """Make clips of (voice by resemblyzer, voice by CAM++, number of clips)."""
        random = np.random.default_rng(seed)
        people = random.normal(size=(8, 192))
        firsts, seconds, truth = [], [], []
        for first, second, count in parts:
            firsts.append(voices.speak(first, count))
            seconds.append(unit(people[second] + 0.6 * random.normal(size=(count, 192))))
            truth += [second] * count
        self.truth = np.array(truth)
        self.second = np.concatenate(seconds).astype(np.float32)
        clips = [f"c{number:04d}" for number in range(len(truth))]
        self.embeddings = Embeddings(
            clips,
            [f"d{clip}" for clip in clips],
            np.concatenate(firsts).astype(np.float32),
            np.full(len(clips), 3.0),
            [None] * len(clips),
        )
        self.heard = []

    def hear(self, names):
        self.heard += names
        return {name: self.second[int(name[1:])] for name in names}

    def cluster(self, settings=DEFAULTS):
        self.opinion = form_opinion(self.embeddings, settings, self.hear)
        return cluster_with_opinion(self.embeddings, self.opinion, settings)


def test_one_person_on_two_days_is_one_speaker(voices):
    corpus = Corpus(voices, [(0, 0, 30), (1, 0, 40), (2, 1, 20)])
    found = corpus.cluster()
    assert corpus.opinion.proposed.max() + 1 == 3
    assert adjusted_rand_score(corpus.truth, found) == 1 and found.max() + 1 == 2
    assert np.bincount(found).tolist() == [70, 20]


def test_some_clips_of_each_proposed_cluster_are_heard(voices):
    corpus = Corpus(voices, [(0, 0, 100), (1, 1, 5)])
    corpus.cluster()
    heard = corpus.opinion.proposed[corpus.opinion.heard]
    assert sorted(np.bincount(heard)) == [5, MIN_HEARD]


def test_two_people_in_one_proposed_cluster_are_heard_more_and_told_apart(voices):
    corpus = Corpus(voices, [(0, 0, 60), (0, 1, 60), (1, 2, 60)])
    found = corpus.cluster()
    assert corpus.opinion.proposed.max() + 1 == 2
    heard = np.bincount(corpus.opinion.proposed[corpus.opinion.heard])
    assert sorted(heard) == [MIN_HEARD, 120]
    assert adjusted_rand_score(corpus.truth, found) == 1


def test_clips_that_are_not_heard_follow_the_heard_ones_most_like_them(voices, monkeypatch):
    monkeypatch.setattr(second_opinion, "MAX_HEARD", 20)
    corpus = Corpus(voices, [(0, 0, 50), (1, 0, 50), (2, 1, 50)])
    assert adjusted_rand_score(corpus.truth, corpus.cluster()) == 1


def test_a_few_clips_of_another_speaker_do_not_divide_a_proposed_cluster():
    """By hand: 10 clips are heard of 20, one of them is of another cluster."""
    vectors = np.zeros((20, 256), np.float32)
    vectors[:, 0] = 1
    rest = np.arange(10, 20)
    clusters = np.array([0] * 9 + [1])
    found = second_opinion._follow(vectors, np.arange(10), clusters, rest, DEFAULTS)
    assert found.tolist() == [0] * 10
    vectors[6:10, 1] = vectors[15:, 1] = 2
    clusters = np.array([0] * 6 + [1] * 4)
    found = second_opinion._follow(vectors, np.arange(10), clusters, rest, DEFAULTS)
    assert found.tolist() == [0] * 5 + [1] * 5


def test_both_encoders_decide_on_a_heard_clip():
    """By hand: CAM++ finds clip 2 a little nearer to cluster 1, resemblyzer much nearer to 0."""
    second = unit(np.array([[1, 0], [1, 0], [0.6, 0.62], [0, 1], [0, 1]], float))
    first = unit(np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1]], float))
    clusters = np.array([0, 0, 1, 1, 1])
    assert second_opinion._assign_by_both((second, first), clusters).tolist() == [0, 0, 0, 1, 1]


def test_a_given_count_is_kept(voices):
    corpus = Corpus(voices, [(0, 0, 20), (1, 0, 20), (2, 1, 20), (3, 2, 20)])
    found = corpus.cluster(SpeakerSettings(count=2))
    assert found.max() + 1 == 2


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_few_clips(voices, count):
    corpus = Corpus(voices, [(0, 0, 3)])
    cut = Embeddings(
        corpus.embeddings.clips[:count],
        corpus.embeddings.digests[:count],
        corpus.embeddings.vectors[:count],
        corpus.embeddings.voiced[:count],
        [None] * count,
    )
    opinion = form_opinion(cut, DEFAULTS, corpus.hear)
    assert len(opinion.heard) == len(opinion.vectors) == count
    if count:
        assert cluster_with_opinion(cut, opinion, DEFAULTS).tolist() == [0] * count


def test_clips_unlike_the_rest_and_any_others_take_turns(voices):
    corpus = Corpus(voices, [(0, 0, 40), (1, 0, 3)])
    proposed = np.zeros(43, dtype=np.int64)
    (queue,) = order_clips(corpus.embeddings, proposed, DEFAULTS)
    assert sorted(queue) == list(range(43))
    assert {40, 41, 42} <= set(queue[:6])
    corpus.embeddings.voiced[40:] = 0.3
    (queue,) = order_clips(corpus.embeddings, proposed, DEFAULTS)
    assert set(queue[-3:]) == {40, 41, 42}


def test_clips_that_are_added_change_little_of_who_is_heard(voices):
    corpus = Corpus(voices, [(0, 0, 200)])
    rows = types.SimpleNamespace(
        clips=corpus.embeddings.clips[:190],
        vectors=corpus.embeddings.vectors[:190],
        voiced=corpus.embeddings.voiced[:190],
    )
    before = order_clips(rows, np.zeros(190, dtype=int), DEFAULTS)[0][:MIN_HEARD]
    after = order_clips(corpus.embeddings, np.zeros(200, dtype=int), DEFAULTS)[0][:MIN_HEARD]
    assert len(set(before) - set(after)) <= 4


@given(st.lists(st.integers(1, 900), min_size=1, max_size=60), st.data())
def test_as_many_as_allowed_are_heard_of_the_divided_clusters(sizes, data):
    divided = data.draw(st.lists(st.integers(0, len(sizes) - 1), min_size=1, unique=True))
    counts = [len(rows) for rows in _choose_more([range(size) for size in sizes], divided)]
    least = [min(size, MIN_HEARD) for size in sizes]
    for number, (count, size) in enumerate(zip(counts, sizes, strict=True)):
        assert least[number] <= count <= size
        assert number in divided or count == least[number]
    assert sum(counts) <= max(MAX_HEARD, sum(least))
    if all(counts[number] == sizes[number] for number in divided):
        return
    # One clip more of each would be too many.
    more = sum(min(sizes[n], max(counts[d] for d in divided) + 1) - counts[n] for n in divided)
    assert sum(counts) + more > MAX_HEARD


# On disk -----------------------------------------------------------------------------------------


class Ear:
    """Stands in for the encoder: it counts clips, and a clip's first sample is its embedding."""

    count = 0

    def __init__(self, device=None):
        pass

    def embed(self, clips):
        Ear.count += len(clips)
        return unit(np.array([np.full(192, 1.0) + clip[0] * np.eye(192)[0] for clip in clips]))


@pytest.fixture
def folder(voices, tmp_path, monkeypatch):
    monkeypatch.setattr(second_opinion, "CampPlusEncoder", Ear)
    monkeypatch.setattr(
        second_opinion, "find_speech", lambda samples, rate: (samples / np.float32(32768), 0)
    )
    Ear.count = 0
    names = [f"c{number:02d}" for number in range(40)]
    for number, name in enumerate(names):
        write_wav(tmp_path / f"{name}.wav", np.full(8000, number + 1, np.int16), 16000)
    write_shard(tmp_path / "shard", voices.embed(0, names))
    return tmp_path


def hear(folder, **more):
    hear_clips([folder / "shard"], folder, folder / "opinion", DEFAULTS, code="1", **more)
    return Ear.count


def test_what_was_heard_is_kept(folder, voices, caplog):
    assert hear(folder) == MIN_HEARD
    assert hear(folder) == MIN_HEARD
    rows = voices.embed(0, [f"c{number:02d}" for number in range(40)], digest="changed")
    write_shard(folder / "shard", rows)
    assert hear(folder) == 2 * MIN_HEARD
    hear_clips([folder / "shard"], folder, folder / "opinion", DEFAULTS, code="2")
    assert Ear.count == 3 * MIN_HEARD
    (folder / "opinion").write_bytes(b"damaged")
    assert hear(folder) == 4 * MIN_HEARD
    assert "earlier embeddings are not used" in caplog.text


def test_an_opinion_is_read_as_it_was_written(voices, tmp_path):
    corpus = Corpus(voices, [(0, 0, 30), (1, 0, 40)])
    corpus.cluster()
    write_opinion(tmp_path / "opinion", corpus.embeddings, corpus.opinion, "made so")
    read = read_opinion(tmp_path / "opinion", corpus.embeddings)
    for name in ("proposed", "heard", "vectors"):
        assert np.array_equal(getattr(read, name), getattr(corpus.opinion, name))
    known = read_heard(tmp_path / "opinion", "made so")
    assert known.keys() == {corpus.embeddings.clips[row] for row in corpus.opinion.heard}
    assert read_heard(tmp_path / "opinion", "made otherwise") == {}
    assert read_heard(tmp_path / "none", "made so") == {}


def test_an_opinion_on_other_clips_is_refused(voices, tmp_path):
    corpus, other = (Corpus(voices, [(0, 0, count)]) for count in (30, 31))
    corpus.cluster()
    write_opinion(tmp_path / "opinion", corpus.embeddings, corpus.opinion, "")
    with pytest.raises(ValueError, match="an opinion on 30 other clips, expected the 31"):
        read_opinion(tmp_path / "opinion", other.embeddings)
    (tmp_path / "opinion").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="not a readable parquet file"):
        read_opinion(tmp_path / "opinion", corpus.embeddings)


def test_an_opinion_without_clips_is_written_and_read(tmp_path):
    nothing = Embeddings([], [], np.zeros((0, 256), np.float32), np.zeros(0), [])
    opinion = SecondOpinion(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 192)))
    write_opinion(tmp_path / "opinion", nothing, opinion, "")
    assert len(read_opinion(tmp_path / "opinion", nothing).heard) == 0
