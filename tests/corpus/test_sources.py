"""Every kind of source, and every kind of row that is no clip."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lib.corpus import (
    AudioLocation,
    Clip,
    Columns,
    CorpusError,
    find_sessions,
    read_audio,
    read_corpus,
)

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
    assert corpus.invalid_rows == []
    assert {name: clip.text for name, clip in corpus.clips.items()} == TEXTS
    assert {name: read_audio(clip) for name, clip in corpus.clips.items()} == AUDIO
    assert len({clip.content_hash for clip in corpus.clips.values()}) == 3


@pytest.mark.parametrize("make", SOURCES, ids=lambda make: make.__name__)
def test_content_hash_is_of_the_bytes_alone(tmp_path, make):
    make(tmp_path / "source")
    make_audiofolder_csv(tmp_path / "reference")

    ours, reference = read(tmp_path / "source"), read(tmp_path / "reference")

    assert ours.digest("content_hash") == reference.digest("content_hash")


def test_saved_dataset_of_absolute_paths(tmp_path):
    write_files(tmp_path / "elsewhere")
    paths = [str(tmp_path / f"elsewhere/{name}.webm") for name in AUDIO]
    save_dataset(tmp_path / "source", saved_rows() | {"audio": paths})
    (tmp_path / "elsewhere/c.webm").unlink()

    corpus = read(tmp_path / "source")

    assert sorted(clip.text for clip in corpus.clips.values()) == [TEXTS["a"], TEXTS["b"]]
    assert all("elsewhere" in id_ for id_ in corpus.clips)
    assert corpus.invalid_rows[0].reason == "missing_file"


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

    assert sorted(id_.split("-")[0] for id_ in corpus.clips) == ["test"] * 3 + ["train"] * 3
    assert {clip.origin.split()[0] for clip in corpus.clips.values()} == {
        "train/metadata.csv",
        "test/metadata.jsonl",
    }


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
    """Rows added, removed and in another order: the others keep id, content_hash and bytes."""
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
    assert before.digest("content_hash", "text", ids="ac") == after.digest(
        "content_hash", "text", ids="ac"
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
    assert corpus.invalid_rows == []


def test_latin1_is_refused_with_its_line(tmp_path):
    write_files(tmp_path)
    (tmp_path / "metadata.csv").write_bytes(
        "file_name,text\na.webm,ok\nb.webm,größer".encode("latin-1")
    )

    with pytest.raises(CorpusError, match=r"metadata.csv line 3: b'\\xf6'.* not UTF-8"):
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
        if after.digest("content_hash", ids=[name]) == before.digest("content_hash", ids=[name])
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
    assert again.digest("content_hash", "text") == after.digest("content_hash", "text")


# Sessions ----------------------------------------------------------------------------------------


def make_clips(paths, session=None, row=None):
    return {
        Path(path).stem: Clip(
            Path(path).stem, "text", "hash", AudioLocation(path, row=row), None, session, "row"
        )
        for path in paths
    }


DAYS = [f"{day}/{day}-{take}.webm" for day in ("mon-1", "mon-2", "tue-1") for take in range(4)]


def test_sessions_are_those_that_the_source_names():
    clips = make_clips(DAYS[:4], session="first") | make_clips(DAYS[4:])
    kind, sessions = find_sessions(clips)
    assert kind == "session" and sessions == dict.fromkeys(make_clips(DAYS[:4]), "first")


def test_folders_that_divide_the_clips_may_be_sessions():
    kind, sessions = find_sessions(make_clips(DAYS))
    assert kind == "folder" and sessions["mon-2-3"] == "mon-2"
    assert set(sessions.values()) == {"mon-1", "mon-2", "tue-1"}


def test_beginnings_of_names_that_divide_the_clips_may_be_sessions():
    flat = [path.partition("/")[2] for path in DAYS]
    kind, sessions = find_sessions(make_clips(flat))
    assert kind == "prefix" and sessions["mon-2-3"] == "mon-2"
    # Rows of one file have no folders of their own.
    assert find_sessions(make_clips(DAYS, row=3))[0] == "prefix"


@pytest.mark.parametrize(
    "paths",
    [
        ["a-1.wav", "a-2.wav", "a-3.wav"],  # all begin alike
        ["a-1.wav", "b-1.wav", "c-1.wav", "d-1.wav"],  # every clip begins with something else
        ["a-1.wav", "a-2.wav", "a-3.wav", "b-1.wav", "b-2.wav", "b-3.wav", "odd.wav"],
        [],
    ],
)
def test_names_that_do_not_divide_the_clips_are_no_sessions(paths):
    assert find_sessions(make_clips(paths)) == (None, {})
