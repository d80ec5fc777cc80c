"""The list of sentences to record next."""

import csv

import pytest

from lib.evaluation.listener import LETTER_COLUMNS
from lib.files import write_json
from lib.review.__main__ import main
from lib.review.prompts import read_sentences
from lib.tables import write_table


@pytest.fixture
def results(tmp_path):
    """What is read of a run: the texts that are trained, and how texts are written."""
    folder = tmp_path / "results"
    (folder / "text").mkdir(parents=True)
    rows = [("a", "accepted", "good day"), ("b", "accepted", "good"), ("c", "rejected", "xylo")]
    write_table(folder / "manifest.tsv", ("clip", "status", "text"), rows)
    letters = {character: number for number, character in enumerate(" abcdegilnoxy")}
    write_json(folder / "text/vocab.json", letters)
    write_json(folder / "text/tokenizer_config.json", {"normalize": True})
    write_json(folder / "text/text.json", {})
    return folder


def read_rows(folder):
    with (folder / "prompts.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_text_file_becomes_a_list_to_print(results, tmp_path):
    sentences = tmp_path / "sentences.txt"
    sentences.write_text("\ufeffGood day!\n\nGood <b>.\n  Xylo ŧ xylo\nGood day again\n", "utf-8")
    main(["prompts", str(results), str(sentences), "--count", "2", "--output", str(tmp_path / "p")])
    first, second = read_rows(tmp_path / "p")
    # The rejected clip's text was not recorded; "Good day!" was.
    assert (first["number"], first["id"], first["text"]) == ("1", "4", "Xylo ŧ xylo")
    assert first["unknown"] == "ŧ"
    assert "-x" in first["brings"]
    assert second["text"] in ("Good <b>.", "Good day again")
    page = (tmp_path / "p/prompts.html").read_text("utf-8")
    assert "Xylo ŧ xylo" in page
    assert "<b>" not in page


def test_letters_that_are_badly_spoken_come_first(results, tmp_path):
    rows = [("a", "accepted", "bad dad ox " * 20)]
    write_table(results / "manifest.tsv", ("clip", "status", "text"), rows)
    sentences = tmp_path / "sentences.txt"
    sentences.write_text("bad dad bad dad\nox\n", "utf-8")
    line = [
        "prompts",
        str(results),
        str(sentences),
        "--count",
        "3",
        "--output",
        str(tmp_path / "p"),
    ]
    main(line)
    before = [row["text"] for row in read_rows(tmp_path / "p")]
    assert before == ["bad dad bad dad", "ox"]
    assert "Badly spoken" not in (tmp_path / "p/prompts.html").read_text("utf-8")
    (results / "quality").mkdir()
    ratings = [("x", 12, 0.3, 3.4), ("b", 9, 0.1, 2.9)]
    write_table(results / "quality/letters.tsv", LETTER_COLUMNS, ratings)
    main(line)
    first = read_rows(tmp_path / "p")[0]
    assert first["text"] == "ox" and first["brings"] == "x"
    page = " ".join((tmp_path / "p/prompts.html").read_text("utf-8").split())
    assert "so that they come first: x." in page


def test_a_table_gives_its_rows_without_a_recording(results, tmp_path):
    (tmp_path / "there.wav").write_bytes(b"RIFF")
    table = tmp_path / "metadata.csv"
    table.write_text("file_name,text\nthere.wav,new words\nmissing.wav,lynx called\n", "utf-8")
    main(["prompts", str(results), str(table), "--output", str(tmp_path / "p")])
    assert [row["text"] for row in read_rows(tmp_path / "p")] == ["lynx called"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"\xff\xfe\x00", "save it as UTF-8"),
        (b"Good day.\n", "nothing is left to record of its 1 sentences"),
    ],
)
def test_what_cannot_be_read_is_said(results, tmp_path, content, message):
    sentences = tmp_path / "sentences.txt"
    if content is not None:
        sentences.write_bytes(content)
    with pytest.raises(SystemExit, match=message):
        main(["prompts", str(results), str(sentences), "--output", str(tmp_path / "p")])
    assert not (tmp_path / "p").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    (tmp_path / "s.txt").write_text("a\n")
    with pytest.raises(SystemExit, match=r"manifest.tsv is missing"):
        main(["prompts", str(tmp_path), str(tmp_path / "s.txt")])


def test_lines_keep_their_numbers(tmp_path):
    (tmp_path / "s.txt").write_text("one\n\n three \n")
    assert read_sentences(tmp_path / "s.txt") == {"1": "one", "3": "three"}
