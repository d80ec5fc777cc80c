"""Tables of text as people write them: any delimiter, any order of columns, quoted or not."""

import csv
import io

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lib.corpus import Columns, CorpusError, read_corpus

SENTENCES = [
    "The quick brown fox jumps.",
    "Over the lazy dog it goes!",
    "Nobody knew why, not even she.",
    "A dog; a cat; and a mouse.",
    "We met (once) at the river.",
    "They said it was over by noon.",
]
LABELS = ["ann", "bob", "ann", "ann", "bob", "ann"]


def write(folder, lines: list[str] | str, newline: str = "\n", name: str = "metadata.csv"):
    """Write a table with files c0.wav, c1.wav and so on in wavs/."""
    (folder / "wavs").mkdir(parents=True, exist_ok=True)
    for number in range(len(SENTENCES)):
        (folder / f"wavs/c{number}.wav").write_bytes(b"%d" % number)
    text = lines if isinstance(lines, str) else newline.join(lines) + newline
    (folder / name).write_bytes(text.encode())


def read(folder, **columns):
    return read_corpus(folder, Columns(**columns), None)


def texts(corpus) -> list[str]:
    return [clip.text for clip in corpus.clips.values()]


def rows(*columns: list[str]) -> list[list[str]]:
    return [list(row) for row in zip(*columns, strict=True)]


FILES = [f"wavs/c{number}.wav" for number in range(len(SENTENCES))]
STEMS = [f"c{number}" for number in range(len(SENTENCES))]
TIMES = [f"00:00:0{number}" for number in range(len(SENTENCES))]


@pytest.mark.parametrize("header", ["audio_file|text|speaker_name", "Audio File|Text|Speaker"])
def test_a_header_is_believed(tmp_path, header):
    lines = ["|".join(row) for row in rows(FILES, SENTENCES, LABELS)]
    write(tmp_path, [header, *lines])

    corpus = read(tmp_path)

    assert texts(corpus) == SENTENCES
    assert "source.columns.speaker" in corpus.notes[0].detail
    named = read(tmp_path, speaker=header.split("|")[2])
    assert [clip.speaker for clip in named.clips.values()] == LABELS


@pytest.mark.parametrize(
    "columns",
    [
        (STEMS, SENTENCES, ["0"] * 6),
        (STEMS, SENTENCES, list("012345")),
        (FILES, LABELS, SENTENCES),
        (STEMS, SENTENCES, TIMES),
        (FILES, LABELS, ["en"] * 6, SENTENCES),
        (SENTENCES, FILES),
        (SENTENCES, LABELS, FILES),
        (LABELS, TIMES, STEMS, SENTENCES, ["1.25"] * 6),
    ],
)
@pytest.mark.parametrize("delimiter", ["|", "\t"])
def test_without_a_header_the_content_decides(tmp_path, columns, delimiter):
    write(tmp_path, [delimiter.join(row) for row in rows(*columns)])

    corpus = read(tmp_path)

    assert texts(corpus) == SENTENCES
    assert not corpus.invalid_rows


def test_ljspeech_with_two_spellings_takes_the_one_written_out(tmp_path):
    raw = [text.replace("The", "3").replace("dog", "d.") for text in SENTENCES]
    write(tmp_path, ["|".join(row) for row in rows(STEMS, raw, SENTENCES)])
    assert texts(read(tmp_path)) == SENTENCES


@pytest.mark.parametrize(
    "other",
    [
        ["Guten Morgen zusammen", "Wie geht es dir?", "Das ist schlecht", "Na ja", "Gut so", "Aha"],
        SENTENCES[::-1],
    ],
)
def test_doubt_is_asked_with_the_lines_that_settle_it(tmp_path, other):
    write(tmp_path, ["|".join(row) for row in rows(STEMS, SENTENCES, other)])

    with pytest.raises(CorpusError, match="has no header, and column 2 or column 3") as raised:
        read(tmp_path)

    likely = "column 3" if other == SENTENCES[::-1] else "column 2"
    assert f"  source:\n    columns:\n      audio: column 1\n      text: {likely}" in str(
        raised.value
    )
    assert texts(read(tmp_path, audio="column 1", text="column 2")) == SENTENCES
    assert texts(read(tmp_path, text="column 3")) == other


