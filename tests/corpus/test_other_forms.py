"""Corpora as other projects and sites give them away, and typed tables with odd cells."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lib.corpus import Columns, CorpusError, read_audio, read_corpus
from tests.corpus.test_sources import AUDIO, TEXTS, save_dataset, saved_rows, write_files


def read(folder, **columns):
    return read_corpus(folder, Columns(**columns), None)


def speakers(corpus) -> dict[str, str | None]:
    return {clip.id: clip.speaker for clip in corpus.clips.values()}


def texts(corpus) -> dict[str, str]:
    return {clip.id: clip.text for clip in corpus.clips.values()}


# ------------------------------------------------------------------ what others write


def write_common_voice(folder) -> None:
    write_files(folder / "clips", ".mp3")
    header = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\tlocale"
    rows = [
        f"{who}\t{name}.mp3\t{text}\t2\t0\t\t\tde"
        for (name, text), who in zip(TEXTS.items(), ["f00", "ba7", "f00"], strict=True)
    ]
    (folder / "validated.tsv").write_text("\n".join([header, *rows]) + "\n")
    for name in ("train", "dev", "test", "invalidated", "other"):
        (folder / f"{name}.tsv").write_text("\n".join([header, rows[0]]) + "\n")


@pytest.mark.parametrize("place", ["", "de", "cv-corpus-17.0/de"])
def test_common_voice_as_downloaded(tmp_path, place):
    write_common_voice(tmp_path / place)
    corpus = read(tmp_path)
    assert sorted(texts(corpus).values()) == sorted(TEXTS.values())
    assert sorted(speakers(corpus).values()) == ["ba7", "f00", "f00"]
    assert not corpus.invalid_rows


def test_common_voice_in_two_languages_is_refused(tmp_path):
    write_common_voice(tmp_path / "de")
    write_common_voice(tmp_path / "fr")
    with pytest.raises(CorpusError, match="de/validated.tsv, fr/validated.tsv, expected one"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["manifest.json", "train_manifest.jsonl", "metadata.jsonl"])
@pytest.mark.parametrize("absolute", [True, False])
def test_nemo_manifests(tmp_path, name, absolute):
    write_files(tmp_path / "source/audio", ".wav")
    base = f"{tmp_path}/source/" if absolute else ""
    rows = [
        {"audio_filepath": f"{base}audio/{key}.wav", "text": text, "duration": 1.5, "offset": None}
        for key, text in TEXTS.items()
    ]
    (tmp_path / "source" / name).write_text("\n".join(map(json.dumps, rows)))
    corpus = read(tmp_path / "source")
    assert sorted(texts(corpus).values()) == sorted(TEXTS.values())
    assert not any("tmp" in id_ for id_ in corpus.clips)


def test_a_manifest_may_name_recordings_elsewhere(tmp_path):
    write_files(tmp_path / "elsewhere", ".wav")
    rows = [
        {"audio_filepath": f"{tmp_path}/elsewhere/{k}.wav", "text": t} for k, t in TEXTS.items()
    ]
    (tmp_path / "source").mkdir()
    (tmp_path / "source/manifest.json").write_text("\n".join(map(json.dumps, rows)))
    corpus = read(tmp_path / "source")
    assert len(corpus.clips) == 3
    assert not any(tmp_path.name in id_ for id_ in corpus.clips)


def write_kaldi(folder, separator: str = " ") -> None:
    write_files(folder / "audio", ".wav")
    tables = {
        "wav.scp": {key: f"audio/{key}.wav" for key in TEXTS},
        "text": TEXTS,
        "utt2spk": dict.fromkeys(TEXTS, "ann"),
    }
    for name, rows in tables.items():
        lines = [f"{key}{separator}{value}\n" for key, value in rows.items()]
        (folder / name).write_text("".join(lines))


@pytest.mark.parametrize("separator", [" ", "\t", "  "])
@pytest.mark.parametrize("place", ["", "train", "data/train"])
def test_kaldi_folders(tmp_path, separator, place):
    write_kaldi(tmp_path / place, separator)
    corpus = read(tmp_path)
    assert texts(corpus) == TEXTS
    assert set(speakers(corpus).values()) == {"ann"}


def test_kaldi_rows_that_are_not_whole_are_listed(tmp_path):
    write_kaldi(tmp_path)
    with (tmp_path / "wav.scp").open("a") as file:
        file.write("d sox a.flac -t wav - |\ne audio/a.wav\n")
    with (tmp_path / "text").open("a") as file:
        file.write("d text of d\nf text of f\n")
    corpus = read(tmp_path)
    assert texts(corpus) == TEXTS
    assert {row.clip: row.reason for row in corpus.invalid_rows} == {
        "d": "missing_file",
        "e": "missing_text",
        "f": "missing_file",
    }


@pytest.mark.parametrize("line", ["touch {trace} |", "| touch {trace}", "$(touch {trace})"])
def test_a_command_of_kaldi_is_not_run(tmp_path, line):
    write_kaldi(tmp_path)
    trace = tmp_path / "trace"
    with (tmp_path / "wav.scp").open("a") as file:
        file.write(f"d {line.format(trace=trace)}\n")
    with (tmp_path / "text").open("a") as file:
        file.write("d text of d\n")
    corpus = read(tmp_path)
    assert texts(corpus) == TEXTS and not trace.exists()
    assert {(row.clip, row.reason) for row in corpus.invalid_rows} == {("d", "missing_file")}


def test_kaldi_segments_are_refused(tmp_path):
    write_kaldi(tmp_path)
    (tmp_path / "segments").write_text("a-1 a 0.0 1.0\n")
    with pytest.raises(CorpusError, match="segments: utterances are cut out of longer recordings"):
        read(tmp_path)


def test_folders_two_deep(tmp_path):
    write_files(tmp_path / "data/train")
    (tmp_path / "data/train/metadata.csv").write_text("file_name,text\na.webm,x\nb.webm,y\n")
    assert len(read(tmp_path).clips) == 2


def test_parquet_files_two_deep_and_beside(tmp_path):
    table = pa.table(saved_rows())
    (tmp_path / "default/train").mkdir(parents=True)
    pq.write_table(table.slice(0, 1), tmp_path / "default/train/0000.parquet")
    pq.write_table(table.slice(1, 1), tmp_path / "default/0001.parquet")
    pq.write_table(table.slice(2), tmp_path / "more.parquet")
    assert texts(read(tmp_path)) == TEXTS


def test_two_tables_of_one_folder_are_refused(tmp_path):
    write_files(tmp_path)
    (tmp_path / "metadata.csv").write_text("file_name,text\na.webm,x\n")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "b.webm", "text": "y"}\n')
    with pytest.raises(CorpusError, match="metadata.csv, metadata.jsonl, expected one of them"):
        read(tmp_path)


def test_tables_of_parts_are_all_read_and_others_refused(tmp_path):
    write_files(tmp_path)
    (tmp_path / "train.csv").write_text("file_name,text\na.webm,x\n")
    (tmp_path / "test.csv").write_text("file_name,text\nb.webm,y\n")
    assert texts(read(tmp_path)) == {"a": "x", "b": "y"}
    (tmp_path / "old.csv").write_text("file_name,text\nc.webm,z\n")
    with pytest.raises(CorpusError, match="old.csv, test.csv, train.csv, expected one"):
        read(tmp_path)


def test_a_json_list_is_read(tmp_path):
    write_files(tmp_path)
    rows = [{"file_name": f"{key}.webm", "text": text} for key, text in TEXTS.items()]
    (tmp_path / "metadata.json").write_text(json.dumps(rows, indent=1))
    assert texts(read(tmp_path)) == TEXTS


# ------------------------------------------------------------------ typed cells


def test_empty_is_empty_in_json_and_arrow(tmp_path):
    rows = [("a", float("nan"), "ann"), ("b", "x", float("nan")), ("c", "y", 1.0)]
    write_files(tmp_path)
    lines = [{"file_name": f"{k}.webm", "text": text, "who": who} for k, text, who in rows]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    corpus = read(tmp_path, speaker="who")
    assert speakers(corpus) == {"b": None, "c": "1"}
    assert [row.reason for row in corpus.invalid_rows] == ["missing_text"]

    (tmp_path / "metadata.jsonl").unlink()
    columns = {"audio": [b"1", b"2"], "text": ["x", None], "id": ["p", "q"]}
    pq.write_table(pa.table(columns | {"who": [float("nan"), 2.0]}), tmp_path / "x.parquet")
    corpus = read(tmp_path, speaker="who")
    assert speakers(corpus) == {"p": None}
    assert [row.reason for row in corpus.invalid_rows] == ["missing_text"]


@pytest.mark.parametrize("cell", [["hello"], {"en": "hello"}])
def test_lists_and_objects_are_refused(tmp_path, cell):
    write_files(tmp_path)
    lines = [{"file_name": "a.webm", "text": cell}, {"file_name": "b.webm", "text": "x", "n": [1]}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    corpus = read(tmp_path)
    assert texts(corpus) == {"b": "x"}
    (invalid_row,) = corpus.invalid_rows
    assert invalid_row.reason == "damaged_row"
    assert "column 'text' holds a" in invalid_row.detail

    (tmp_path / "metadata.jsonl").unlink()
    pq.write_table(pa.table({"audio": [b"1"], "text": [cell]}), tmp_path / "x.parquet")
    with pytest.raises(CorpusError, match="column 'text' holds a"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["save_to_disk", "parquet"])
def test_classes_go_by_their_names(tmp_path, kind):
    import datasets

    rows = saved_rows() | {"who": [0, 1, None]}
    features = datasets.Features(
        {
            "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            "text": datasets.Value("string"),
            "who": datasets.ClassLabel(names=["ann", "bob"]),
        }
    )
    dataset = datasets.Dataset.from_dict(rows, features=features)
    if kind == "parquet":
        dataset.to_parquet(tmp_path / "train.parquet")
    else:
        dataset.save_to_disk(tmp_path)
    assert speakers(read(tmp_path, speaker="who")) == {"a": "ann", "b": "bob", "c": None}


def test_an_indices_file_of_older_versions_says_which_rows(tmp_path):
    """Up to datasets 1.18 a shuffled or filtered dataset was saved with its rows' numbers."""
    save_dataset(tmp_path, saved_rows())
    table = pa.table({"indices": pa.array([2, 0], pa.uint64())})
    with pa.ipc.new_stream(str(tmp_path / "indices.arrow"), table.schema) as stream:
        stream.write_table(table)
    state = json.loads((tmp_path / "state.json").read_text())
    state["_indices_data_files"] = [{"filename": "indices.arrow"}]
    (tmp_path / "state.json").write_text(json.dumps(state))
    corpus = read(tmp_path)
    assert texts(corpus) == {"a": TEXTS["a"], "c": TEXTS["c"]}
    assert read_audio(corpus.clips["a"]) == AUDIO["a"]


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view"])
def test_paths_of_any_text_type(tmp_path, kind):
    write_files(tmp_path)
    make = getattr(pa, kind)()
    columns = {
        "audio": pa.array([f"{key}.webm" for key in TEXTS], make),
        "text": pa.array(TEXTS.values(), make),
    }
    table = pa.table(columns)
    with pa.ipc.new_stream(str(tmp_path / "data.arrow"), table.schema) as stream:
        stream.write_table(table)
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    corpus = read(tmp_path)
    assert texts(corpus) == TEXTS
    assert {key: read_audio(clip) for key, clip in corpus.clips.items()} == AUDIO


