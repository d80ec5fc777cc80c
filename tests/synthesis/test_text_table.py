"""Tables of texts, in the forms in which people have them."""

import json

import pytest

from lib.corpus.clip import CorpusError
from lib.synthesis.text_table import check_text_table, read_text_table


def read(folder, content: str, name: str = "texts.csv"):
    path = folder / name
    path.write_text(content, "utf-8")
    return read_text_table(path)


def plain(table):
    return [(row.id, row.text, row.speaker, row.speed) for row in table.rows]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("texts.csv", 'id,text,speaker,speed\na,"Hello, you",Anna,0.8\nb,Ho,,\n'),
        ("texts.csv", "id;text;Speaker;Speed\na;Hello, you;Anna;0,8\nb;Ho;;\n"),
        ("texts.tsv", "text\tspeed\tid\tspeaker_id\nHello, you\t0.8\ta\tAnna\nHo\t\tb\t\n"),
        ("texts.txt", "id|text|speaker|speed\na|Hello, you|Anna|0.8\nb|Ho||\n"),
        (
            "texts.jsonl",
            '{"id": "a", "text": "Hello, you", "speaker": "Anna", "speed": 0.8}\n'
            '{"id": "b", "text": "Ho"}\n',
        ),
    ],
)
def test_forms_of_a_table(tmp_path, name, content):
    table = read(tmp_path, content, name)
    assert plain(table) == [("a", "Hello, you", "Anna", 0.8), ("b", "Ho", None, None)]
    assert table.invalid_rows == []


def test_of_a_metadata_table_the_rows_without_a_recording_are_taken(tmp_path):
    (tmp_path / "x.webm").touch()
    table = read(tmp_path, "file_name,text,who\nx.webm,There,A\nsub/y.webm,Not there,B\n")
    assert plain(table) == [("sub-y-" + table.rows[0].id[-10:], "Not there", None, None)]
    assert table.recorded == 1


def test_the_table_of_ljspeech_names_recordings_without_their_extension(tmp_path):
    (tmp_path / "wavs").mkdir()
    (tmp_path / "wavs/a.wav").touch()
    table = read(tmp_path, "a|One of two|One of two\nb|Number 2 here|number two here\n")
    assert plain(table) == [("b", "number two here", None, None)]


def test_speech_that_was_written_beside_the_table_is_no_recording(tmp_path):
    (tmp_path / "a.webm").touch()
    assert len(read(tmp_path, "id,text\na,Hello\n").rows) == 1


def test_ids_are_safe_and_last(tmp_path):
    rows = "id,text\n../../etc/passwd,a\nñandú 1,b\nCON,c\n,without an id\n"
    ids = [row.id for row in read(tmp_path, rows).rows]
    assert ids[0].startswith("etc-passwd-") and ids[1].startswith("nandu-1-")
    assert ids[2].startswith("CON-") and ids[3].startswith("without-an-id-")
    # A row without an id has one by its text, wherever it stands.
    moved = read(tmp_path, "id,text\n,without an id\nx,new\n")
    assert moved.rows[0].id == ids[3]


def test_a_bad_row_stops_no_other(tmp_path):
    rows = (
        'id,text,speed\na,good,\nA,same id,\nb,,\nc,fast,9\nd,odd,quick\ne,"open,\nf,good too,2\n'
    )
    table = read(tmp_path, rows)
    assert [row.id for row in table.rows] == ["a", "f"]
    found = {(row.origin, row.reason) for row in table.invalid_rows}
    assert found == {
        ("texts.csv line 3", "duplicate_id"),
        ("texts.csv line 4", "missing_text"),
        ("texts.csv line 5", "wrong_speed"),
        ("texts.csv line 6", "wrong_speed"),
        ("texts.csv line 7", "damaged_row"),
    }
    details = {row.origin: row.detail for row in table.invalid_rows}
    assert details["texts.csv line 5"] == "its speed is '9', expected a number from 0.25 to 4"
    assert details["texts.csv line 3"].startswith("its id is also that of texts.csv line 2")


def test_a_table_as_parquet(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"id": ["a"], "text": ["Hello"], "speaker": ["Anna"], "speed": [1.5]})
    pq.write_table(table, tmp_path / "texts.parquet")
    assert plain(read_text_table(tmp_path / "texts.parquet")) == [("a", "Hello", "Anna", 1.5)]


def test_what_is_no_table_is_refused_before_any_work(tmp_path):
    with pytest.raises(CorpusError, match="speech.texts: .*none.csv is no file, expected a table"):
        check_text_table(tmp_path / "none.csv")
    (tmp_path / "texts.docx").touch()
    with pytest.raises(CorpusError, match="is no table, expected a name with .csv"):
        check_text_table(str(tmp_path / "texts.docx"))
    check_text_table(None)
    with pytest.raises(CorpusError, match="has columns id, words, expected"):
        read(tmp_path, "id,words\na,b\n")


def test_numbers_of_json_are_texts(tmp_path):
    rows = [{"id": 7, "text": "seven"}, {"id": "x", "text": ["a"]}]
    table = read(tmp_path, "".join(json.dumps(row) + "\n" for row in rows), "t.jsonl")
    assert [row.id for row in table.rows] == ["7"]
    assert table.invalid_rows[0].reason == "damaged_row"
