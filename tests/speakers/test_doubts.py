"""What the similarities of speakers do not settle: it is told, heard, settled, not asked again."""

import json

import numpy as np
import pytest
import yaml

from lib.config.speakers import SpeakerSettings
from lib.speakers import __main__ as command
from lib.speakers.assignment import Sessions
from lib.speakers.clustering import Group, similarity
from lib.speakers.overrides import Overrides, OverridesError
from lib.speakers.overrides_file import read_overrides
from lib.speakers.tables import DOUBT_COLUMNS, name_speakers
from lib.tables import read_table

RANDOM = 5


class Second:
    """CAM++ voices with a given cosine between them."""

    def __init__(self, cosine):
        self.random = np.random.default_rng(RANDOM)
        first, second, third = np.eye(192)[:3]
        self.voices = [first, cosine * first + np.sqrt(1 - cosine**2) * second, third]

    def speak(self, voice, clips):
        noise = self.random.normal(size=(len(clips), 192)) * 0.6 / np.sqrt(192)
        vectors = self.voices[voice] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return dict(zip(clips, vectors.astype(np.float32), strict=True))


def fill(room, cosine, sizes=(14, 12, 10)):
    second, room.opinion = Second(cosine), {}
    clips = [room.add(voice, "abc"[voice], size) for voice, size in enumerate(sizes)]
    for voice, own in enumerate(clips):
        room.opinion |= second.speak(voice, own)
    return clips


def test_a_pair_that_is_not_settled_is_told(room):
    one, other, _ = fill(room, 0.72)
    found = room.run()
    assert len(set(found.values())) == 3
    (doubt,) = room.doubts()
    assert (doubt["reason"], doubt["speakers"]) == ("unsettled_pair", ["spk000", "spk001"])
    assert yaml.safe_load(doubt["lines"]) == {"merge": [["spk000", "spk001"]]}
    assert yaml.safe_load(doubt["settle"]) == {"apart": [["spk000", "spk001"]]}
    first, second = doubt["groups"]
    assert len(first) == len(second) == 3
    assert {*first} <= {*one} and {*second} <= {*other}
    sides = [np.array([room.opinion[clip] for clip in side], float) for side in (one, other)]
    value = similarity(*(Group(len(side), side.sum(axis=0)) for side in sides))
    assert doubt["similarities"]["campplus"] == pytest.approx(value, abs=0.001)
    assert set(doubt["similarities"]) == {"campplus", "resemblyzer"}
    assert doubt["threshold"] == 0.78 and doubt["share_session"] is None


@pytest.mark.parametrize("cosine", [0.3, 0.6, 0.95])
def test_pairs_that_are_clear_are_not_told(room, cosine):
    fill(room, cosine)
    assert len(set(room.run().values())) == (2 if cosine > 0.9 else 3)
    assert not room.doubts()


def test_where_the_sessions_differ_more_is_in_doubt(room):
    fill(room, 0.635)
    room.run()
    assert not room.doubts()
    days = {clip: clip[0] for clip in room.embeddings}
    room.sessions = Sessions("session", days)
    room.run()
    (doubt,) = room.doubts()
    assert doubt["speakers"] == ["spk000", "spk001"] and doubt["share_session"] is False
    # One session with clips of both shows that it is not the day that differs.
    room.sessions = Sessions("session", days | dict.fromkeys(["a_00", "b_00"], "shared"))
    room.run()
    assert not room.doubts()
    # What the names of files suggest is shown, and decides nothing.
    room.sessions = Sessions("prefix", days)
    room.run()
    assert not room.doubts()


def test_the_sessions_of_each_speaker_are_counted(room):
    fill(room, 0.3)
    days = {clip: f"day {int(clip[2:]) % 4}" for clip in room.embeddings if clip[0] != "c"}
    room.sessions = Sessions("session", days)
    room.run()
    assert room.registry()["sessions"] == {
        "kind": "session",
        "count": 4,
        "by_speaker": {"spk000": 4, "spk001": 4},
    }


def test_who_is_named_by_the_source_is_not_in_doubt(room):
    one, other, _ = fill(room, 0.72)
    room.known = dict.fromkeys(one, "Ann") | dict.fromkeys(other, "Bea")
    room.run()
    assert not room.doubts()


def test_a_part_that_is_unlike_the_rest_of_its_speaker_is_told(room):
    # Too few clips for a speaker of their own beside so many, and not like them either.
    fill(room, 0.7, sizes=(200, 3, 10))
    found = room.run()
    assert len(set(found.values())) == 2
    (doubt,) = room.doubts()
    assert (doubt["reason"], doubt["speakers"]) == ("unsettled_speaker", ["spk000"])
    assert yaml.safe_load(doubt["lines"]) == {"split": {"spk000-b": ["b_00", "b_01", "b_02"]}}
    assert yaml.safe_load(doubt["settle"]) == {"together": ["spk000"]}
    room.run(**yaml.safe_load(doubt["lines"]))
    assert not [row for row in room.doubts() if row["reason"] == "unsettled_speaker"]


def test_by_resemblyzer_alone_pairs_are_told_too(room):
    # 0.85: what resemblyzer gives for two people, and for one person on two days.
    voices = room.voices.centres
    voices[1] = 0.85 * voices[0] + np.sqrt(1 - 0.85**2) * np.eye(256)[7]
    room.add(0, "a", 14), room.add(1, "b", 12)
    assert len(set(room.run(second_opinion=None).values())) == 2
    (doubt,) = room.doubts()
    assert list(doubt["similarities"]) == ["resemblyzer"]
    assert 0.8 < doubt["similarities"]["resemblyzer"] < 0.9


