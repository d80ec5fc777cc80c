"""Rows that are no clips, and sources that cannot be read at all."""

import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lib.corpus import CorpusError
from tests.corpus.test_sources import make_audiofolder_csv, read, save_dataset, write_files

BAD_ROWS = {
    "missing file": ("gone.webm,text", "missing_file", "line 3"),
    "no file name": (",text", "missing_file", "line 3"),
    "folder": ("folder,text", "missing_file", "line 3"),
    "no text": ("b.webm,", "missing_text", "line 3"),
    "blank text": ('b.webm,"  "', "missing_text", "line 3"),
    "too many columns": ("b.webm,Hello, world", "damaged_row", "line 3"),
    "too few columns": ("b.webm", "damaged_row", "line 3"),
    "NUL": ("b.webm,a\0b", "damaged_row", "line 3"),
    "escape": ("../../etc/passwd,text", "unsafe_path", "line 3"),
    "absolute": ("/etc/passwd,text", "unsafe_path", "line 3"),
    "duplicate": ("a.webm,again", "duplicate_id", "line 3"),
    "open quote": ('b.webm,"Hello', "damaged_row", "line 3"),
    "huge cell": ("b.webm," + "x" * 200_000, "damaged_row", "line 3"),
}


@pytest.mark.parametrize(("line", "reason", "where"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_bad_row_is_reported_and_stops_nothing(tmp_path, line, reason, where):
    write_files(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "metadata.csv").write_text(f"file_name,text\na.webm,fine\n{line}\n", "utf-8")

    corpus = read(tmp_path)

    assert list(corpus.clips) == ["a"]
    assert [row.reason for row in corpus.invalid_rows] == [reason]
    assert corpus.invalid_rows[0].origin == f"metadata.csv {where}"
    assert corpus.invalid_rows[0].detail


def test_what_is_no_regular_file_is_never_opened(tmp_path):
    """Reading a named pipe would wait for ever."""
    write_files(tmp_path)
    os.mkfifo(tmp_path / "pipe.webm")
    (tmp_path / "metadata.csv").write_text("file_name,text\na.webm,fine\npipe.webm,x\n")

    assert read(tmp_path).invalid_rows[0].detail.endswith("pipe.webm is not a regular file")


def test_problem_carries_the_id_it_would_have_had(tmp_path):
    write_files(tmp_path)
    rows = "file_name,text\na.webm,fine\n../x.webm,y\nb.webm,\n"
    (tmp_path / "metadata.csv").write_text(rows)

    first, second = read(tmp_path).invalid_rows

    assert first.clip.startswith("x-")
    assert second.clip == "b"


def test_duplicate_names_both_rows(tmp_path):
    write_files(tmp_path)
    (tmp_path / "metadata.csv").write_text("file_name,text\na.webm,one\nb.webm,x\na.webm,two\n")

    corpus = read(tmp_path)

    assert corpus.clips["a"].text == "one"
    assert corpus.invalid_rows[0].origin == "metadata.csv line 4"
    assert corpus.invalid_rows[0].detail.startswith("metadata.csv line 2 has the same id")


@pytest.mark.parametrize("line", ["not json", "[1]", '{"file_name": "b.webm"'])
def test_bad_json_line_is_reported(tmp_path, line):
    write_files(tmp_path)
    good = json.dumps({"file_name": "a.webm", "text": "fine"})
    (tmp_path / "metadata.jsonl").write_text(f"{good}\n{line}\n")

    corpus = read(tmp_path)

    assert list(corpus.clips) == ["a"]
    assert corpus.invalid_rows[0].origin == "metadata.jsonl line 2"


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "x/../../a"])
def test_ljspeech_ids_do_not_escape(tmp_path, name):
    write_files(tmp_path)
    source = tmp_path / "source"
    write_files(source)
    (source / "metadata.csv").write_text(f"a|fine\n{name}|text\n")

    corpus = read(source)

    assert list(corpus.clips) == ["a"]
    assert corpus.invalid_rows[0].reason in ("unsafe_path", "missing_file")


# --- sources that cannot be read at all ----------------------------------------------------------


