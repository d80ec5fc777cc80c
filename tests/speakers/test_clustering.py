import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from lib.config.speakers import SpeakerSettings
from lib.speakers import clustering
from lib.speakers.clustering import (
    Group,
    cluster_embeddings,
    newcomer_margin,
    propose_clusters,
    similarity,
    similarity_table,
)

DEFAULTS = SpeakerSettings()


def talk(voices, sizes):
    vectors = np.concatenate([voices.speak(v, size) for v, size in enumerate(sizes)])
    return vectors, np.repeat(np.arange(len(sizes)), sizes), np.full(len(vectors), 3.0)


def group(vectors):
    return Group(len(vectors), vectors.sum(axis=0))


@pytest.mark.parametrize("sizes", [[12], [4, 9], [30, 3, 8], [5] * 8, [3, 200]])
def test_speakers_are_found(voices, sizes):
    vectors, truth, voiced = talk(voices, sizes)
    found = cluster_embeddings(vectors, voiced, DEFAULTS)
    assert adjusted_rand_score(truth, found) == 1
    assert found.max() + 1 == len(sizes)


def test_the_cluster_with_most_clips_comes_first(voices):
    vectors, truth, voiced = talk(voices, [4, 9, 6])
    found = cluster_embeddings(vectors, voiced, DEFAULTS)
    assert [found[truth == voice][0] for voice in range(3)] == [2, 0, 1]


@pytest.mark.parametrize(("one", "other"), [(2, 2), (4, 40), (200, 3)])
def test_similarity_does_not_depend_on_the_number_of_clips(one, other):
    # By hand: clips of one voice are that voice (0.8 of the square) and noise (0.2), so that two
    # have a cosine of 0.8; the voices have one of 0.7.
    random = np.random.default_rng(3)
    dimensions = 4000
    first = np.zeros(dimensions)
    first[0] = 1
    second = np.zeros(dimensions)
    second[:2] = 0.7, np.sqrt(1 - 0.49)

    def speak(centre, count):
        noise = random.normal(size=(count, dimensions)) / np.sqrt(dimensions)
        vectors = np.sqrt(0.8) * centre + np.sqrt(0.2) * noise
        return group(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    assert similarity(speak(first, one), speak(second, other)) == pytest.approx(0.7, abs=0.03)
    assert similarity(speak(first, one), speak(first, other)) == pytest.approx(1.0, abs=0.03)


def test_similarity_by_hand():
    # Two clips at right angles have cohesion (0 + 0.8) / 2, a single clip 0.8.
    one = group(np.array([[1.0, 0.0], [0.0, 1.0]]))
    other = group(np.array([[1.0, 0.0]]))
    assert similarity(one, other) == pytest.approx(0.5 / np.sqrt(0.4 * 0.8))


def test_tables_and_single_similarities_agree(voices):
    groups = [group(voices.speak(v, v + 1)) for v in range(5)]
    table = similarity_table(groups)
    for one in range(5):
        for other in range(one):
            assert table[one, other] == pytest.approx(similarity(groups[one], groups[other]))


def test_an_outlier_clip_joins_the_nearest_cluster(voices):
    vectors, _, voiced = talk(voices, [10, 10])
    outlier = voices.centres[0] + 0.9 * voices.centres[5]
    vectors = np.concatenate([vectors, [outlier / np.linalg.norm(outlier)]])
    found = cluster_embeddings(vectors, np.append(voiced, 3.0), DEFAULTS)
    assert found.max() == 1 and found[-1] == found[0]


def test_the_smallest_cluster_is_set(voices):
    vectors, _, voiced = talk(voices, [10, 4])
    assert cluster_embeddings(vectors, voiced, SpeakerSettings(min_clips=4)).max() == 1
    assert cluster_embeddings(vectors, voiced, SpeakerSettings(min_clips=5)).max() == 0


def test_short_clips_make_no_cluster_but_have_one(voices):
    vectors, truth, voiced = talk(voices, [10, 10, 6])
    voiced[20:] = 0.5
    found = cluster_embeddings(vectors, voiced, DEFAULTS)
    assert found.max() == 1
    assert adjusted_rand_score(truth[:20], found[:20]) == 1


def test_where_all_clips_are_short_all_are_clustered(voices):
    vectors, truth, _ = talk(voices, [10, 10])
    found = cluster_embeddings(vectors, np.full(20, 0.5), DEFAULTS)
    assert adjusted_rand_score(truth, found) == 1


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_few_clips(voices, count):
    vectors = voices.speak(0, count).reshape(count, 256)
    found = cluster_embeddings(vectors, np.full(count, 3.0), DEFAULTS)
    assert found.tolist() == [0] * count


def test_two_clips_of_two_voices_are_too_few_for_two_speakers():
    vectors = np.eye(256)[:2]
    assert cluster_embeddings(vectors, np.full(2, 3.0), DEFAULTS).tolist() == [0, 0]
    alone = SpeakerSettings(min_clips=1)
    assert sorted(cluster_embeddings(vectors, np.full(2, 3.0), alone)) == [0, 1]


def test_equal_vectors_are_one_cluster(voices):
    vectors = np.repeat(voices.speak(0, 1), 20, axis=0)
    assert set(cluster_embeddings(vectors, np.full(20, 3.0), DEFAULTS)) == {0}
    both = np.concatenate([vectors, np.repeat(voices.speak(1, 1), 20, axis=0)])
    assert np.bincount(cluster_embeddings(both, np.full(40, 3.0), DEFAULTS)).tolist() == [20, 20]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7])
