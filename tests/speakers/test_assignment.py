import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from lib.speakers import assignment
from lib.speakers.registry import RegistryError, load_registry
from lib.speakers.tables import read_assignments
from tests.speakers.conftest import ids


def test_the_outputs(room):
    room.add(0, "a", 5)
    room.add(1, "b", 8)
    found = room.run()
    lines = (room.root / "assignments.tsv").read_text().splitlines()
    assert lines[0] == "clip\tspeaker_id\tconfidence\tintra_clip_similarity"
    assert [line.split("\t")[0] for line in lines[1:]] == sorted(room.embeddings)
    assert found == {clip: "spk000" if clip[0] == "b" else "spk001" for clip in room.embeddings}
    speakers = room.registry()["speakers"]
    assert {key: (row["name"], row["label"], row["clips"]) for key, row in speakers.items()} == {
        "spk000": ("spk000", None, 8),
        "spk001": ("spk001", None, 5),
    }
    table = pq.read_table(room.root / "centroids.parquet").to_pydict()
    assert (table["speaker_id"], table["clips"]) == (["spk000", "spk001"], [8, 5])
    mean = np.mean([room.embeddings[c].vector for c in found if c[0] == "b"], axis=0)
    assert np.allclose(table["vector"][0], mean / np.linalg.norm(mean), atol=1e-5)
    with (room.root / "map.tsv").open() as file:
        places = {r["clip"]: r for r in csv.DictReader(file, delimiter="\t")}
    assert {clip: row["speaker_id"] for clip, row in places.items()} == found
    left = {float(places[clip]["x"]) > 0 for clip in found if clip[0] == "a"}
    right = {float(places[clip]["x"]) > 0 for clip in found if clip[0] == "b"}
    assert len(left) == len(right) == 1 and left != right


def test_running_again_changes_nothing(room):
    room.add(0, "a", 5)
    room.add(1, "b", 8)
    room.run()
    files = ["assignments.tsv", "registry.json", "map.tsv", "state/speakers.json"]
    before = [(room.root / name).read_bytes() for name in files]
    room.run()
    assert [(room.root / name).read_bytes() for name in files] == before


def test_new_clips_join_known_speakers_and_new_speakers_get_new_ids(room):
    room.add(0, "a", 6)
    room.add(1, "b", 8)
    before = room.run()
    more = room.add(0, "0_more", 20)
    new = room.add(2, "0_new", 30)
    after = room.run()
    assert after.items() >= before.items()
    assert ids(after, more) == {before["a_00"]}
    assert ids(after, new) == {"spk002"}


def test_a_single_new_clip_joins_the_nearest_speaker(room):
    room.add(0, "a", 6)
    room.add(1, "b", 8)
    before = room.run()
    one = room.add(0, "one", 1)
    outlier = room.add(2, "outlier", 2)
    after = room.run()
    assert ids(after, one) == {before["a_00"]}
    assert ids(after, outlier) <= {"spk000", "spk001"}


def test_a_speaker_whom_the_tree_happens_to_divide_is_not_a_new_one(room, monkeypatch):
    room.add(0, "a", 6)
    room.add(1, "b", 8)
    before = room.run()
    more = room.add(0, "more", 6)
    order = sorted([*before, *more])
    divided = np.array([{"a": 0, "b": 1, "m": 2}[clip[0]] for clip in order])
    monkeypatch.setattr(assignment, "cluster_embeddings", lambda *_: divided)
    assert ids(room.run(), more) == {before["a_00"]}


def test_a_few_clips_among_others_outlier_clips_are_not_a_new_speaker(room):
    room.known = dict.fromkeys(room.add(0, "a", 10) + room.add(2, "a_outlier", 2), "Anna")
    room.known |= dict.fromkeys(room.add(1, "b", 10) + room.add(2, "b_outlier", 2), "Ben")
    one = room.add(2, "one", 1)
    assert ids(room.run(), one) <= {"spk000", "spk001"}


def test_ids_are_never_given_again(room):
    room.add(0, "a", 6)
    gone = room.add(1, "b", 8)
    before = room.run()
    for clip in gone:
        del room.embeddings[clip]
    after = room.run()
    assert after == {clip: speaker for clip, speaker in before.items() if clip not in gone}
    lost = room.registry()["speakers"][before["b_00"]]
    assert lost["clips"] == 0 and len(lost["centroid"]) == 256
    assert before["b_00"] not in pq.read_table(room.root / "centroids.parquet")["speaker_id"]
    new = room.add(2, "c", 9)
    assert ids(room.run(), new) == {"spk002"}