def test_names_of_several_words_that_come_again_and_again_are_no_sentences(tmp_path):
    people = ["Mary Ann Smith Jones", "Bob van der Berg"] * 6
    said = [f"Sentence number {number} of them" for number in range(12)]
    write(tmp_path, ["|".join(row) for row in rows([*STEMS, *STEMS], people, said)])
    assert texts(read(tmp_path)) == said[:6]


def test_the_lines_to_copy_name_the_longer_texts(tmp_path):
    write(tmp_path, ["c0|今天天气很好|ann", "c1|我们去公园吧|bob", "c2|他说他不来了|ann"])
    with pytest.raises(CorpusError, match="text: column 2$"):
        read(tmp_path)


def test_single_words_beside_single_words_are_asked_about(tmp_path):
    write(tmp_path, ["c0|hello|ann", "c1|goodbye|bob", "c2|yes|carl"])
    with pytest.raises(CorpusError, match="column 2 or column 3 may be the transcript"):
        read(tmp_path)


@pytest.mark.parametrize("order", [("audio", "text"), ("text", "audio")])
@pytest.mark.parametrize("header", [True, False])
def test_a_pipe_in_the_text_of_two_columns_cuts_nothing(tmp_path, order, header):
    said = ["He said no|yes", *SENTENCES[1:]]
    table = {"audio": FILES, "text": said}
    lines = ["|".join(row) for row in rows(*(table[name] for name in order))]
    write(tmp_path, ["|".join(order), *lines] if header else lines)
    assert texts(read(tmp_path)) == said


# ------------------------------------------------------------------ quotation marks


@pytest.mark.parametrize("delimiter", ["\t", "|"])
@pytest.mark.parametrize("second", ['say "this"', 'Hello"', "plain", '"whole"', 'a "" b'])
def test_a_stray_mark_swallows_no_row(tmp_path, delimiter, second):
    said = ['"Hello', *SENTENCES[1:5], second]
    write(tmp_path, ["file_name" + delimiter + "text", *map(delimiter.join, rows(FILES, said))])

    corpus = read(tmp_path)

    assert len(corpus.clips) + len(corpus.invalid_rows) == 6
    assert len(corpus.clips) == 6
    assert texts(corpus)[:5] == said[:5]


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_an_open_mark_in_a_quoted_table_costs_its_own_row(tmp_path, delimiter):
    lines = [f'{name}{delimiter}"{text}"' for name, text in zip(FILES, SENTENCES, strict=True)]
    lines[1] = lines[1].removesuffix('"')
    write(tmp_path, [f"file_name{delimiter}text", *lines])

    corpus = read(tmp_path)

    assert texts(corpus) == [SENTENCES[0], *SENTENCES[2:]]
    (invalid_row,) = corpus.invalid_rows
    assert invalid_row.origin == "metadata.csv line 3"
    assert "quotation mark opens" in invalid_row.detail


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_line_break_inside_a_quoted_cell_is_one_row(tmp_path, delimiter, newline):
    said = [f"first{newline}second, third", f'say ""so""{newline}{newline}and; go', *SENTENCES[2:]]
    lines = [f'{name}{delimiter}"{text}"' for name, text in zip(FILES, said, strict=True)]
    write(tmp_path, [f"file_name{delimiter}text", *lines], newline)

    corpus = read(tmp_path)

    assert [" ".join(text.split()) for text in texts(corpus)] == [
        "first second, third",
        'say "so" and; go',
        *SENTENCES[2:],
    ]
    assert not corpus.invalid_rows
    origins = [clip.origin for clip in corpus.clips.values()]
    assert origins[2] == "metadata.csv line 7"


def test_one_mark_in_five_thousand_rows(tmp_path):
    write(tmp_path, "")
    lines = [f"c{number % 6}.wav\tThis is sentence {number}" for number in range(5000)]
    lines[1000] = 'c4.wav\t"And then'
    lines[1966] = 'c4.wav\tshe said "no"'
    write(tmp_path, ["file_name\ttext", *lines])
    corpus = read(tmp_path)
    assert len(corpus.clips) + len(corpus.invalid_rows) == 5000


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=15)


