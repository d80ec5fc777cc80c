"""Ids: safe on any system, unique, and decided by the name alone."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.corpus.ids import clip_id, hashed_id, name_of_file

SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}")

HOSTILE = {
    "../../x": "x-9cdf6a5010",
    "a/b": "a-b-c14cddc033",
    "x" * 300: "x" * 48 + "-",
    "naïve café": "naive-cafe-",
    "你好": "clip-",
    "CON": "CON-",
    "aux.webm": "aux-webm-",
    ".hidden": "hidden-",
    "-rf": "rf-",
    "a b\tc": "a-b-c-",
    "a\0b": "a-b-",
    "ends.": "ends-",
    "\ud800": "clip-",
    "": "clip-",
}


@pytest.mark.parametrize("name", ["LJ001-0001", "a", "demo_001", "a.b-c_d", "0", "x" * 80])
def test_safe_name_is_its_own_id(name):
    assert clip_id(name) == name


@pytest.mark.parametrize(("name", "start"), HOSTILE.items(), ids=map(ascii, HOSTILE))
def test_hostile_name_becomes_safe(name, start):
    assert clip_id(name).startswith(start)
    assert SAFE.fullmatch(clip_id(name))


@given(st.text())
def test_any_name_becomes_safe_and_stays(name):
    assert SAFE.fullmatch(clip_id(name))
    assert not clip_id(name).endswith(".")
    assert clip_id(clip_id(name)) == clip_id(name)


@given(st.lists(st.text(max_size=12), unique=True, max_size=30))
def test_different_names_have_different_ids(names):
    assert len({clip_id(name) for name in names}) == len(names)
    assert len({hashed_id(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.webm", "a"),
        ("clips/a.b.webm", "clips/a.b"),
        ("./a.wav", "a"),
        ("x\\y.wav", "x/y"),
        ("none", "none"),
    ],
)
def test_extension_is_no_part_of_the_name(path, name):
    assert name_of_file(path) == name
