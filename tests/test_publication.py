"""What others look for in a repository: citation, catalog, automatic runs."""

import subprocess
import tomllib

import yaml
from PIL import Image

from tests.test_layout import ROOT
from tools.pictures import PAGES, WIDTH


def read_yaml(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text("utf-8"))


def test_the_catalog_finds_what_it_asks_for():
    """What its page "Adding workflows" lists for workflows with standardized usage."""
    assert (ROOT / "workflow/Snakefile").is_file() and (ROOT / "config/README.md").is_file()
    assert any((ROOT / "workflow/rules").glob("*.smk"))
    readme = (ROOT / "README.md").read_text("utf-8").lower()
    assert "snakemake" in readme and "workflow" in readme
    usage = read_yaml(".snakemake-workflow-catalog.yml")["usage"]
    assert usage.keys() == {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["mandatory-flags"].keys() == {"desc", "flags"}
    deployment = usage["software-stack-deployment"]
    assert deployment.keys() == {"conda", "apptainer", "apptainer+conda"}
    assert deployment["conda"] is any((ROOT / "envs").glob("*.yaml"))
    assert not (ROOT / ".gitattributes").exists(), "large files would be stripped from its clone"


def test_the_citation_says_what_the_project_says_of_itself():
    citation = read_yaml("CITATION.cff")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert citation["version"] == project["version"] and citation["license"] == project["license"]
    for entry in (citation, *citation["references"]):
        assert entry["title"] and entry["authors"]
        assert all(author.get("name") or author.get("family-names") for author in entry["authors"])


def test_automatic_runs_do_what_the_script_does_and_nothing_else():
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        workflow = yaml.safe_load(path.read_text("utf-8"))
        assert workflow["permissions"] == {"contents": "read"}
        for job in workflow["jobs"].values():
            assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
            python = [s["with"]["python-version"] for s in job["steps"] if "python" in str(s)]
            assert python == ["3.11"], "the oldest that is supported, as in pyproject.toml"
    listed = subprocess.run(
        ["git", "ls-files", "--stage", ".ci/run"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    assert not listed or listed.startswith("100755"), "it is run by its name"


def test_a_contributor_finds_licence_changes_and_security():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    for name in ("LICENSE", "CHANGELOG.md", "SECURITY.md", "docs/extending.md"):
        assert f"({name}" in text and (ROOT / name).is_file()


def test_the_readme_shows_the_pages_as_small_pictures():
    readme = (ROOT / "README.md").read_text("utf-8")
    for name in PAGES:
        path = ROOT / f"resources/{name}.webp"
        assert f"](resources/{name}.webp)" in readme and path.stat().st_size < 100_000
        with Image.open(path) as picture:
            assert picture.format == "WEBP" and picture.width == WIDTH
            colours = picture.convert("L").getcolors(256)
            assert len(colours) > 50, "a page that was not drawn is of one colour"
