import subprocess
import sys
from pathlib import Path

import pytest

from lib.report import __main__ as program
from tests.report import test_report

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def results(run) -> Path:
    """The output folder of a finished run."""
    test_report.write(run.write(), quality={"after": {"spk000": test_report.MEASURED}})
    return run.folder


def test_the_page_of_a_finished_run_is_the_one_that_the_workflow_writes(results, tmp_path):
    output = tmp_path / "page.html"
    program.main([str(results), "--output", str(output), "--title", "recordings"])
    expected = (results / "report/report.html").read_text("utf-8")
    # Without --language it is undetermined.
    assert output.read_text("utf-8") == expected.replace('lang="eng"', 'lang="und"')
    program.main(
        [str(results), "--output", str(output), "--title", "recordings", "--language", "eng"]
    )
    assert output.read_text("utf-8") == expected


def test_a_run_without_an_evaluation_has_a_page(results, tmp_path):
    for path in (results / "quality").iterdir():
        path.unlink()
    program.main([str(results), "--output", str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "evaluation.clips is 0" in page
    assert f"<title>Report: {results}</title>" in page


@pytest.mark.parametrize("missing", ["training.json", "report/voices"])
def test_an_unfinished_run_is_refused_with_what_is_missing(results, tmp_path, missing):
    (results / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(SystemExit, match=f"{missing} does not exist: the run is not finished"):
        program.main([str(results), "--output", str(tmp_path / "page.html")])
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("module", ["lib.report", "lib.report.summary"])
def test_it_starts_by_hand_and_says_how(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"usage: python -m {module} [-h]" in done.stdout
