"""Recordings that are called otherwise than the table says, and those that are not there."""

import json
import shutil
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.corpus import Columns, read_corpus
from lib.lfs import is_pointer

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def write(folder, rows: dict[str, bytes | None], files: dict[str, bytes] | None = None):
    """Write a table of file names, and these or other files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (rows if files is None else files).items():
        if content is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    lines = [json.dumps({"file_name": name, "text": "text"}) for name in rows]
    (folder / "metadata.jsonl").write_text("\n".join(lines), "utf-8")
    return read_corpus(folder, Columns(), None)


@pytest.mark.parametrize(
    ("wanted", "there", "id_", "said"),
    [
        ("rec\\a1.wav", "rec/a1.wav", None, "rec/a1.wav"),
        ("a1.wav", "A1.WAV", "A1", "other capitals"),
        ("Rec/a1.wav", "rec/A1.wav", None, "other capitals"),
        ("\u00e9.wav", "e\u0301.wav", None, "another Unicode form"),
        ("e\u0301.wav", "\u00e9.wav", None, "another Unicode form"),
        ("C:\\Users\\me\\rec\\a1.wav", "rec/a1.wav", None, "rec/a1.wav"),
        ("/home/other/corpus/a1.wav", "a1.wav", "a1", "a1.wav"),
    ],
)
def test_the_one_file_that_fits_is_taken_with_a_note(tmp_path, wanted, there, id_, said):
    corpus = write(tmp_path, {wanted: b"", "x.wav": b""}, {there: b"1", "x.wav": b"2"})

    assert not corpus.invalid_rows
    (clip,) = [clip for clip in corpus.clips.values() if clip.id != "x"]
    assert clip.audio.path == str(tmp_path / there)
    assert id_ in (None, clip.id)
    (note,) = corpus.notes
    assert note.origin == "metadata.jsonl line 1" and said in note.detail


def test_the_very_file_needs_no_note(tmp_path):
    corpus = write(tmp_path, {"A.wav": b"1", "a.wav": b"2", "b\\c.wav": b"3"})
    assert len(corpus.clips) == 3 and not corpus.notes


def test_two_files_that_fit_are_asked_about(tmp_path):
    corpus = write(
        tmp_path, {"a1.wav": b"", "x.wav": b""}, {"A1.wav": b"1", "a1.WAV": b"2", "x.wav": b"3"}
    )
    (invalid_row,) = corpus.invalid_rows
    assert invalid_row.reason == "missing_file"
    assert "'A1.wav' and 'a1.WAV': write which one" in invalid_row.detail


def test_a_missing_file_is_named_with_the_nearest_one(tmp_path):
    corpus = write(
        tmp_path, {"clip_01a.wav": b"", "x.wav": b""}, {"clip_01b.wav": b"", "x.wav": b""}
    )
    assert "'clip_01a.wav', the nearest file is 'clip_01b.wav'" in corpus.invalid_rows[0].detail


@settings(max_examples=60)
@given(
    st.text(st.sampled_from("aéïÅñọ가bZ"), min_size=1, max_size=4),
    st.sampled_from(["NFC", "NFD", "NFKC"]),
    st.sampled_from(["NFC", "NFD"]),
    st.sampled_from([str.lower, str.upper, str]),
)
def test_any_form_of_a_name_finds_its_file(tmp_path_factory, name, wanted, there, case):
    corpus = write(
        tmp_path_factory.mktemp("source"),
        {f"{case(unicodedata.normalize(wanted, name))}.wav": b""},
        {f"{unicodedata.normalize(there, name)}.wav": b"1"},
    )
    assert len(corpus.clips) == 1 and not corpus.invalid_rows


def test_absolute_paths_inside_the_source_are_inside(tmp_path):
    names = ["a.wav", "deep/b.wav"]
    here = tmp_path / "here"
    first = write(here, {str(here / name): name.encode() for name in names})
    relative = write(tmp_path / "relative", {name: name.encode() for name in names})
    assert not first.invalid_rows
    assert first.clips.keys() == relative.clips.keys()

    (tmp_path / "link").symlink_to(here)
    linked = read_corpus(tmp_path / "link", Columns(), None)
    assert linked.clips.keys() == first.clips.keys()
    assert not linked.invalid_rows and not linked.notes

    (tmp_path / "link").unlink()
    shutil.move(here, tmp_path / "there")
    moved = read_corpus(tmp_path / "there", Columns(), None)
    assert moved.clips.keys() == first.clips.keys()
    assert moved.digest("content_hash", "text") == first.digest("content_hash", "text")


@pytest.mark.parametrize("name", ["/etc/passwd", "../other.wav", "a/../../other.wav", "..\\o.wav"])
def test_nothing_outside_the_source_is_read(tmp_path, name):
    (tmp_path / "other.wav").write_bytes(b"x")
    corpus = write(tmp_path / "source", {name: None, "x.wav": b"1"})
    assert list(corpus.clips) == ["x"]
    assert corpus.invalid_rows[0].reason == "unsafe_path"


def test_a_pointer_of_git_lfs_is_called_one(tmp_path):
    corpus = write(tmp_path, {"a.wav": POINTER, "x.wav": b"1"})
    assert list(corpus.clips) == ["x"]
    assert "a Git LFS pointer" in corpus.invalid_rows[0].detail
    assert "git lfs pull" in corpus.invalid_rows[0].detail


@pytest.mark.parametrize("name", ["metadata.csv", "x.parquet", "state.json", "dataset_dict.json"])
def test_a_source_of_pointers_is_refused_with_what_to_do(tmp_path, name):
    (tmp_path / name).write_bytes(POINTER)
    with pytest.raises(ValueError, match=f"{name} is a Git LFS pointer.*git lfs pull"):
        read_corpus(tmp_path, Columns(), None)


def test_an_arrow_file_that_is_a_pointer_is_called_one(tmp_path):
    (tmp_path / "data.arrow").write_bytes(POINTER)
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    with pytest.raises(ValueError, match="data.arrow is a Git LFS pointer"):
        read_corpus(tmp_path, Columns(), None)


def test_pointers_within_a_parquet_file_are_found(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"audio": [b"1", POINTER], "text": ["x", "y"]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="x.parquet: the audio of row 2 is a Git LFS pointer"):
        read_corpus(tmp_path, Columns(), None)


def test_only_pointers_are_pointers():
    assert is_pointer(POINTER)
    assert not is_pointer(b"") and not is_pointer(b"RIFF") and not is_pointer(POINTER + b"x" * 2000)


# ------------------------------------------------------------------ names without the right end


def read_names(folder, *names):
    lines = [f"{name},text {number}" for number, name in enumerate(names)]
    (folder / "metadata.csv").write_text("\n".join(["file_name,text", *lines]) + "\n")
    return read_corpus(folder, Columns(), None)


def make(folder, *names) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


@pytest.mark.parametrize("beside", ["a.TextGrid", "a.lab", "a.png", "a.PDF", "a.phn"])
def test_what_is_beside_a_recording_is_not_taken_for_it(tmp_path, beside):
    make(tmp_path, "wavs/a.wav", f"wavs/{beside}")
    corpus = read_names(tmp_path, "a")
    assert corpus.clips["a"].audio.path == str(tmp_path / "wavs/a.wav")


def test_a_recording_of_an_unknown_extension_is_taken_where_it_is_alone(tmp_path):
    make(tmp_path, "wavs/a.xyz")
    assert list(read_names(tmp_path, "a").clips) == ["a"]


@pytest.mark.parametrize("name", ["a", "a.ogg"])
def test_of_two_recordings_that_fit_neither_is_taken(tmp_path, name):
    make(tmp_path, "wavs/a.wav", "wavs/a.mp3", "b.wav")
    corpus = read_names(tmp_path, name, "b")
    assert list(corpus.clips) == ["b"]
    assert (
        corpus.invalid_rows[0].detail
        == f"{name.removesuffix('.ogg')!r} fits 'a.mp3' and 'a.wav': write which one"
    )


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("a.mp3", "clips/a.wav"),
        ("clips/a.mp3", "clips/a.flac"),
        ("rec/a.WAV", "rec/a.opus"),
        ("https://example.org/corpus/rec/a%201.wav", "rec/a 1.wav"),
        ("file:///home/me/corpus/rec/a1.wav", "rec/a1.wav"),
    ],
)
def test_recordings_that_were_converted_or_fetched_are_taken_with_a_note(tmp_path, name, there):
    make(tmp_path, there)
    corpus = read_names(tmp_path, name)
    (clip,) = corpus.clips.values()
    assert clip.audio.path == str(tmp_path / there)
    assert corpus.notes[0].detail.startswith(f"{name!r} is taken to be ")


def test_the_nearest_file_may_be_in_a_folder_for_audio(tmp_path):
    make(tmp_path, "wavs/recording_01.wav", "b.wav")
    corpus = read_names(tmp_path, "recording_1.wav", "b.wav")
    assert "the nearest file is 'recording_01.wav'" in corpus.invalid_rows[0].detail


@pytest.mark.parametrize(
    "names",
    [
        ("/data/spk1/001.wav", "/data/spk2/001.wav"),
        ("D:\\one\\001.wav", "001.mp3", "b.wav"),
        ("spk/../001.ogg", "001.flac"),
    ],
)
def test_names_that_lead_to_one_file_are_not_the_same_recording(tmp_path, names):
    """The recordings of one speaker are missing, and the other's have their names."""
    make(tmp_path, "001.wav", "b.wav", "c.wav")
    corpus = read_names(tmp_path, *names, "c.wav")
    doubtful = [name for name in names if name != "b.wav"]
    assert len(corpus.clips) == 1 + len(names) - len(doubtful)
    assert [row.reason for row in corpus.invalid_rows] == ["missing_file"] * len(doubtful)
    assert all("name the right one" in row.detail for row in corpus.invalid_rows)


def test_a_row_that_names_its_file_keeps_it(tmp_path):
    make(tmp_path, "001.wav")
    corpus = read_names(tmp_path, "/data/spk2/001.wav", "001.wav")
    assert corpus.clips["001"].text == "text 1"
    assert "but so is the file of metadata.csv line 3" in corpus.invalid_rows[0].detail
