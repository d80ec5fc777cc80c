"""Every kind of source, and every kind of row that is no clip."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lib.corpus import Columns, CorpusError, read_audio, read_corpus

ROOT = Path(__file__).resolve().parents[2]
AUDIO = {"a": b"audio of a", "b": b"audio of b", "c": b""}
TEXTS = {"a": "First sentence.", "b": "Zweiter Satz, größer.", "c": "Third"}


def write_files(folder: Path, extension: str = ".webm") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in AUDIO.items():
        (folder / (name + extension)).write_bytes(content)


def read(folder: Path, **columns: str):
    return read_corpus(folder, Columns(**columns), None)


def saved_rows() -> dict[str, list]:
    return {
        "audio": [{"bytes": AUDIO[name], "path": f"{name}.webm"} for name in AUDIO],
        "text": list(TEXTS.values()),
        "who": ["ann", None, "bob"],
    }


def save_dataset(folder: Path, rows: dict[str, list], splits: tuple[str, ...] = ()) -> None:
    """Write what `datasets.save_to_disk` writes, with the library itself."""
    import datasets

    dataset = datasets.Dataset.from_dict(rows)
    if isinstance(rows["audio"][0], dict):
        dataset = dataset.cast_column("audio", datasets.Audio(decode=False))
    if splits:
        half = len(dataset) // 2
        parts = dataset.select(range(half)), dataset.select(range(half, len(dataset)))
        datasets.DatasetDict(dict(zip(splits, parts, strict=True))).save_to_disk(folder)
    else:
        dataset.save_to_disk(folder)


def make_audiofolder_csv(folder: Path) -> None:
    write_files(folder)
    lines = [f'{name}.webm,"{text}"' for name, text in TEXTS.items()]
    (folder / "metadata.csv").write_text("\n".join(["file_name,text", *lines]), "utf-8")


def make_audiofolder_jsonl(folder: Path) -> None:
    write_files(folder)
    rows = [{"file_name": f"{name}.webm", "text": text} for name, text in TEXTS.items()]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")


def make_audiofolder_parquet(folder: Path) -> None:
    write_files(folder)
    rows = {"file_name": [f"{name}.webm" for name in TEXTS], "text": list(TEXTS.values())}
    pq.write_table(pa.table(rows), folder / "metadata.parquet")


def make_ljspeech(folder: Path) -> None:
    write_files(folder / "wavs", ".flac")
    lines = [f"{name}|raw|{text}" for name, text in TEXTS.items()]
    (folder / "metadata.csv").write_text("\n".join(lines), "utf-8")


def make_ljspeech_flat(folder: Path) -> None:
    write_files(folder, ".mp3")
    lines = [f"{name}|{text}" for name, text in TEXTS.items()]
    (folder / "metadata.csv").write_text("\n".join(lines), "utf-8")


def make_dataset(folder: Path) -> None:
    save_dataset(folder, saved_rows())


def make_dataset_dict(folder: Path) -> None:
    save_dataset(folder, saved_rows(), ("train", "test"))


def make_dataset_of_relative_paths(folder: Path) -> None:
    save_dataset(folder, saved_rows() | {"audio": [f"{name}.webm" for name in AUDIO]})
    write_files(folder)


def make_shards(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    table = pa.table(saved_rows())
    pq.write_table(table.slice(0, 2), folder / "data/train-00000-of-00002.parquet")
    pq.write_table(table.slice(2), folder / "data/train-00001-of-00002.parquet")


SOURCES = [
    make_audiofolder_csv,
    make_audiofolder_jsonl,
    make_audiofolder_parquet,
    make_ljspeech,
    make_ljspeech_flat,
    make_dataset,
    make_dataset_dict,
    make_dataset_of_relative_paths,
    make_shards,
]


@pytest.mark.parametrize("make", SOURCES, ids=lambda make: make.__name__)
def test_source_is_read(tmp_path, make):
    make(tmp_path / "source")

    corpus = read(tmp_path / "source")

    assert list(corpus.clips) == ["a", "b", "c"]
    assert corpus.problems == []
    assert {name: clip.text for name, clip in corpus.clips.items()} == TEXTS
    assert {name: read_audio(clip) for name, clip in corpus.clips.items()} == AUDIO
    assert len({clip.fingerprint for clip in corpus.clips.values()}) == 3


@pytest.mark.parametrize("make", SOURCES, ids=lambda make: make.__name__)
def test_fingerprint_is_of_the_bytes_alone(tmp_path, make):
    make(tmp_path / "source")
    make_audiofolder_csv(tmp_path / "reference")

    ours, reference = read(tmp_path / "source"), read(tmp_path / "reference")

    assert ours.digest("fingerprint") == reference.digest("fingerprint")


def test_saved_dataset_of_absolute_paths(tmp_path):
    write_files(tmp_path / "elsewhere")
    paths = [str(tmp_path / f"elsewhere/{name}.webm") for name in AUDIO]
    save_dataset(tmp_path / "source", saved_rows() | {"audio": paths})
    (tmp_path / "elsewhere/c.webm").unlink()

    corpus = read(tmp_path / "source")

    assert sorted(clip.text for clip in corpus.clips.values()) == [TEXTS["a"], TEXTS["b"]]
    assert all("elsewhere" in id_ for id_ in corpus.clips)
    assert corpus.problems[0].reason == "missing_file"


def test_audio_struct_with_paths_only(tmp_path):
    rows = saved_rows()
    rows["audio"] = [{"bytes": None, "path": f"{name}.webm"} for name in AUDIO]
    (tmp_path / "data").mkdir()
    schema = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table({"audio": pa.array(rows["audio"], schema), "text": rows["text"]})
    pq.write_table(table, tmp_path / "data/train.parquet")
    write_files(tmp_path)

    assert {id_: read_audio(clip) for id_, clip in read(tmp_path).clips.items()} == AUDIO


def test_bytes_without_a_path_are_named_by_content(tmp_path):
    def write(names: list[str]) -> list[str]:
        table = pa.table({"audio": [AUDIO[n] for n in names], "text": [TEXTS[n] for n in names]})
        pq.write_table(table, tmp_path / "x.parquet")
        return list(read(tmp_path).clips)

    assert write(["a", "b"]) == write(["b", "a"])
    assert set(write(["a", "b"])) < set(write(["c", "b", "a"]))


def test_rows_of_many_batches_are_found(tmp_path):
    """A saved dataset comes in batches of 1,000 rows."""
    names = [f"c{number:03}" for number in range(50)]
    audio = [{"bytes": name.encode(), "path": f"{name}.webm"} for name in names]
    table = pa.table({"audio": audio, "text": names})
    with pa.ipc.new_stream(str(tmp_path / "data.arrow"), table.schema) as stream:
        stream.write_table(table, max_chunksize=7)
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')

    clips = read(tmp_path).clips

    assert [read_audio(clips[name]).decode() for name in names] == names


def test_rows_of_many_row_groups_are_found(tmp_path):
    audio = [f"audio {number}".encode() for number in range(250)]
    table = pa.table({"audio": audio, "text": ["x"] * 250, "id": [f"c{n:03}" for n in range(250)]})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=7)

    clips = read(tmp_path).clips

    assert [read_audio(clips[f"c{number:03}"]) for number in range(250)] == audio


def test_optional_columns(tmp_path):
    save_dataset(tmp_path, saved_rows() | {"key": ["x", "y", "z"], "day": [1, 2, None]})

    clips = read(tmp_path, id="key", speaker="who", session="day").clips

    assert [(c.id, c.speaker, c.session) for c in clips.values()] == [
        ("x", "ann", "1"),
        ("y", None, "2"),
        ("z", "bob", None),
    ]


def test_split_folders_with_metadata_of_their_own(tmp_path):
    make_audiofolder_csv(tmp_path / "train")
    make_audiofolder_jsonl(tmp_path / "test")

    corpus = read(tmp_path)

    assert all(id_.startswith("train-") for id_ in corpus.clips)
    assert len(corpus.clips) == 3


def test_hidden_folders_are_no_source(tmp_path):
    make_audiofolder_csv(tmp_path / ".cache")

    with pytest.raises(CorpusError, match="found .cache"):
        read(tmp_path)


@pytest.mark.parametrize("text", ["text", "normalised"])
def test_ljspeech_text_can_be_chosen(tmp_path, text):
    write_files(tmp_path / "wavs", ".wav")
    (tmp_path / "metadata.csv").write_text("a|5 cats|five cats\nb|two|\nc|three")

    corpus = read(tmp_path, text=text)

    assert corpus.clips["a"].text == {"text": "5 cats", "normalised": "five cats"}[text]
    assert len(corpus.clips) == (3 if text == "text" else 1)
    assert [clip.text for clip in read(tmp_path).clips.values()] == ["five cats", "two", "three"]


def test_audio_that_comes_later_is_found(tmp_path):
    """Within one process, as when a workflow is started again from Python."""
    make_ljspeech(tmp_path)
    (tmp_path / "wavs/a.flac").rename(tmp_path / "aside")
    assert list(read(tmp_path).clips) == ["b", "c"]

    (tmp_path / "aside").rename(tmp_path / "wavs/a.flac")
    assert list(read(tmp_path).clips) == ["a", "b", "c"]


def test_ljspeech_names_with_extension_and_header(tmp_path):
    write_files(tmp_path / "wavs", ".wav")
    (tmp_path / "metadata.csv").write_text('id|text\na.wav|He said "no|yes"\nb.wav|"Hello\n')

    corpus = read(tmp_path)

    assert corpus.clips["b"].text == '"Hello'
    assert set(corpus.clips) == {"a", "b"}


def test_rewritten_dataset_changes_only_what_changed(tmp_path):
    """Rows added, removed and in another order: the others keep id, fingerprint and bytes."""
    rows = saved_rows()
    save_dataset(tmp_path / "source", rows)
    before = read_corpus(tmp_path / "source", Columns(), tmp_path / "cache")
    order = [2, 0]
    rows = {name: [column[i] for i in order] for name, column in rows.items()}
    rows["audio"].append({"bytes": b"new", "path": "d.webm"})
    rows["text"].append("Fourth.")
    rows["who"].append(None)
    save_dataset(tmp_path / "rewritten", rows)
    shutil.rmtree(tmp_path / "source")
    (tmp_path / "rewritten").rename(tmp_path / "source")

    after = read_corpus(tmp_path / "source", Columns(), tmp_path / "cache")

    assert list(after.clips) == ["a", "c", "d"]
    assert before.digest("fingerprint", "text", ids="ac") == after.digest(
        "fingerprint", "text", ids="ac"
    )
    assert read_audio(after.clips["a"]) == AUDIO["a"]
    assert read_audio(after.clips["d"]) == b"new"


# --- encodings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_spreadsheets_write(tmp_path, encoding, newline, delimiter):
    write_files(tmp_path)
    rows = [
        ["file_name", "text"],
        ["a.webm", '"Say ""größer"", please"'],
        ["", ""],
        ["b.webm", "x"],
    ]
    content = newline.join(delimiter.join(row) for row in rows)
    (tmp_path / "metadata.csv").write_bytes(content.encode(encoding))

    corpus = read(tmp_path)

    assert [clip.text for clip in corpus.clips.values()] == ['Say "größer", please', "x"]
    assert corpus.problems == []


def test_latin1_is_refused_with_its_line(tmp_path):
    write_files(tmp_path)
    (tmp_path / "metadata.csv").write_bytes(
        "file_name,text\na.webm,ok\nb.webm,größer".encode("latin-1")
    )

    with pytest.raises(CorpusError, match=r"metadata.csv line 3: b'\\xf6'.* not UTF-8"):
        read(tmp_path)


# --- rows that are no clips ----------------------------------------------------------------------

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
    "open quote": ('b.webm,"Hello\nc.webm,x', "damaged_row", "lines 3 to 4"),
    "huge cell": ("b.webm," + "x" * 200_000, "damaged_row", "line 3"),
}


@pytest.mark.parametrize(("line", "reason", "where"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_bad_row_is_reported_and_stops_nothing(tmp_path, line, reason, where):
    write_files(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "metadata.csv").write_text(f"file_name,text\na.webm,fine\n{line}\n", "utf-8")

    corpus = read(tmp_path)

    assert list(corpus.clips) == ["a"]
    assert [problem.reason for problem in corpus.problems] == [reason]
    assert corpus.problems[0].origin == f"metadata.csv {where}"
    assert corpus.problems[0].detail


def test_what_is_no_regular_file_is_never_opened(tmp_path):
    """Reading a named pipe would wait for ever."""
    write_files(tmp_path)
    os.mkfifo(tmp_path / "pipe.webm")
    (tmp_path / "metadata.csv").write_text("file_name,text\na.webm,fine\npipe.webm,x\n")

    assert read(tmp_path).problems[0].detail.endswith("pipe.webm is not a regular file")


def test_problem_carries_the_id_it_would_have_had(tmp_path):
    write_files(tmp_path)
    rows = "file_name,text\na.webm,fine\n../x.webm,y\nb.webm,\n"
    (tmp_path / "metadata.csv").write_text(rows)

    first, second = read(tmp_path).problems

    assert first.clip.startswith("x-")
    assert second.clip == "b"


def test_duplicate_names_both_rows(tmp_path):
    write_files(tmp_path)
    (tmp_path / "metadata.csv").write_text("file_name,text\na.webm,one\nb.webm,x\na.webm,two\n")

    corpus = read(tmp_path)

    assert corpus.clips["a"].text == "one"
    assert corpus.problems[0].origin == "metadata.csv line 4"
    assert corpus.problems[0].detail.startswith("metadata.csv line 2 has the same id")


@pytest.mark.parametrize("line", ["not json", "[1]", '{"file_name": "b.webm"'])
def test_bad_json_line_is_reported(tmp_path, line):
    write_files(tmp_path)
    good = json.dumps({"file_name": "a.webm", "text": "fine"})
    (tmp_path / "metadata.jsonl").write_text(f"{good}\n{line}\n")

    corpus = read(tmp_path)

    assert list(corpus.clips) == ["a"]
    assert corpus.problems[0].origin == "metadata.jsonl line 2"


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "x/../../a"])
def test_ljspeech_ids_do_not_escape(tmp_path, name):
    write_files(tmp_path)
    source = tmp_path / "source"
    write_files(source)
    (source / "metadata.csv").write_text(f"a|fine\n{name}|text\n")

    corpus = read(source)

    assert list(corpus.clips) == ["a"]
    assert corpus.problems[0].reason in ("unsafe_path", "missing_file")


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

    (problem,) = read(tmp_path).problems

    assert problem.reason == "missing_file"
    assert problem.detail.endswith(f"{names[0]} is a link that points nowhere: /gone/for/good.wav")


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


def test_import_is_light():
    program = "import sys, lib.corpus; print([m for m in ('numpy', 'pyarrow') if m in sys.modules])"

    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", ["save_to_disk", "parquet"])
def test_a_rewritten_dataset_changes_only_what_really_changed(tmp_path, kind):
    """Rows added, removed, reordered, one of them edited, all in one rewriting."""

    def write(rows: dict[str, tuple[bytes, str]]):
        shutil.rmtree(tmp_path / "source", ignore_errors=True)
        audio = [{"bytes": content, "path": f"{name}.webm"} for name, (content, _) in rows.items()]
        columns = {"audio": audio, "text": [text for _, text in rows.values()]}
        if kind == "save_to_disk":
            save_dataset(tmp_path / "source", columns)
        else:
            (tmp_path / "source/data").mkdir(parents=True)
            pq.write_table(pa.table(columns), tmp_path / "source/data/train-00000-of-00001.parquet")
        return read_corpus(tmp_path / "source", Columns(), tmp_path / "cache")

    rows = {f"c{n}": (f"sound {n}".encode(), f"Text {n}") for n in range(6)}
    before = write(rows)
    changed = {"new": (b"new sound", "New"), **dict(reversed(rows.items()))}
    del changed["c2"]
    changed["c3"] = (b"sound 3", "Another text")
    changed["c4"] = (b"other sound", "Text 4")
    after = write(changed)
    assert list(after.clips) == ["c0", "c1", "c3", "c4", "c5", "new"]
    same_audio = {
        name
        for name in after.clips.keys() & before.clips.keys()
        if after.digest("fingerprint", ids=[name]) == before.digest("fingerprint", ids=[name])
    }
    assert same_audio == {"c0", "c1", "c3", "c5"}
    same_text = {
        name
        for name in after.clips.keys() & before.clips.keys()
        if after.digest("text", ids=[name]) == before.digest("text", ids=[name])
    }
    assert same_text == {"c0", "c1", "c4", "c5"}
    assert {name: read_audio(clip) for name, clip in after.clips.items()} == {
        name: content for name, (content, _) in changed.items()
    }
    # Only the order of the rows: nothing at all.
    again = write(dict(reversed(changed.items())))
    assert again.digest("fingerprint", "text") == after.digest("fingerprint", "text")