def test_only_the_likeliest_doubts_are_kept(room, monkeypatch):
    fill(room, 0.72)
    monkeypatch.setattr("lib.speakers.review.MAX_DOUBTS", 0)
    room.run()
    assert not room.doubts()


# Settling ----------------------------------------------------------------------------------------


def settle(room, overrides):
    folder = room.root
    name_speakers(folder / "registry.json", overrides, folder / "named.json", folder / "doubts.tsv")
    rows = json.loads((folder / "named.json").read_text())["review_suggestions"]
    assert len(read_table(folder / "doubts.tsv", DOUBT_COLUMNS)) == len(rows)
    return rows


@pytest.mark.parametrize(
    ("sections", "left"),
    [
        ({}, 1),
        ({"apart": [["spk001", "spk000"]]}, 0),
        ({"apart": [["spk001", "spk000", "spk002"]]}, 0),
        ({"apart": [["spk001", "spk002"]]}, 1),
        ({"together": ["spk000", "spk001"]}, 1),
        ({"names": {"spk000": "Ann"}, "apart": [["Ann", "spk001"]]}, 0),
    ],
)
def test_a_pair_that_is_kept_apart_is_not_asked_again(room, tmp_path, sections, left):
    fill(room, 0.72)
    room.run()
    file = tmp_path / "speakers.yaml"
    file.write_text(yaml.safe_dump(sections))
    schema = yaml.safe_load(command.SCHEMA.read_text("utf-8"))
    assert len(settle(room, read_overrides(str(file), schema))) == left


def test_a_speaker_that_is_kept_together_is_not_asked_again(room):
    fill(room, 0.7, sizes=(200, 3, 10))
    room.run()
    assert len(settle(room, Overrides())) == 1
    assert len(settle(room, Overrides(together=["spk001"]))) == 1
    assert not settle(room, Overrides(together=["spk000"]))


def test_who_is_kept_apart_must_exist_and_not_be_merged(room):
    fill(room, 0.72)
    room.run()
    with pytest.raises(OverridesError, match="apart: there is no speaker 'spk009'"):
        room.run(apart=[["spk000", "spk009"]])
    with pytest.raises(OverridesError, match="together: there is no speaker 'Anne'"):
        room.run(together=["Anne"])
    with pytest.raises(OverridesError, match="apart: spk001 is merged into spk000"):
        room.run(merge=[["spk000", "spk001"]], apart=[["spk000", "spk001"]])


def test_the_terminal_lists_doubts(room, caplog):
    fill(room, 0.72)
    room.run()
    settle(room, Overrides())
    caplog.clear()
    caplog.set_level("INFO")
    command.main(["doubts", str(room.root)])
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "spk000 and spk001 may be one person (campplus 0.7" in text
    assert "merge:" in text and "apart:" in text and "1 in all. The lines go" in text
    pair = read_table(room.root / "doubts.tsv", DOUBT_COLUMNS)[0]
    assert pair["clips"].split(",")[0] in text and pair["other_clips"].split(",")[0] in text


def test_without_a_run_the_terminal_says_so(tmp_path):
    with pytest.raises(SystemExit, match=r"speakers/doubts\.tsv is not there"):
        command.main(["doubts", str(tmp_path)])


# The encoder -------------------------------------------------------------------------------------


def test_another_encoder_keeps_ids_by_shared_clips(room):
    one, other, third = fill(room, 0.3)
    opinion, room.opinion = room.opinion, None
    before = room.run(second_opinion=None)
    # One person on two days, as CAM++ has it.
    room.opinion = opinion | Second(0.3).speak(0, one) | Second(0.3).speak(0, third)
    after = room.run()
    assert {after[clip] for clip in other} == {before[other[0]]}
    assert {after[clip] for clip in (*one, *third)} == {before[one[0]]}
    room.opinion = None
    assert room.run(second_opinion=None).keys() == before.keys()
    for row in room.embeddings:
        room.embeddings[row] = with_campplus(room.embeddings[row], opinion[row])
    found = room.run(encoder="campplus")
    assert {found[clip] for clip in one} == {before[one[0]]}
    assert {found[clip] for clip in other} == {before[other[0]]}
    # The speaker was another's for a while: it is a new one now, with an id that nobody had.
    assert {found[clip] for clip in third} == {"spk003"}


def with_campplus(row, vector):
    from dataclasses import replace

    return replace(row, campplus=vector)


def test_embeddings_without_those_of_the_encoder_are_refused(room):
    fill(room, 0.3)
    opinion, room.opinion = room.opinion, None
    with pytest.raises(ValueError, match="embedded by resemblyzer alone"):
        room.run(encoder="campplus")
    clip = next(iter(room.embeddings))
    room.embeddings[clip] = with_campplus(room.embeddings[clip], opinion[clip])
    with pytest.raises(ValueError, match="35 of 36 clips have no embedding of CAM"):
        room.run(encoder="campplus")


def test_the_threshold_is_that_of_the_encoder():
    assert SpeakerSettings().threshold == 0.9
    assert SpeakerSettings(encoder="campplus").threshold == 0.78
    assert SpeakerSettings(encoder="campplus", min_speech=0.5).least_speech == 0.5
    assert SpeakerSettings(encoder="campplus").least_speech == 1.0
    assert SpeakerSettings().least_speech == 1.6
