"""Parts of a transcript that nobody speaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.text.annotations import find_annotations


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("so [laughter] it was", ["[laughter]"]),
        ("(Musik) Guten Tag", ["(Musik)"]),
        ("<noise> yes <unk>", ["<noise>", "<unk>"]),
        (r"one\ntwo\ttab", [r"\n", r"\t"]),
        (r"\u00e9 \x41", [r"\u00e9", r"\x41"]),
        ("salt &amp; pepper &#39;x&#x27; &nbsp;", ["&amp;", "&#39;", "&#x27;", "&nbsp;"]),
        ("he *coughs* and {breath} 【笑】", ["*coughs*", "{breath}", "【笑】"]),
        ("♪ la la ♫", ["♪", "♫"]),
        ("a<br/>b", ["<br/>"]),
    ],
)
def test_annotations_are_found(text, found):
    assert find_annotations(text) == found


@pytest.mark.parametrize(
    "text",
    ["plain words", "R&D; and AT&T", "2 * 3 * 4", "a < b", "it's :-)", "", "[open", r"C:\data"],
)
def test_ordinary_texts_have_none(text):
    assert find_annotations(text) == []


@given(st.text(st.characters(categories=["L", "Zs"])), st.sampled_from(["[{}]", "({})", "<{}>"]))
def test_any_words_in_brackets_are_one(words, form):
    note = form.format(f"x{words}")
    assert find_annotations(f"before {note} after") == [note]
