"""Runs that are killed end as one that was left alone, and what differs is found."""

import shutil

import pytest

from tools import kill
from tools.kill import KillError, compare, digest_results, find_differences, write_project


@pytest.mark.slow
def test_runs_that_are_killed_end_as_one_that_was_left_alone(tmp_path, capsys):
    kill.main(["--times", "2", "--clips", "12", "--seed", "3", "--work", str(tmp_path / "work")])
    told = capsys.readouterr().out
    assert "2 of 2: " in told and "each equal to one that was left alone" in told
    expected = digest_results(tmp_path / "work/alone/results")
    for part in ("model/model.safetensors", "export/voice.tar.bz2", "report/report.html"):
        assert part in expected, "the whole workflow ran"


@pytest.fixture
def project(tmp_path):
    """A folder of results."""
    results = tmp_path / "project/results"
    for name in ("model/a", "logs/b", "state/run.lock", "dataset/state.json"):
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text(f"{name} one")
    (results / "dataset/state.json").write_text('{"_fingerprint": "0a1b", "split": "train"}')
    return tmp_path / "project"


def test_what_differs_is_named(project, tmp_path):
    expected = digest_results(project / "results")
    assert expected.keys() == {"model/a", "dataset/state.json"}
    for name in ("logs/b", "state/run.lock"):
        (project / "results" / name).write_text("two")
    (project / "results/dataset/state.json").write_text('{"_fingerprint": "77", "split": "train"}')
    compare(project, expected)
    (project / "results/dataset/state.json").write_text('{"_fingerprint": "77", "split": "x"}')
    (project / "results/.left.tmp").touch()
    (project / "results/model/a").unlink()
    with pytest.raises(KillError) as told:
        compare(project, expected)
    assert str(told.value).splitlines()[1:] == [
        "  model/a is missing",
        "  .left.tmp is there as well",
        "  dataset/state.json is another",
    ]
    assert find_differences(expected, expected) == []


def test_a_run_that_fails_is_no_run_that_was_killed(tmp_path):
    project = write_project(tmp_path / "project", 8)
    shutil.rmtree(project / "data")
    with pytest.raises(KillError, match="ended with status 1:(.|\n)*data does not exist"):
        kill.run_for(project, None)
