"""Tab-separated tables give back what was written into them."""

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.tables import one_line, read_table, write_table

ROOT = Path(__file__).resolve().parents[1]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
HOSTILE = st.text(st.sampled_from("\\tnr\t\n\r\"' \u2028\x85a"), max_size=12)


@given(st.lists(st.tuples(TEXT | HOSTILE, HOSTILE), max_size=5))
def test_every_cell_is_read_as_it_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "x.tsv"
    write_table(path, ("one", "other"), [("a", ""), *rows])
    found = read_table(path, ("one", "other"))
    assert [(row["one"], row["other"]) for row in found] == [("a", ""), *rows]


@given(st.lists(HOSTILE, min_size=2, max_size=2))
def test_a_row_is_a_line_for_every_other_reader(tmp_path_factory, row):
    path = tmp_path_factory.mktemp("table") / "x.tsv"
    write_table(path, ("one", "other"), [row])
    with path.open(encoding="utf-8", newline="\n") as file:
        rows = [line.split("\t") for line in file.read().split("\n")]
    assert [len(cells) for cells in rows] == [2, 2, 1]


def test_plain_texts_and_paths_are_written_plainly(tmp_path):
    write_table(tmp_path / "x.tsv", ("a", "b", "c"), [('"x" it\'s', r"C:\data\a.wav", None)])
    with (tmp_path / "x.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert rows == [["a", "b", "c"], ['"x" it\'s', r"C:\data\a.wav", ""]]


def test_names_that_are_no_unicode_can_be_written(tmp_path):
    write_table(tmp_path / "x.tsv", ("a",), [("x\udcff",)])
    assert read_table(tmp_path / "x.tsv") == [{"a": r"x\udcff"}]


def test_other_columns_and_rows_that_do_not_fit_are_named(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("a\tb\n1\t2\n3\n")
    with pytest.raises(ValueError, match=r"x\.tsv line 3: got 1 cells, expected 2 \(a, b\)"):
        read_table(path)
    with pytest.raises(ValueError, match=r"x\.tsv: got columns a, b, expected a, c"):
        read_table(path, ("a", "c"))
    path.write_text("")
    with pytest.raises(ValueError, match="got columns none"):
        read_table(path, ("a",))


def test_messages_are_one_line():
    assert one_line(" a\tb\nc ") == "a b c"
    assert one_line(None) == ""


def test_no_other_code_takes_tables_apart():
    """Snakemake's benchmark files are its own; the user's tables are read by lib/corpus."""
    by_hand = re.compile(r"split\([\"']\\t|[\"']\\t[\"']\.join|delimiter=\"\\t\"")
    found = {
        str(path.relative_to(ROOT))
        for folder in ("lib", "workflow")
        for path in (ROOT / folder).rglob("*.py")
        if by_hand.search(path.read_text("utf-8")) and "lib/corpus" not in str(path)
    }
    assert found == {"lib/tables.py", "lib/report/timing.py"}
