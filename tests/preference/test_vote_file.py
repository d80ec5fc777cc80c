"""Reading votes as people hand them in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.preference.vote_file import USUAL_PLACE, Vote, VotesError, find_votes_file, read_votes

HEADER = "listener,clip,a,b,vote"


def write(folder, *lines, encoding="utf-8", end="\n"):
    path = folder / "votes.csv"
    path.write_bytes(end.join(lines).encode(encoding))
    return path


def test_votes_are_read_as_several_people_paste_them(tmp_path):
    path = write(
        tmp_path,
        HEADER,
        "Amina,c1,e1,e2,a",
        "",
        "Listener,Clip,A,B,Vote",
        ' "Bola, the second" , c1 ,e2,e1,same',
        encoding="utf-8-sig",
        end="\r\n",
    )
    one, other = read_votes(path)
    assert (one.listener, one.clip, one.winner, one.pair) == ("Amina", "c1", "e1", ("e1", "e2"))
    assert (other.listener, other.winner, other.pair) == ("Bola, the second", None, ("e1", "e2"))


def test_a_spreadsheet_may_have_saved_them(tmp_path):
    path = write(
        tmp_path, HEADER.replace(",", ";"), "x;c1;e1;e2;a", "y\tc1\te1\te2\tb", "x,c2,e1,e2,b,,"
    )
    assert [(vote.listener, vote.clip, vote.winner) for vote in read_votes(path)] == [
        ("x", "c1", "e1"),
        ("y", "c1", "e2"),
        ("x", "c2", "e2"),
    ]
    assert read_votes(write(tmp_path, ",,,,", ";;", " ")) == []


def test_the_later_vote_of_a_listener_on_a_pair_counts(tmp_path):
    path = write(tmp_path, "x,c1,e1,e2,a", "y,c1,e1,e2,b", "x,c2,e1,e2,b", "x,c1,e2,e1,a")
    found = {(vote.listener, vote.clip): vote.winner for vote in read_votes(path)}
    assert found == {("x", "c1"): "e2", ("y", "c1"): "e2", ("x", "c2"): "e2"}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("x,c1,e1,e2", "4 cells"),
        ("x,c1,e1,e2,a,b", "6 cells"),
        ("x,c1,e1,e2,left", "the vote is 'left'"),
        ("x,c1,e1,e1,a", "both checkpoints are the same"),
        ("x,,e1,e2,a", "a cell is empty"),
        ('x,"c1,e1,e2,a', "2 cells"),
    ],
)
def test_a_line_that_is_no_vote_is_named(tmp_path, line, fault):
    path = write(tmp_path, HEADER, "x,c1,e1,e2,a", line)
    with pytest.raises(VotesError, match="line 3") as refused:
        read_votes(path)
    assert fault in str(refused.value) and str(path) in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_bytes(b"\xff\xfe\x00x")
    with pytest.raises(VotesError, match="UTF-8"):
        read_votes(path)


def test_a_missing_file_is_none_at_the_usual_place_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_votes_file(None) is None
    assert find_votes_file(USUAL_PLACE) is None
    assert read_votes(None) == []
    with pytest.raises(VotesError, match=r"mine\.csv"):
        find_votes_file("mine.csv")
    (tmp_path / "config").mkdir()
    (tmp_path / USUAL_PLACE).write_text(HEADER)
    assert read_votes(find_votes_file(USUAL_PLACE)) == []


names = st.text("ab ,\"'é", min_size=1, max_size=5).map(str.strip)


@given(listener=names, swap=st.booleans())
def test_a_pair_is_the_same_either_way_round(listener, swap):
    one, other = ("e2", "e1") if swap else ("e1", "e2")
    vote = Vote(listener, "c", one, other, "a")
    assert vote.pair == ("e1", "e2")
    assert vote.winner == one