@pytest.mark.parametrize("kind", ["binary", "large_binary", "binary_view"])
def test_bytes_of_any_type(tmp_path, kind):
    audio = pa.array(AUDIO.values(), getattr(pa, kind)())
    table = pa.table({"audio": audio, "text": TEXTS.values(), "id": list(TEXTS)})
    with pa.ipc.new_stream(str(tmp_path / "data.arrow"), table.schema) as stream:
        stream.write_table(table)
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    corpus = read(tmp_path)
    assert {key: read_audio(clip) for key, clip in corpus.clips.items()} == AUDIO


def test_a_struct_of_paths_alone(tmp_path):
    write_files(tmp_path)
    audio = [{"path": f"{key}.webm"} for key in TEXTS]
    pq.write_table(pa.table({"audio": audio, "text": list(TEXTS.values())}), tmp_path / "x.parquet")
    assert {key: read_audio(clip) for key, clip in read(tmp_path).clips.items()} == AUDIO


@pytest.mark.parametrize("other", ["train/metadata.csv", "data/train.parquet", "old/state.json"])
def test_what_is_not_read_beside_a_table_is_named(tmp_path, other):
    write_files(tmp_path)
    (tmp_path / "metadata.csv").write_text("file_name,text\na.webm,x\n")
    assert not read(tmp_path).notes
    (tmp_path / other).parent.mkdir()
    (tmp_path / other).write_bytes(b"")
    (note,) = read(tmp_path).notes
    assert note.origin == other
    assert note.detail.startswith("not read, since metadata.csv is")


