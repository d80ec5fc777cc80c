"""The user's overrides win over labels and clustering, and leave no trace."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.speakers.overrides import OverridesError
from lib.speakers.tables import read_assignments, read_excluded
from tests.speakers.conftest import Room, Voices, ids


@pytest.fixture
def three(room) -> Room:
    """Three speakers, already told apart: spk000 has c, spk001 b, spk002 a."""
    for voice, (prefix, count) in enumerate({"a": 6, "b": 8, "c": 10}.items()):
        room.add(voice, prefix, count)
    room.run()
    return room


def excluded(room):
    return read_excluded(room.root / "excluded.tsv")


def test_merged_speakers_go_under_the_first_id_until_the_line_is_gone(three):
    before = three.run()
    record = (three.root / "state/speakers.json").read_bytes()
    merged = three.run(merge=[["spk002", "spk000"]])
    assert merged == {c: "spk002" if s == "spk000" else s for c, s in before.items()}
    assert (three.root / "state/speakers.json").read_bytes() == record
    speakers = three.registry()["speakers"]
    assert speakers.keys() == {"spk001", "spk002"}
    assert speakers["spk002"]["clips"] == 16
    assert three.registry()["merged"] == {"spk000": "spk002"}
    table = pq.read_table(three.root / "centroids.parquet").to_pydict()
    both = [row.vector for clip, row in three.embeddings.items() if merged[clip] == "spk002"]
    mean = np.sum(both, axis=0)
    assert np.allclose(table["vector"][1], mean / np.linalg.norm(mean), atol=1e-5)
    assert not three.suggestions()
    assert three.run() == before


def test_a_merge_survives_adding_audio_and_new_clips_fall_under_it(three):
    overrides = {"merge": [["spk002", "spk000"]]}
    three.run(**overrides)
    more = three.add(2, "more", 3)
    new = three.add(3, "new", 9)
    after = three.run(**overrides)
    assert ids(after, more) == {"spk002"}
    assert ids(after, new) == {"spk003"}
    assert ids(three.run(), more) == {"spk000"}


def test_assigned_clips_are_their_speakers_until_the_line_is_gone(three):
    before = three.run()
    overrides = {"assign": {"spk001": ["a_00", "c_0*"]}}
    after = three.run(**overrides)
    moved = {"a_00", *(f"c_{n:02d}" for n in range(10))}
    assert after == {c: "spk001" if c in moved else s for c, s in before.items()}
    table = read_assignments(three.root / "assignments.tsv")
    assert table["a_00"].confidence == 1.0
    three.add(0, "more", 2)
    assert three.run(**overrides).items() >= after.items()
    assert three.run().items() >= before.items()


def test_assigning_all_clips_of_a_speaker_leaves_it_empty(three):
    before = three.run()
    after = three.run(assign={"spk001": ["a_*"]})
    assert "spk002" not in after.values()
    assert three.registry()["speakers"]["spk002"]["clips"] == 0
    assert three.run() == before


def test_overrides_win_over_the_labels_of_the_source(room):
    anna = room.add(0, "a", 4)
    ben = room.add(1, "b", 4)
    room.known = dict.fromkeys(anna, "Anna") | dict.fromkeys(ben, "Ben")
    found = room.run(assign={"Ben": ["a_03"]})
    assert found == dict.fromkeys(anna[:3], "spk000") | dict.fromkeys([*ben, "a_03"], "spk001")
    assert set(room.run(merge=[["Ben", "Anna"]]).values()) == {"spk001"}


def test_a_speaker_that_is_split_off_has_an_id_of_its_own_for_good(three):
    before = three.run()
    overrides = {"split": {"Bintu": ["c_00", "c_01", "c_02"]}}
    after = three.run(**overrides)
    assert ids(after, ["c_00", "c_01", "c_02"]) == {"spk003"}
    assert {c: s for c, s in after.items() if s != "spk003"}.items() <= before.items()
    assert three.registry()["speakers"]["spk003"]["name"] == "Bintu"
    assert not three.suggestions()
    assert three.run() == before
    assert "spk003" not in three.registry()["speakers"]
    three.add(3, "new", 9)
    assert ids(three.run(), ["new_00"]) == {"spk004"}
    assert three.run(**overrides)["c_00"] == "spk003"


def test_new_clips_of_a_speaker_that_was_split_off_go_to_it(room):
    """Two people whom the clustering takes for one, and whom the user has told apart."""
    room.known = {}
    first, second = room.add(0, "first", 10), room.add(1, "second", 5)
    room.run(count=1)
    overrides = {"split": {"Bintu": ["second_*"]}, "count": 1}
    assert ids(room.run(**overrides), second) == {"spk001"}
    more_first, more_second = room.add(0, "x", 4), room.add(1, "y", 4)
    overrides["split"] = {"Bintu": [*second]}
    found = room.run(**overrides)
    assert ids(found, [*second, *more_second]) == {"spk001"}
    assert ids(found, [*first, *more_first]) == {"spk000"}
    assert room.run(**overrides) == found
    # Without the line they are one again, those that had joined the other included.
    assert set(room.run(count=1).values()) == {"spk000"}


def test_a_fresh_record_with_the_same_overrides_gives_the_same_ids(three):
    overrides = {"split": {"Bintu": ["c_00", "c_01"]}, "assign": {"spk001": ["a_00"]}}
    before = three.run(**overrides)
    (three.root / "state/speakers.json").unlink()
    assert three.run(**overrides) == before


def test_excluded_clips_and_speakers_are_listed_with_the_line(three):
    three.silent = ["mute"]
    three.run(
        merge=[["spk001", "spk002"]],
        exclude={"speakers": ["spk001"], "clips": ["mute", "c_00", "b_00"]},
    )
    by_speaker = {c: "exclude.speakers: spk001" for c in three.embeddings if c[0] in "ab"}
    by_clip = {c: f"exclude.clips: {c}" for c in ("mute", "c_00", "b_00")}
    assert excluded(three) == by_speaker | by_clip
    assert three.registry()["excluded"] == ["spk001"]
    three.run()
    assert excluded(three) == {}


def test_an_id_that_did_not_come_to_be_is_refused_by_the_assignment(room):
    room.add(0, "a", 6)
    with pytest.raises(
        OverridesError, match=r"there is no speaker 'spk007'; did you mean 'spk000'"
    ):
        room.run(merge=[["spk000", "spk007"]])
    assert not (room.root / "state/speakers.json").exists()


def test_the_lines_of_a_suggestion_settle_it(room, tmp_path, caplog):
    import yaml

    mixed = room.add(0, "a", 6) + room.add(1, "b", 8)
    room.known = dict.fromkeys(mixed, "Both")
    room.run()
    room.add(2, "c", 6)
    room.run()
    (suggestion,) = room.suggestions()
    assert suggestion["lines"] in caplog.text
    overrides = yaml.safe_load(suggestion["lines"])
    assert overrides == {"split": {"spk000-b": [c for c in mixed if c[0] == "a"]}}
    found = room.run(**overrides)
    assert ids(found, [c for c in mixed if c[0] == "a"]) == {"spk002"}
    assert not room.suggestions()


def test_the_lines_of_a_suggestion_about_two_speakers_merge_them(room):
    import yaml

    clips = room.add(0, "a", 12)
    room.known = dict.fromkeys(clips[:5], "Anna") | dict.fromkeys(clips[5:10], "Ann")
    room.run()
    (suggestion,) = room.suggestions()
    overrides = yaml.safe_load(suggestion["lines"])
    assert overrides == {"merge": [["spk000", "spk001"]]}
    assert set(room.run(**overrides).values()) == {"spk000"}
    assert not room.suggestions()


SPEAKERS = ["spk000", "spk001", "spk002"]
SIZES = {"a": 6, "b": 8, "c": 10}
CLIPS = [f"{prefix}_{n:02d}" for prefix, count in SIZES.items() for n in range(count)]


@settings(max_examples=12)
@given(
    st.dictionaries(st.sampled_from(CLIPS), st.sampled_from([*SPEAKERS, "Bintu", "exclude"])),
    st.permutations(SPEAKERS),
    st.booleans(),
)
def test_overrides_win_and_leave_no_trace(chosen, order, merges):
    """Whatever clips are assigned, split off and excluded, and whoever is merged."""
    kept, merged, other = order
    places = {place: [c for c, p in chosen.items() if p == place] for place in chosen.values()}
    excluded_clips = places.pop("exclude", [])
    split = {"Bintu": places.pop("Bintu")} if "Bintu" in places else {}
    if merges:
        # A speaker who is merged into another is no longer one to whom clips can be assigned.
        places[kept] = places.get(kept, []) + places.pop(merged, [])
        places = {speaker: clips for speaker, clips in places.items() if clips}
    sections = {
        "assign": places,
        "split": split,
        "merge": [[kept, merged]] if merges else [],
        "exclude": {"clips": excluded_clips},
    }
    with tempfile.TemporaryDirectory() as folder:
        room = Room(Path(folder), Voices(8))
        for voice, (prefix, count) in enumerate(SIZES.items()):
            room.add(voice, prefix, count)
        before = room.run()
        found = room.run(**sections)
        assigned = {clip: speaker for speaker, clips in places.items() for clip in clips}
        assigned |= dict.fromkeys(split.get("Bintu", ()), "spk003")
        merge = {merged: kept} if merges else {}
        assert found == {
            clip: assigned.get(clip, merge.get(speaker, speaker))
            for clip, speaker in before.items()
        }
        assert excluded(room).keys() == set(excluded_clips)
        assert room.run() == before
