"""Clusters and the speakers of earlier runs: ids never move, whatever the clusters are."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.config.speakers import SpeakerSettings
from lib.speakers.assignment import _update_registry
from lib.speakers.matching import SpeakerMatcher, _warn_of_spellings
from lib.speakers.registry import Registry, speaker_id
from lib.speakers.shard import Embeddings
from tests.speakers.conftest import Voices

SETTINGS = SpeakerSettings(min_clips=2)
OTHER_SETTINGS = SpeakerSettings(min_clips=2, min_speech=1.0)
# With a fixed count, no cluster becomes a known speaker for its similarity alone.
FIXED_COUNT = SpeakerSettings(min_clips=2, count=4)
NUM_PEOPLE, NUM_CLIPS = 4, 14
VECTORS = [Voices(NUM_PEOPLE).speak(person, NUM_CLIPS) for person in range(NUM_PEOPLE)]


@dataclass(frozen=True)
class Clip:
    """A clip of one of four people; the cluster that it is in need not be right."""

    id: str
    person: int
    cluster: int
    label: str | None = None
    recording: str = "first"

    @property
    def vector(self) -> np.ndarray:
        return VECTORS[self.person][int(self.id[-2:])]


def clip_lists(prefix: str, labels=(None, None, None, "Ann", "Ben"), min_size: int = 1):
    rows = st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from(labels))
    return st.lists(rows, min_size=min_size, max_size=NUM_CLIPS).map(
        lambda drawn: [Clip(f"{prefix}_{n:02d}", *row) for n, row in enumerate(drawn)]
    )


def run(clips, previous=None, made_with=SETTINGS, split=None):
    """Match the clips; return the speaker of each, the match and the new record."""
    previous = previous or Registry()
    embeddings = Embeddings(
        [clip.id for clip in clips],
        [f"{clip.id} {clip.recording}" for clip in clips],
        np.array([clip.vector for clip in clips], dtype=np.float32),
        np.full(len(clips), 3.0),
        [None] * len(clips),
    )
    clusters = np.unique([clip.cluster for clip in clips], return_inverse=True)[1]
    labels = {clip.id: clip.label for clip in clips if clip.label}
    split = split or {}
    match = SpeakerMatcher(embeddings, clusters, labels, previous, made_with).match(split)
    assigned = [
        match.split_ids[split[clip]] if clip in split else speaker
        for clip, speaker in zip(embeddings.clips, match.speakers, strict=True)
    ]
    present = {clip.id for clip in clips}
    record = _update_registry(previous, match, assigned, embeddings, made_with, present)
    return dict(zip(embeddings.clips, match.speakers, strict=True)), match, record


def new_ids(match, previous: Registry) -> set[str]:
    return {speaker_id(n) for n in range(previous.next_number, match.next_number)}


@given(clip_lists("old"), clip_lists("new"))
def test_ids_never_move_when_audio_is_added(old, new):
    before, _, record = run(old)
    after, _, _ = run([*old, *new], record)
    assert after.items() >= before.items()


@given(clip_lists("old"), clip_lists("new"), st.data())
def test_ids_never_move_when_clips_are_clustered_otherwise(old, new, data):
    before, _, record = run(old)
    again = [replace(clip, cluster=data.draw(st.integers(0, 3))) for clip in old]
    after, _, _ = run([*again, *new], record)
    assert after.items() >= before.items()


@given(clip_lists("old"), clip_lists("new", labels=[None]))
def test_a_cluster_with_the_earlier_clips_of_a_speaker_keeps_the_id(old, new):
    """Even if every recording was made anew, so that no clip is final, and new clips are more."""
    before, _, record = run(old, made_with=FIXED_COUNT)
    numbers = {speaker: n for n, speaker in enumerate(sorted(set(before.values())))}
    again = [replace(clip, recording="louder", cluster=numbers[before[clip.id]]) for clip in old]
    after, _, _ = run([*again, *new], record, FIXED_COUNT)
    assert after.items() >= before.items()
    for clip in new:
        if clip.cluster < len(numbers):
            assert numbers[after[clip.id]] == clip.cluster


@given(clip_lists("old", labels=[None]), clip_lists("new", labels=[None], min_size=0), st.data())
def test_with_other_settings_clusters_and_ids_are_one_to_one(old, new, data):
    before, _, record = run(old)
    clips = [replace(clip, cluster=data.draw(st.integers(0, 3))) for clip in old] + new
    after, _, _ = run(clips, record, OTHER_SETTINGS)
    sizes = Counter(clip.cluster for clip in clips)
    large = {cluster for cluster, size in sizes.items() if size >= SETTINGS.min_clips}
    pairs = {(clip.cluster, after[clip.id]) for clip in clips if clip.cluster in large}
    assert len(pairs) == len({key for _, key in pairs}) == len(large)
    # A cluster that is most of a speaker, and is mostly that speaker, has the id.
    totals = Counter(before.values())
    shared = Counter((clip.cluster, before[clip.id]) for clip in clips if clip.id in before)
    for (cluster, speaker), count in shared.items():
        if 3 * count > 2 * totals[speaker] and 3 * count > 2 * sizes[cluster]:
            assert {after[clip.id] for clip in clips if clip.cluster == cluster} == {speaker}


@given(clip_lists("old"), clip_lists("new"))
def test_a_new_speaker_is_one_cluster_and_a_cluster_one_new_speaker_at_most(old, new):
    _, _, record = run(old)
    after, match, _ = run([*old, *new], record)
    found = new_ids(match, record) - set(match.label_ids.values())
    pairs = {(clip.cluster, after[clip.id]) for clip in new if after[clip.id] in found}
    assert len({cluster for cluster, _ in pairs}) == len({key for _, key in pairs}) == len(pairs)


@given(clip_lists("old"), clip_lists("kept", labels=[None], min_size=0), clip_lists("new"))
def test_a_new_speaker_has_an_id_that_was_never_used(old, kept, new):
    """Not even that of a speaker whose clips are all gone, though the new clips may be the same."""
    _, _, record = run([*old, *kept])
    _, _, record = run(kept, record) if kept else (None, None, replace(record, decisions={}))
    after, match, _ = run([*kept, *new], record)
    present = {record.decisions[clip.id].speaker for clip in kept}
    labelled = set(match.label_ids.values())
    assert set(after.values()) <= present | labelled | new_ids(match, record)
    assert not new_ids(match, record) & record.speakers.keys()


@given(clip_lists("old"), clip_lists("new"), st.randoms(use_true_random=False))
def test_the_order_of_the_clips_makes_no_difference(old, new, random):
    _, _, record = run(old)
    shuffled = [*old, *new]
    random.shuffle(shuffled)
    one, _, one_record = run([*old, *new], record)
    other, _, other_record = run(shuffled, record)
    assert one == other
    assert one_record.decisions == other_record.decisions
    assert one_record.next_number == other_record.next_number


@given(clip_lists("old"), clip_lists("new"))
def test_labels_win_and_two_labels_are_two_speakers(old, new):
    _, _, record = run([replace(clip, label=None) for clip in old])
    after, match, _ = run([*old, *new], record)
    used = {clip.label for clip in (*old, *new) if clip.label}
    assert len({match.label_ids[label] for label in used}) == len(used)
    for clip in (*old, *new):
        assert clip.label is None or after[clip.id] == match.label_ids[clip.label]


@given(clip_lists("gone"), clip_lists("kept"), clip_lists("new"))
def test_clips_that_are_gone_leave_no_trace(gone, kept, new):
    _, _, record = run([*gone, *kept])
    names = {clip.id for clip in kept}
    without = replace(
        record, decisions={c: row for c, row in record.decisions.items() if c in names}
    )
    assert run([*kept, *new], record)[:2] == run([*kept, *new], without)[:2]
    assert not {clip.id for clip in gone} & run(kept, record)[2].decisions.keys()


@given(clip_lists("old"), clip_lists("new"), st.data())
def test_splits_have_ids_of_their_own_and_move_no_final_clip(old, new, data):
    before, _, record = run(old)
    names = st.sampled_from([None, "Bintu", "Cem"])
    split = {clip.id: name for clip in old if (name := data.draw(names))}
    first, match, updated = run([*old, *new], record, split=split)
    assert first.items() >= before.items()
    assert match.split_ids.keys() == set(split.values())
    assert set(match.split_ids.values()) <= new_ids(match, record)
    assert len(set(match.split_ids.values())) == len(match.split_ids)
    assert not set(match.split_ids.values()) & set(match.label_ids.values())
    second, again, _ = run([*old, *new], updated, split=split)
    assert again.split_ids == match.split_ids
    assert second == first


@settings(max_examples=30)
@given(clip_lists("new"))
def test_a_second_match_of_the_same_clips_adds_nobody(clips):
    before, match, record = run(clips)
    after, again, updated = run(clips, record)
    assert (after, again.next_number) == (before, match.next_number)
    assert updated == record


def test_labels_that_differ_in_case_only_are_named(caplog):
    _warn_of_spellings(["Anna", "ANNA", "Bob", "anna "])
    assert "'ANNA', 'Anna', 'anna '" in caplog.text
    assert "Bob" not in caplog.text