def test_parts_of_longer_recordings_are_not_taken_for_whole_ones(tmp_path):
    write_files(tmp_path, ".wav")
    rows = [
        {"audio_filepath": "a.wav", "text": "x", "offset": 0.0},
        {"audio_filepath": "b.wav", "text": "y", "offset": 2.5},
    ]
    (tmp_path / "manifest.json").write_text("\n".join(map(json.dumps, rows)))
    corpus = read(tmp_path)
    assert texts(corpus) == {"a": "x"}
    assert "part of a longer recording" in corpus.invalid_rows[0].detail
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "metadata.csv").write_text("file_name,text,start,end\na.wav,x,0,1\n")
    (note,) = read(tmp_path).notes
    assert "'start' is not read" in note.detail


def test_parts_of_common_voice_have_its_speakers(tmp_path):
    write_common_voice(tmp_path)
    whole = (tmp_path / "validated.tsv").read_text()
    for name in ("validated", "invalidated", "other", "dev", "test"):
        (tmp_path / f"{name}.tsv").unlink()
    (tmp_path / "train.tsv").write_text(whole)
    corpus = read(tmp_path)
    assert sorted(speakers(corpus).values()) == ["ba7", "f00", "f00"]
    assert not corpus.notes


@pytest.mark.parametrize("other", ["train.csv", "test.jsonl", "validated.tsv", "x_manifest.json"])
def test_another_table_beside_metadata_is_named(tmp_path, other):
    write_files(tmp_path, ".wav")
    (tmp_path / "metadata.csv").write_text("file_name,text\na.wav,x\n")
    (tmp_path / other).write_text("file_name,text\nb.wav,y\n")
    (note,) = read(tmp_path).notes
    assert note.origin == other
    assert note.detail.startswith("not read, since metadata.csv is")


