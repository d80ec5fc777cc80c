"""The embedded corpus with the embedded base, up to where the training begins."""

import pytest
import yaml

from lib.base_model.record import BaseModel
from lib.files import read_json

from .conftest import DEMO, ROOT, make_project


@pytest.mark.slow
def test_every_speaker_of_the_demo_speaks_at_step_zero(tmp_path):
    project = make_project(tmp_path / "project")
    config = yaml.safe_load((ROOT / "config/demo.yaml").read_text("utf-8"))
    config |= {"output": "results", "base_model": {"source": str(ROOT / "resources/base_model")}}
    config["source"]["path"] = str(DEMO)
    config["speech"]["texts"] = str(ROOT / config["speech"]["texts"])
    (project.folder / "config.yaml").write_text(yaml.safe_dump(config))
    measured = ("results/quality/recordings.json", "results/quality/before.json")
    project.run(*measured, "results/rejected.tsv")

    # Four voices were found, and the two bad files.
    base = BaseModel.open(project.results / "base_model")
    assert list(base.learnt_speakers()) == ["spk000", "spk001", "spk002", "spk003"]
    rejected = {row["reason"] for row in project.table("rejected.tsv")}
    assert rejected == {"silent", "undecodable"}
    # Letters that the base does not know.
    characters = project.column("text/vocabulary.tsv", "character", "status")
    assert {c for c, status in characters.items() if status == "added"} >= set("éëñç")
    # Step 0 speaks as the base does: of 200 sentences of its own voices 197 are understood.
    recordings, before = (read_json(project.folder / path) for path in measured)
    assert sum(q["sentences_tested"] for q in recordings.values()) == 40
    understood = [
        sum(q["sentences_understood"] for q in found.values()) for found in (recordings, before)
    ]
    assert understood[0] >= 38
    assert understood[1] >= 0.95 * understood[0]
    for speaker, found in recordings.items():
        assert before[speaker]["sentences_understood"] >= 8
        assert found["own_similarity"] > found["other_similarity"] + 0.2
