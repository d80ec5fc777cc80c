"""The mutation tool: changes that are changes, and outcomes that can be believed."""

import ast
from pathlib import Path

import pytest

from tools import mutate
from tools.mutate import Mutant

SOURCE = '''
def share(values, limit=10, strict=True):
    """Return a share."""
    if not values or len(values) > limit and strict:
        raise ValueError(f"{limit} at most" + " values")
    total = 2 * max(values)
    values.sort()
    return total if total in values else any(values) / 3
'''
CHANGES = {
    "Gt to GtE",
    "In to NotIn",
    "Or to And",
    "And to Or",
    "Mult to Div",
    "Div to Mult",
    "not left out",
    "condition turned round",
    "10 to another",
    "True to another",
    "2 to another",
    "3 to another",
    "max to min",
    "any to all",
    "statement left out",
}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project of one module and one test, which notices nothing but `limit`."""
    (tmp_path / "lib/room").mkdir(parents=True)
    (tmp_path / "lib/room/share.py").write_text(SOURCE)
    (tmp_path / "tests/room").mkdir(parents=True)
    (tmp_path / "tests/room/test_share.py").write_text(
        "from lib.room.share import share\n\n"
        "def test_limit():\n    assert share.__defaults__[0] == 10\n"
    )
    (tmp_path / "tests/room/test_processes.py").write_text("def test_slow():\n    pass\n")
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['.']\n")
    monkeypatch.setattr(mutate, "ROOT", tmp_path)
    return tmp_path


def draw_all() -> list[Mutant]:
    return mutate.draw(mutate.list_files(["lib/room"]), 1000, 1)


def test_every_change_is_one_and_can_be_compiled(project):
    mutants = draw_all()
    changed = [mutate.mutate(mutant, SOURCE) for mutant in mutants]
    assert {mutant.change for mutant in mutants} == CHANGES
    assert len({ast.unparse(ast.parse(SOURCE)), *changed}) == len(mutants) + 1
    for source in changed:
        compile(source, "share.py", "exec")


def test_a_sample_follows_from_its_seed(project):
    files = mutate.list_files(["lib/room"])
    assert mutate.draw(files, 5, 1) == mutate.draw(files, 5, 1)
    assert mutate.draw(files, 5, 1) != mutate.draw(files, 5, 2)


def test_fast_tests_come_first_and_those_of_slow_files_last(project):
    (project / "tests/room/test_another.py").write_text(
        "import time\nimport pytest\n\n"
        "@pytest.mark.parametrize('text', ['a b', 'c'])\n"
        "def test_it(text):\n    time.sleep({'a b': 0.4, 'c': 0.2}[text])\n"
    )
    chosen = draw_all()[:1]
    another, share = "tests/room/test_another.py::test_it", "tests/room/test_share.py::test_limit"
    slow = "tests/room/test_processes.py::test_slow"
    found = mutate.time_tests(chosen, project, quick=False)
    assert found == {"lib/room/share.py": [share, f"{another}[c]", f"{another}[a b]", slow]}
    assert slow not in mutate.time_tests(chosen, project, quick=True)["lib/room/share.py"]


def test_what_no_test_sees_survives_and_the_file_is_as_before(project, capsys):
    chosen = [m for m in draw_all() if m.change in ("10 to another", "3 to another")]
    mutate.try_all(chosen, jobs=1, quick=False, output=project / "tried.json")
    outcomes = {mutant.change: mutant.outcome for mutant in chosen}
    assert outcomes == {"10 to another": "noticed", "3 to another": "survived"}
    test = "tests/room/test_share.py::test_limit"
    assert {mutant.noticed_by for mutant in chosen} == {test, ""}
    assert (project / "lib/room/share.py").read_text() == SOURCE
    assert "survived" in (project / "tried.json").read_text()


def test_tests_that_fail_without_a_change_end_the_trial(project):
    (project / "tests/room/test_share.py").write_text("def test_it():\n    assert 1 == 2\n")
    with pytest.raises(SystemExit, match="fail without a change"):
        mutate.try_all(draw_all()[:1], jobs=1, quick=False, output=None)


def test_an_interpreter_without_pytest_notices_nothing(project, monkeypatch):
    monkeypatch.setattr(mutate, "time_tests", lambda *_: {"lib/room/share.py": ["tests/room"]})
    monkeypatch.setattr(mutate.sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="could not be run"):
        mutate.try_all(draw_all()[:1], jobs=1, quick=False, output=None)