def test_missing_source_names_the_key(tmp_path):
    with pytest.raises(CorpusError, match=r"source.path: .*nowhere does not exist"):
        read(tmp_path / "nowhere")


def test_unknown_source_tells_what_was_found(tmp_path):
    (tmp_path / "song.mp3").write_bytes(b"x")

    with pytest.raises(CorpusError, match=r"found song.mp3 in .*metadata.csv"):
        read(tmp_path)


def test_a_folder_where_the_table_should_be_is_called_one(tmp_path):
    (tmp_path / "metadata.csv").mkdir()

    with pytest.raises(CorpusError, match=r"found metadata.csv \(a folder\) in"):
        read(tmp_path)


def test_a_table_that_is_a_broken_link_is_called_one(tmp_path):
    (tmp_path / "metadata.csv").symlink_to(tmp_path / "gone.csv")

    with pytest.raises(CorpusError, match=r"found metadata.csv \(a link that points nowhere\) in"):
        read(tmp_path)


def test_a_broken_link_to_audio_is_called_one(tmp_path):
    make_audiofolder_csv(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".csv")
    (tmp_path / names[0]).unlink()
    (tmp_path / names[0]).symlink_to("/gone/for/good.wav")

    (invalid_row,) = read(tmp_path).invalid_rows

    assert invalid_row.reason == "missing_file"
    assert invalid_row.detail.endswith(
        f"{names[0]} is a link that points nowhere: /gone/for/good.wav"
    )


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"text": "words"}, r"columns file_name, text, expected words .* source.columns.text"),
        ({"audio": "sound"}, r"expected sound for the audio.* source.columns.audio"),
        ({"id": "key"}, r"source.columns.id"),
        ({"speaker": "who"}, r"source.columns.speaker"),
    ],
)
def test_missing_column_is_named(tmp_path, chosen, message):
    make_audiofolder_csv(tmp_path)

    with pytest.raises(CorpusError, match=message):
        read(tmp_path, **chosen)


def test_table_without_known_columns(tmp_path):
    (tmp_path / "metadata.csv").write_text("file,words\na,b\n")

    with pytest.raises(CorpusError, match=r"has columns file, words, expected file_name"):
        read(tmp_path)


@pytest.mark.parametrize("content", ["", "\n\n", "file_name,text\n"])
def test_empty_source_is_refused(tmp_path, content):
    (tmp_path / "metadata.csv").write_text(content)

    with pytest.raises(CorpusError):
        read(tmp_path)


def test_empty_dataset_is_refused(tmp_path):
    save_dataset(tmp_path, {"audio": [{"bytes": b"x", "path": "x"}], "text": ["x"]})
    state = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / "state.json").write_text(json.dumps(state | {"_data_files": []}))

    with pytest.raises(CorpusError, match="has no rows"):
        read(tmp_path)


def test_source_of_bad_rows_only_says_what_is_wrong(tmp_path):
    (tmp_path / "metadata.csv").write_text("file_name,text\na.webm,x\nb.webm,y\n")

    with pytest.raises(CorpusError, match=r"none of the 2 rows .*2 missing_file.* line 2"):
        read(tmp_path)


@pytest.mark.parametrize("state", ["not json", "{}", '{"_data_files": [{"filename": "x.arrow"}]}'])
def test_half_saved_dataset_is_named(tmp_path, state):
    (tmp_path / "state.json").write_text(state)

    with pytest.raises(CorpusError, match="state.json"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["x.parquet", "data.arrow"])
def test_damaged_shard_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"PAR1 not really")
    state = json.dumps({"_data_files": [{"filename": name}]})
    if name.endswith("arrow"):
        (tmp_path / "state.json").write_text(state)

    with pytest.raises(CorpusError, match=name):
        read(tmp_path)


def test_decoded_audio_is_refused(tmp_path):
    table = pa.table({"audio": [[0.1, 0.2]], "text": ["x"]})
    pq.write_table(table, tmp_path / "x.parquet")

    with pytest.raises(CorpusError, match="source.columns.audio"):
        read(tmp_path)