@pytest.mark.parametrize("name", ["wav.scp", "text", "utt2spk"])
def test_an_utterance_that_is_said_to_be_two_things_is_neither(tmp_path, name):
    write_files(tmp_path, ".wav")
    tables = {"wav.scp": "u1 a.wav\nu2 b.wav\n", "text": "u1 x\nu2 y\n", "utt2spk": "u1 s\nu2 s\n"}
    more = {"wav.scp": "u1 b.wav\n", "text": "u1 z\n", "utt2spk": "u1 t\n"}
    for table, content in tables.items():
        (tmp_path / table).write_text(content + (more[table] if table == name else ""))
    corpus = read(tmp_path)
    assert texts(corpus) == {"u2": "y"}
    (invalid_row,) = corpus.invalid_rows
    assert (invalid_row.clip, invalid_row.origin) == ("u1", f"{name} line 3")


@pytest.mark.parametrize("column", ["start", "begin_time", "Start Time", "offset"])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_no_part_of_a_recording_is_taken_for_the_whole(tmp_path, column, form):
    """Also not the first, which begins at nought."""
    write_files(tmp_path, ".wav")
    parts = [("a.wav", "first", 0.0), ("a.wav", "second", 1.5), ("b.wav", "whole", 0.0)]
    rows = [{"file_name": name, "text": text, column: start} for name, text, start in parts]
    lines = [",".join(map(str, row.values())) for row in rows]
    table = {"csv": [",".join(rows[0]), *lines], "jsonl": list(map(json.dumps, rows))}[form]
    (tmp_path / f"metadata.{form}").write_text("\n".join(table))
    corpus = read(tmp_path)
    assert texts(corpus) == {"b": "whole"}
    assert ["part of a longer recording" in p.detail for p in corpus.invalid_rows] == [True, True]