@settings(max_examples=150)
@given(
    st.lists(CELL, min_size=6, max_size=6),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.permutations(["file_name", "text", "who"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.booleans(),
)
def test_whatever_a_spreadsheet_writes_is_read(
    tmp_path_factory, said, delimiter, newline, order, quoting, breaks
):
    """A table of any delimiter, line end and order of columns, as Python's csv writes it."""
    said = [" ".join(text.split()) for text in said]
    assume(all(said) and not {"nan", "NaN", "NAN", "<NA>"} & set(said))
    said[0] = said[0] + (newline if breaks else " ") + "end"
    folder = tmp_path_factory.mktemp("source")
    table = [
        {"file_name": file, "text": text, "who": who}
        for file, text, who in rows(FILES, said, LABELS)
    ]
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(
        buffer, order, delimiter=delimiter, lineterminator=newline, quoting=quoting
    )
    writer.writeheader()
    writer.writerows(table)
    write(folder, buffer.getvalue())

    corpus = read(folder, speaker="who")

    assert not corpus.invalid_rows
    assert [" ".join(text.split()) for text in texts(corpus)] == [
        " ".join(text.split()) for text in said
    ]
    assert [clip.speaker for clip in corpus.clips.values()] == LABELS


@settings(max_examples=100)
@given(
    st.lists(st.text(st.sampled_from("ab \"'|;,"), min_size=1, max_size=8), min_size=6, max_size=6)
)
def test_rows_of_a_script_are_all_there(tmp_path_factory, said):
    """Nothing quoted, tabs between: no row swallows another, whatever marks are in it."""
    said = [f"x{text}" if not text.strip() else text for text in said]
    folder = tmp_path_factory.mktemp("source")
    write(folder, ["file_name\ttext", *("\t".join(row) for row in zip(FILES, said, strict=True))])
    corpus = read(folder)
    origins = {clip.origin for clip in corpus.clips.values()} | {
        invalid_row.origin for invalid_row in corpus.invalid_rows
    }
    assert len(origins) == 6
    assert not [row for row in corpus.invalid_rows if row.reason == "damaged_row"]


@pytest.mark.parametrize("header", ["file,text", "text,id", "ID,Text"])
def test_a_column_called_file_or_id_may_hold_the_recordings(tmp_path, header):
    columns = {"text": SENTENCES, "file": FILES, "id": FILES}
    table = rows(*(columns[name] for name in header.casefold().split(",")))
    lines = [",".join(f'"{cell}"' for cell in row) for row in table]
    write(tmp_path, [header, *lines])
    assert texts(read(tmp_path)) == SENTENCES


def test_a_spreadsheet_may_tell_its_delimiter(tmp_path):
    write(tmp_path, ["sep=;", "file_name;text", "c0.wav;one, two | three", "c1.wav;four"])
    corpus = read(tmp_path)
    assert texts(corpus) == ["one, two | three", "four"]
    assert corpus.clips["c0"].origin == "metadata.csv line 3"


# ------------------------------------------------------------------ cells that stand for nothing


@pytest.mark.parametrize("empty", ["nan", "NaN", "<NA>", "#N/A", ""])
def test_empty_is_empty_in_csv(tmp_path, empty):
    write(tmp_path, ["file_name,text,who", f"c0.wav,{empty},ann", f"c1.wav,hello,{empty}"])
    corpus = read(tmp_path, speaker="who")
    assert [row.reason for row in corpus.invalid_rows] == ["missing_text"]
    (clip,) = corpus.clips.values()
    assert (clip.text, clip.speaker) == ("hello", None)


def test_numbers_of_a_column_with_gaps_are_whole(tmp_path):
    write(tmp_path, ["file_name,text,who", "c0.wav,x,1.0", "c1.wav,y,", "c2.wav,z,2.0"])
    assert [clip.speaker for clip in read(tmp_path, speaker="who").clips.values()] == [
        "1",
        None,
        "2",
    ]
    write(tmp_path, ["file_name,text,who", "c0.wav,x,1.0", "c1.wav,y,1.5", "c2.wav,z,2.0"])
    assert [clip.speaker for clip in read(tmp_path, speaker="who").clips.values()] == [
        "1.0",
        "1.5",
        "2.0",
    ]


WRONG = ["-nan", "#NV", "#VALUE!", "#REF!", "#NAME?", "1.#QNAN", "N/A", "NULL", "inf"]


@pytest.mark.parametrize("empty", WRONG)
def test_formulas_that_failed_are_no_words(tmp_path, empty):
    write(tmp_path, ["file_name,text,who", f"c0.wav,{empty},ann", f"c1.wav,hello,{empty}"])
    corpus = read(tmp_path, speaker="who")
    assert [row.reason for row in corpus.invalid_rows] == ["missing_text"]
    assert [clip.speaker for clip in corpus.clips.values()] == [None]


@pytest.mark.parametrize("word", ["NA", "None", "null", "nil", "undefined"])
def test_what_may_be_a_word_stays_one_as_a_text_and_is_pointed_out(tmp_path, word):
    write(tmp_path, ["file_name,text,who", f"c0.wav,{word},ann", f"c1.wav,hello,{word}"])
    corpus = read(tmp_path, speaker="who")
    assert texts(corpus) == [word, "hello"]
    assert [clip.speaker for clip in corpus.clips.values()] == ["ann", None]
    assert f"its text is {word!r}, which programs write for an empty cell" in corpus.notes[0].detail


def test_a_recording_may_be_called_like_an_empty_cell(tmp_path):
    write(tmp_path, ["nan|bread in Persian", "c0|hello"])
    (tmp_path / "wavs/nan.wav").write_bytes(b"nan")
    assert list(read(tmp_path).clips) == ["c0", "nan"]


# ------------------------------------------------------------------ what is no table, or half one


@pytest.mark.parametrize("delimiter", ["|", "\t", ","])
@pytest.mark.parametrize("order", [("file_name", "text"), ("text", "file_name")])
@pytest.mark.parametrize("newline", ["\n", "\r"])
@pytest.mark.parametrize("header", [True, False])
def test_half_of_a_text_is_never_a_text(tmp_path, delimiter, order, newline, header):
    """A line break that is not quoted: the half that stands beside the file is not its text."""
    said = ["First half" + newline + "second half", *SENTENCES[1:]]
    said = [text.replace(",", " ") for text in said]
    table = {"file_name": FILES, "text": said}
    lines = [delimiter.join(row) for row in rows(*(table[name] for name in order))]
    write(tmp_path, [delimiter.join(order), *lines] if header else lines)

    corpus = read(tmp_path)

    assert texts(corpus) == said[1:]
    assert len(corpus.invalid_rows) == 2
    assert "line has one cell only: its text may go on there" in corpus.invalid_rows[-1].detail


def test_a_line_cut_short_costs_only_itself(tmp_path):
    write(tmp_path, ["file_name,text", "c0.wav,one", "wavs/c1.wav", "c2.wav,three"])
    assert texts(read(tmp_path)) == ["one", "three"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("file_name,text\nc0.wav,one\n".encode("utf-16-le"), "is not UTF-8 .*UTF-16 without"),
        ("file_name,text\nc0.wav,one\n".encode("utf-16-be"), "is not UTF-8 .*UTF-16 without"),
        ("file_name,text\nc0.wav,one\n".encode("utf-32"), "is not UTF-8"),
        ("file_name,text\nc0.wav,one\n".encode("utf-16")[:-1], "is not UTF-16"),
        ("file_name,text\nc0.wav,don’t\n".encode("cp1252"), "line 2: b'.x92' is not UTF-8"),
        (b"PK\x03\x04\x14\0\x06\0", "a spreadsheet, expected text: .* export it as CSV"),
        (b"\x1f\x8b\x08\0", "unpack it"),
        (b"", "is empty, expected columns"),
        (b"\n \n", "is empty, expected columns"),
        (b"c0.wav one\nc1.wav two\n", "one column only, .* with a tab or one of"),
        (b"file_name,text,text\nc0.wav,one,two\n", "2 columns called text, expected one"),
    ],
)
def test_what_is_no_table_is_called_what_it_is(tmp_path, content, said):
    write(tmp_path, "")
    (tmp_path / "metadata.csv").write_bytes(content)
    with pytest.raises(CorpusError, match=said):
        read(tmp_path)


def test_two_byte_order_marks(tmp_path):
    write(tmp_path, "\ufeff\ufefffile_name,text\nc0.wav,one\n")
    assert texts(read(tmp_path)) == ["one"]


def test_another_column_of_texts_is_pointed_out(tmp_path):
    write(tmp_path, ["path\ttext\tsentence", "c0.wav\tone\tOne."])
    (note,) = read(tmp_path).notes
    assert "those of 'text' and not of 'sentence'" in note.detail
