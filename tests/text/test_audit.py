"""The table of characters: every one of them once, with what becomes of it."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.text.audit import HEADER, write_audit
from lib.text.vocabulary import POLICIES, plan_vocabulary

VOCAB = {character: number for number, character in enumerate("_ abcdeo")}
TEXTS = {"one": "Abé dø!", "two": "é–ŋ be", "three": "ɓad"}


def audit(tmp_path, texts, policy="extend", mapping=None, lowercase=True) -> list[dict[str, str]]:
    plan = plan_vocabulary(texts, VOCAB, policy, mapping, lowercase)
    table = tmp_path / "vocabulary.tsv"
    write_audit(plan, texts, VOCAB, lowercase, table)
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_the_whole_table(tmp_path):
    audit(tmp_path, TEXTS)
    assert (tmp_path / "vocabulary.tsv").read_text("utf-8") == (
        "character\tname\tcount\tclips\tstatus\n"
        "é\tLATIN SMALL LETTER E WITH ACUTE\t2\t2\tadded\n"
        "!\tEXCLAMATION MARK\t1\t1\tleft out\n"
        "ø\tLATIN SMALL LETTER O WITH STROKE\t1\t1\tadded\n"
        "ŋ\tLATIN SMALL LETTER ENG\t1\t1\tadded\n"
        "ɓ\tLATIN SMALL LETTER B WITH HOOK\t1\t1\tadded\n"
        "–\tEN DASH\t1\t1\twritten as ' '\n"
        " \tSPACE\t2\t2\tknown\n"
        "a\tLATIN SMALL LETTER A\t2\t2\tknown\n"
        "b\tLATIN SMALL LETTER B\t2\t2\tknown\n"
        "d\tLATIN SMALL LETTER D\t2\t2\tknown\n"
        "e\tLATIN SMALL LETTER E\t1\t1\tknown\n"
    )


def test_map_and_reject_say_what_they_do(tmp_path):
    told = {row["character"]: row["status"] for row in audit(tmp_path, TEXTS, "map")}
    assert told["é"] == "written as 'e'"
    assert told["ŋ"] == "clips rejected"
    told = {row["character"]: row["status"] for row in audit(tmp_path, TEXTS, "reject")}
    assert {told[c] for c in "éøŋɓ"} == {"clips rejected"}


@pytest.mark.parametrize("policy", POLICIES)
def test_what_the_users_mapping_replaced_is_not_called_rejected(tmp_path, policy):
    mapping = {"é": "e", "ø": "o", "ŋ": "", "ɓ": "b"}
    told = {row["character"]: row["status"] for row in audit(tmp_path, TEXTS, policy, mapping)}
    assert told["é"] == "written as 'e'"
    assert told["ŋ"] == "left out"
    assert "clips rejected" not in told.values()


def test_a_known_character_that_the_mapping_replaces_says_so(tmp_path):
    told = {row["character"]: row["status"] for row in audit(tmp_path, TEXTS, mapping={"a": "o"})}
    assert told["a"] == "written as 'o'"


def test_capitals_are_counted_as_the_tokenizer_sees_them(tmp_path):
    lowered = audit(tmp_path, {"one": "AaB"})
    assert [(row["character"], row["count"]) for row in lowered] == [("a", "2"), ("b", "1")]
    kept = audit(tmp_path, {"one": "AaB"}, lowercase=False)
    assert [(row["character"], row["status"]) for row in kept][:2] == [
        ("A", "added"),
        ("B", "added"),
    ]


@given(st.dictionaries(st.text(max_size=2), st.text(max_size=9)), st.sampled_from(POLICIES))
def test_the_table_can_be_read_whatever_is_written(tmp_path_factory, texts, policy):
    rows = audit(tmp_path_factory.mktemp("audit"), texts, policy)
    characters = [row["character"] for row in rows]
    assert len(set(characters)) == len(characters)
    assert all(tuple(row) == HEADER and row["status"] for row in rows)
