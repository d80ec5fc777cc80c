"""Ids that were given stay, whatever is added, moved, taken out or encoded anew."""

import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.corpus import Columns, CorpusError, read_audio, read_corpus, save_corpus
from lib.corpus.ids import Identity, IdRecord, hashed_id
from tests.corpus.test_sources import save_dataset

NAMES = st.sampled_from(["a", "A", "b", "é", "É", "001", "001.mp3", "s/1", "S/1"])
RECORDINGS = st.lists(
    st.builds(Identity, NAMES, st.sampled_from(["x.wav", "x.mp3"]), st.sampled_from("0123")),
    unique_by=lambda row: (row.name, row.content_hash),
    max_size=12,
)


def write(folder, files: dict[str, bytes]) -> None:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file_name", "text"), *((name, "text") for name in files)])


def ids(folder, record=None, **columns) -> dict[bytes, str]:
    """Read a source; return the id of every recording, by what is in it."""
    corpus = read_corpus(folder, Columns(**columns), None, record)
    if record:
        save_corpus(corpus, record.parent / "cache")
    return {read_audio(clip): clip.id for clip in corpus.clips.values()}


def test_a_name_that_differs_in_case_does_not_take_an_id_away(tmp_path):
    write(tmp_path / "source", {"A.wav": b"1"})
    assert ids(tmp_path / "source", tmp_path / "ids.json") == {b"1": "A"}
    write(tmp_path / "source", {"a.wav": b"2", "A.wav": b"1"})

    found = ids(tmp_path / "source", tmp_path / "ids.json")

    assert found[b"1"] == "A"
    # As it was in corpora that had both from the beginning.
    assert found[b"2"] == hashed_id("a")


def test_files_of_one_name_in_several_folders_are_several_clips(tmp_path):
    """`datasets` keeps the base name of the files alone."""
    audio = [{"bytes": b"%d" % n, "path": "001.wav"} for n in range(5)]
    save_dataset(tmp_path / "source", {"audio": audio, "text": ["x"] * 5})
    first = ids(tmp_path / "source", tmp_path / "ids.json")
    assert len(first) == len(set(first.values())) == 5
    assert first[b"0"] == "001"

    audio.insert(0, {"bytes": b"new", "path": "001.wav"})
    save_dataset(tmp_path / "other", {"audio": audio[::-1], "text": ["x"] * 6})
    after = ids(tmp_path / "other", tmp_path / "ids.json")

    assert {sound: after[sound] for sound in first} == first
    assert after[b"new"] not in first.values()


@pytest.mark.parametrize(
    "names",
    [["001.webm", "001.mp3", "001.flac"], ["2024.01.05", "2024.01.06"], ["a.b", "a.c.wav", "a"]],
)
def test_names_that_differ_after_a_dot_are_several_clips(tmp_path, names):
    write(tmp_path / "source", {name: name.encode() for name in names})

    found = ids(tmp_path / "source", tmp_path / "ids.json")

    assert found.keys() == {name.encode() for name in names}
    write(tmp_path / "source", {name: name.encode() for name in reversed(names)})
    assert ids(tmp_path / "source", tmp_path / "ids.json") == found


def test_the_same_recording_twice_is_one_clip(tmp_path):
    write(tmp_path / "source", {"a.wav": b"1", "a.mp3": b"1"})

    corpus = read_corpus(tmp_path / "source", Columns(), None)

    assert list(corpus.clips) == ["a"]
    assert [row.reason for row in corpus.invalid_rows] == ["duplicate_id"]


def test_a_clip_that_is_recorded_or_encoded_anew_keeps_its_id(tmp_path):
    record = tmp_path / "ids.json"
    write(tmp_path / "source", {"a.wav": b"1", "A.wav": b"2", "b.wav": b"3"})
    first = ids(tmp_path / "source", record)
    write(tmp_path / "source", {"b.flac": b"six", "A.wav": b"four", "a.wav": b"five"})

    found = ids(tmp_path / "source", record)

    assert (found[b"five"], found[b"four"]) == (first[b"1"], first[b"2"])
    assert found[b"six"] == "b"


@settings(max_examples=200)
@given(RECORDINGS, st.randoms(use_true_random=False), st.data())
def test_recordings_that_are_added_move_no_id(tmp_path_factory, recordings, random, data):
    path = tmp_path_factory.mktemp("record") / "ids.json"
    first = recordings[: data.draw(st.integers(0, len(recordings)))]
    record = IdRecord(path)
    given_ids = dict(zip(first, record.assign(first), strict=True))
    record.save()
    random.shuffle(recordings)

    record = IdRecord(path)
    found = dict(zip(recordings, record.assign(recordings), strict=True))

    assert {row: found[row] for row in first} == given_ids
    assert len({id_.lower() for id_ in found.values()}) == len(recordings)


@settings(max_examples=100)
@given(RECORDINGS, RECORDINGS)
def test_recordings_that_come_back_have_the_ids_that_they_had(tmp_path_factory, first, other):
    """But for those whose file another recording took meanwhile."""
    record = IdRecord(None)
    before = dict(zip(first, record.assign(first), strict=True))
    names = {row.name for row in first}
    record.assign([row for row in other if row.name not in names])
    assert dict(zip(first, record.assign(first), strict=True)) == before


def test_without_a_record_the_ids_of_an_earlier_version_stand(tmp_path):
    """An absolute path was once part of an id."""
    write(tmp_path / "source", {str(tmp_path / "source/a.wav"): b"1", "b.wav": b"2"})
    save_corpus(read_corpus(tmp_path / "source", Columns(), None), tmp_path / "cache")
    index = tmp_path / "cache/corpus.json"
    content = json.loads(index.read_text())
    content["clips"][0]["id"] = "tmp-source-a-0123456789"
    index.write_text(json.dumps(content))

    corpus = read_corpus(
        tmp_path / "source", Columns(), tmp_path / "cache", tmp_path / "state/ids.json"
    )

    assert list(corpus.clips) == ["b", "tmp-source-a-0123456789"]


def test_a_source_that_is_only_looked_at_fixes_no_ids(tmp_path):
    """A dry run may see half a table; the rows that come first when it is whole get plain ids."""
    write(tmp_path / "source", {"A.wav": b"two"})
    cache, record = tmp_path / "cache", tmp_path / "state/ids.json"
    read_corpus(tmp_path / "source", Columns(), cache, record)
    assert not record.exists()
    assert not (cache / "corpus.json").exists()
    write(tmp_path / "source", {"a.wav": b"one", "A.wav": b"two"})

    corpus = read_corpus(tmp_path / "source", Columns(), cache, record)
    save_corpus(corpus, cache)

    assert corpus.clips["a"].origin == "metadata.csv line 2"
    assert set(json.loads(record.read_text())["clips"]) == set(corpus.clips)


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("lib.corpus.content_hash.SETTLING_TIME", -1)
    write(tmp_path / "source", {"a.wav": b"one"})
    (tmp_path / "results").write_text("a file where a folder should be")
    assert list(read_corpus(tmp_path / "source", Columns(), tmp_path / "results/cache").clips)
    assert "the next start reads all audio again" in caplog.text


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 9, "clips": {}}', '{"format": 1}'])
def test_a_damaged_record_is_not_taken_for_an_empty_one(tmp_path, content):
    (tmp_path / "ids.json").write_text(content)
    with pytest.raises(CorpusError, match=r"ids\.json: the record of clip ids is damaged"):
        IdRecord(tmp_path / "ids.json")