def test_outputs_that_were_lost_come_back_the_same(room):
    room.add(0, "a", 6)
    room.add(1, "b", 8)
    room.run()
    room.add(2, "c", 20)
    before = room.run()
    for name in ("assignments.tsv", "registry.json", "centroids.parquet", "map.tsv"):
        (room.root / name).unlink()
    assert room.run() == before


def test_labels_of_the_source_stand(room):
    anna = room.add(0, "a", 4)
    ben = room.add(1, "b", 4)
    # One of Ben's is labelled wrongly; the source's labels stand.
    room.known = dict.fromkeys(anna, "Anna") | dict.fromkeys(ben[:3], "Ben") | {ben[3]: "Anna"}
    found = room.run()
    assert found == dict.fromkeys([*anna, ben[3]], "spk000") | dict.fromkeys(ben[:3], "spk001")
    names = {key: row["name"] for key, row in room.registry()["speakers"].items()}
    assert names == {"spk000": "Anna", "spk001": "Ben"}
    table = read_assignments(room.root / "assignments.tsv")
    assert {row.confidence for row in table.values()} == {1.0}


def test_clips_without_label_join_labelled_speakers_or_are_new_ones(room):
    anna = room.add(0, "a", 10)
    room.add(1, "b", 7)
    room.known = dict.fromkeys(anna[:3], "Anna")
    found = room.run()
    assert ids(found, anna) == {"spk000"}
    assert ids(found, [c for c in found if c[0] == "b"]) == {"spk001"}


def test_two_labels_of_one_voice_stay_two(room):
    clips = room.add(0, "a", 12)
    room.known = dict.fromkeys(clips[:5], "Anna") | dict.fromkeys(clips[5:10], "Ann")
    found = room.run()
    assert ids(found, clips[:5]) == {"spk001"} and ids(found, clips[5:10]) == {"spk000"}
    assert ids(found, clips[10:]) <= {"spk000", "spk001"}
    suggestions = room.suggestions()
    assert [(d["reason"], d["speakers"]) for d in suggestions] == [
        ("one_speaker", ["spk000", "spk001"])
    ]


def test_a_label_given_later_names_the_speaker(room):
    room.add(0, "a", 6)
    clips = room.add(1, "b", 8)
    before = room.run()
    room.known = dict.fromkeys(clips[:5], "Ben")
    assert room.run() == before
    assert room.registry()["speakers"][before["b_00"]]["name"] == "Ben"
    room.known = {}
    assert room.run() == before
    assert room.registry()["speakers"][before["b_00"]]["name"] == "Ben"


def test_a_speaker_with_two_clusters_is_reported_not_split(room, caplog):
    mixed = room.add(0, "a", 6) + room.add(1, "b", 8)
    room.known = dict.fromkeys(mixed, "Both")
    room.run()
    room.add(2, "c", 6)
    found = room.run()
    assert ids(found, mixed) == {"spk000"}
    (suggestion,) = room.suggestions()
    assert (suggestion["reason"], suggestion["speakers"]) == ("several_speakers", ["spk000"])
    assert sorted(map(len, suggestion["groups"])) == [6, 8]
    assert "spk000 may be several speakers" in caplog.text


def test_changed_settings_cluster_anew_but_keep_ids_where_they_can(room):
    room.add(0, "a", 6)
    room.add(1, "b", 8)
    room.add(2, "c", 10)
    before = room.run()
    assert room.run(min_clips=2) == before
    two = room.run(count=2)
    kept = {clip for clip in before if two[clip] == before[clip]}
    assert len(set(two.values())) == 2 and len(kept) >= 16
    three = room.run(count=3)
    assert len(set(three.values())) == 3
    assert set(two.values()) <= set(three.values())


def test_changed_audio_is_matched_again_to_the_speakers_that_stand(room):
    room.add(0, "a", 6)
    room.add(1, "b", 8)
    before = room.run()
    room.add(0, "b", 1, digest="other audio")
    after = room.run()
    assert after == before | {"b_00": before["a_00"]}