def test_a_given_count_is_kept(voices, count):
    vectors, truth, voiced = talk(voices, [8, 9, 10, 11, 12])
    found = cluster_embeddings(vectors, voiced, SpeakerSettings(count=count, min_clips=1))
    assert found.max() + 1 == count
    if count == 5:
        assert adjusted_rand_score(truth, found) == 1
    if count < 5:
        assert all(len(set(found[truth == voice])) == 1 for voice in range(5))


def test_a_count_above_the_clips_is_refused(voices):
    with pytest.raises(ValueError, match=r"speakers\.count is 4, but only 3 clips"):
        cluster_embeddings(voices.speak(0, 3), np.full(3, 3.0), SpeakerSettings(count=4))


def test_a_count_that_the_smallest_cluster_forbids_is_refused(voices):
    with pytest.raises(ValueError, match=r"speakers\.count is 5, .*speakers\.min_clips"):
        cluster_embeddings(voices.speak(0, 6), np.full(6, 3.0), SpeakerSettings(count=5))


def test_bundles_find_the_same_clusters(voices, monkeypatch):
    vectors, truth, voiced = talk(voices, [200, 150, 100, 80, 40])
    shuffled = np.random.default_rng(1).permutation(len(vectors))
    monkeypatch.setattr(clustering, "MAX_LEAVES", 200)
    assert len(clustering._condense(vectors)) < 100
    found = cluster_embeddings(vectors[shuffled], voiced, DEFAULTS)
    assert adjusted_rand_score(truth[shuffled], found) == 1


def test_bundles_hold_every_clip_once(voices, monkeypatch):
    monkeypatch.setattr(clustering, "MAX_LEAVES", 50)
    vectors = voices.speak(0, 333)
    bundles = clustering._condense(vectors)
    assert sum(bundle.size for bundle in bundles) == 333
    assert np.allclose(sum(bundle.total for bundle in bundles), vectors.sum(axis=0))


def test_proposed_clusters_are_finer_than_speakers(voices):
    # A speaker on two days: 0.93 is enough for one speaker, and too little for one day.
    one, other = voices.centres[:2]
    across = other - (other @ one) * one
    voices.centres[1] = 0.93 * one + np.sqrt(1 - 0.93**2) * across / np.linalg.norm(across)
    vectors, truth, voiced = talk(voices, [30, 20, 25])
    assert 0.9 < similarity(group(vectors[:30]), group(vectors[30:50])) < 0.95
    assert cluster_embeddings(vectors, voiced, DEFAULTS).max() + 1 == 2
    proposed = propose_clusters(vectors, voiced, DEFAULTS)
    assert adjusted_rand_score(truth, proposed) == 1
    assert propose_clusters(vectors[:1], voiced[:1], DEFAULTS).tolist() == [0]


# New speakers beside one who has nearly all clips ------------------------------------------------

CAMPPLUS = SpeakerSettings(encoder="campplus")


def test_the_margin_of_a_newcomer_by_hand():
    # 3 clips beside 300 of one speaker: odds of 1 to 100, shared by three clips.
    assert newcomer_margin(3, 300, 300, CAMPPLUS, 3) == pytest.approx(0.1 * np.log(100) / 3)
    # If the rest is ten speakers with 30 clips each, a tenth of the odds of 1 to 10.
    assert newcomer_margin(3, 30, 300, CAMPPLUS, 3) == pytest.approx(0.1 * np.log(10) / 10 / 3)
    # Two speakers with as many clips have nothing to show, and resemblyzer has no such margin.
    assert newcomer_margin(40, 40, 340, CAMPPLUS, 40) == 0
    assert newcomer_margin(40, 30, 30, CAMPPLUS, 40) == 0
    assert newcomer_margin(3, 300, 300, DEFAULTS, 3) == 0


@given(st.integers(1, 50), st.integers(1, 5000), st.integers(1, 5000))
def test_the_more_the_rest_is_one_speaker_the_more_a_newcomer_has_to_show(size, host, other):
    alone = newcomer_margin(size, host + other, host + other, CAMPPLUS, size)
    assert alone >= newcomer_margin(size, host, host + other, CAMPPLUS, size) >= 0
    assert alone >= newcomer_margin(size + 1, host + other, host + other, CAMPPLUS, size + 1)
    assert newcomer_margin(size, host + 1, host + 1, CAMPPLUS, size) >= newcomer_margin(
        size, host, host, CAMPPLUS, size
    )


@pytest.mark.parametrize(("cosine", "found"), [(0.7, 1), (0.4, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_three_clips_make_a_second_speaker_only_if_they_are_very_different(cosine, found, seed):
    random = np.random.default_rng(seed)
    first, second = np.eye(192)[:2]
    centre = cosine * first + np.sqrt(1 - cosine**2) * second

    def speak(voice, count):
        noise = random.normal(size=(count, 192)) * 0.6 / np.sqrt(192)
        vectors = voice + noise
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    few = np.concatenate([speak(first, 500), speak(centre, 3)])
    assert cluster_embeddings(few, np.full(503, 3.0), CAMPPLUS).max() + 1 == found
    # Many clips as different as these are a second speaker.
    many = np.concatenate([speak(first, 500), speak(centre, 60)])
    assert cluster_embeddings(many, np.full(560, 3.0), CAMPPLUS).max() + 1 == 2
