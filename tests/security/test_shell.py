"""Values of the configuration are values, whatever a shell or YAML would make of them."""

import pytest
import yaml

from lib.speakers.overrides_file import read_overrides
from tests.test_documents import read_schema
from tests.workflow.conftest import FIRST, add_clips, find_names, make_project

MARKS = "a $(touch trace) `touch trace`; touch trace & 'touch trace' \"x\" | touch trace"


def test_no_value_of_the_configuration_becomes_a_command(tmp_path):
    project = make_project(tmp_path / "project")
    add_clips(project, find_names(FIRST[:3]))
    (project.folder / "data").rename(project.folder / MARKS)
    project.configure(
        output=f"results {MARKS}",
        source={"path": MARKS, "language": "eng"},
        samples={"texts": [MARKS]},
        export={"name": "voice", "licence": MARKS, "consent": MARKS},
    )
    project.run(f"results {MARKS}/measurements.tsv", f"results {MARKS}/text")
    assert len((project.folder / f"results {MARKS}/measurements.tsv").read_text().splitlines()) == 4
    assert not list(project.folder.rglob("trace"))


OBJECT = "!!python/object/apply:os.system ['touch trace']"


def test_yaml_makes_no_objects(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speakers.yaml").write_text(f"names: {OBJECT}\n")
    with pytest.raises((ValueError, yaml.YAMLError), match="speakers.yaml|python/object"):
        read_overrides(str(tmp_path / "speakers.yaml"), read_schema("speakers"))
    project = make_project(tmp_path / "project")
    with (project.folder / "config.yaml").open("a") as file:
        file.write(f"speech: {OBJECT}\n")
    outcome = project.run("--dry-run", "dataset", check=False)
    assert outcome.returncode != 0 and "not valid JSON or YAML" in outcome.output
    assert not list(tmp_path.rglob("trace"))