def test_ids_survive_when_every_wav_is_made_anew(room):
    room.add(0, "a", 6)
    room.add(1, "b", 8)
    before = room.run()
    room.add(0, "a", 6, digest="louder")
    room.add(1, "b", 8, digest="louder")
    assert room.run() == before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"next_number": 2', '"next_number": 1'),
        lambda text: text.replace('"format": 2', '"format": 9'),
        lambda text: text.replace('"spk001": {', '"spk005": {'),
        lambda text: text.replace('"spk001",', '"spk000x",'),
    ],
)
def test_a_damaged_record_is_an_error_and_stays_as_it_is(room, spoil):
    room.add(0, "a", 6)
    room.add(1, "b", 8)
    room.run()
    state = room.root / "state/speakers.json"
    spoiled = spoil(state.read_text())
    state.write_text(spoiled)
    with pytest.raises(RegistryError, match=r"speakers\.json: .* damaged .* Put back a copy"):
        room.run()
    assert state.read_text() == spoiled


def test_no_clip_at_all_is_an_error(room):
    with pytest.raises(ValueError, match="no clip has a speaker embedding"):
        room.run()


def test_a_single_clip_is_a_speaker(room):
    room.add(0, "a", 1)
    assert room.run() == {"a_00": "spk000"}
    assert (room.root / "map.tsv").read_text().splitlines()[1] == "a_00\tspk000\t0.00000\t0.00000"


def test_the_record_knows_every_clip(room):
    room.add(0, "a", 3)
    found = room.run()
    record = load_registry(room.root / "state/speakers.json")
    assert {clip: d.speaker for clip, d in record.decisions.items()} == found
    assert record.next_number == 1


def test_a_clip_among_two_speakers_goes_by_direction_not_by_size(room, monkeypatch):
    """The clustering takes a large and a small speaker, each with all clips, for one cluster."""
    anna, ben = room.add(0, "anna", 20), room.add(1, "ben", 3)
    room.known = dict.fromkeys(anna, "Anna") | dict.fromkeys(ben, "Ben")
    new = room.add(1, "new", 2) + room.add(0, "other", 2)
    monkeypatch.setattr(
        assignment, "cluster_embeddings", lambda vectors, *_: np.zeros(len(vectors), int)
    )
    found = room.run()
    assert ids(found, new[:2]) == {found["ben_00"]}
    assert ids(found, new[2:]) == {found["anna_00"]}


def test_a_clip_that_was_rejected_for_a_while_keeps_its_speaker(room):
    """Too few for a speaker of their own, they would join another when they come back."""
    room.add(0, "a", 8)
    quiet = room.add(1, "b", 4)
    before = room.run()
    assert before["b_00"] != before["a_00"]
    aside = {clip: room.embeddings.pop(clip) for clip in quiet}
    room.silent = quiet
    room.run()
    room.embeddings |= {clip: aside[clip] for clip in quiet[:2]}
    room.silent = quiet[2:]
    assert {clip: room.run()[clip] for clip in quiet[:2]} == {c: before[c] for c in quiet[:2]}


def test_a_clip_that_is_gone_from_the_source_is_forgotten(room):
    room.add(0, "a", 8)
    gone = room.add(1, "b", 4)
    room.run()
    for clip in gone:
        del room.embeddings[clip]
    room.run()
    record = json.loads((room.root / "state/speakers.json").read_text())
    assert not set(gone) & record["clips"].keys()


def test_a_label_that_is_written_otherwise_keeps_its_speaker(room):
    """Tables with gaps wrote 1.0 for 1, and classes had numbers for names."""
    one, two = room.add(0, "a", 6), room.add(1, "b", 6)
    room.known = dict.fromkeys(one, "1.0") | dict.fromkeys(two, "2.0")
    before = room.run()
    room.known = dict.fromkeys(one, "1") | dict.fromkeys(two, "ann")
    assert room.run() == before
    names = {key: row["name"] for key, row in room.registry()["speakers"].items()}
    assert names == {before["a_00"]: "1", before["b_00"]: "ann"}


def test_a_label_that_is_still_there_keeps_its_speaker_to_itself(room):
    one = room.add(0, "a", 6)
    room.known = dict.fromkeys(one, "ann")
    before = room.run()
    room.known = dict.fromkeys(one[:5], "bob") | {one[5]: "ann"}
    after = room.run()
    assert after["a_05"] == before["a_05"]
    assert after["a_00"] != before["a_00"]
