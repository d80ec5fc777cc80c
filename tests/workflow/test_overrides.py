"""The user's overrides of speakers: what they rerun and change, what is refused at the start."""

import json

import pytest
import yaml

from .conftest import Project, add_clips, find_names


def say(project: Project, **word) -> None:
    (project.folder / "config/speakers.yaml").write_text(yaml.safe_dump(word))


def speakers(project: Project) -> dict[str, str]:
    return project.column("speakers/assignments.tsv", "clip", "speaker_id")


def test_overrides_rerun_the_clustering_and_what_follows_and_nothing_before(project):
    before = speakers(project)
    say(project, merge=[["spk000", "spk003"]], exclude={"clips": ["demo_00[12]"]})
    outcome = project.run("dataset")
    outcome.jobs.pop("name_speakers", None)
    assert outcome.jobs == {"cluster_speakers": 1, "build_dataset": 1}
    assert speakers(project) == {c: "spk000" if s == "spk003" else s for c, s in before.items()}
    rejected = {row["clip"]: row["reason"] for row in project.table("rejected.tsv")}
    assert rejected == dict.fromkeys(["demo_001", "demo_002"], "excluded_by_user")
    # The same said otherwise is no change; what is taken back is as if it had not been said.
    text = "# why\nexclude:\n  clips: demo_00[12]\nmerge:\n  - - spk000\n    - spk003\n"
    (project.folder / "config/speakers.yaml").write_text(text)
    assert project.run("--dry-run", "dataset").nothing_to_do
    (project.folder / "config/speakers.yaml").unlink()
    project.run("dataset")
    assert speakers(project) == before
    assert project.table("rejected.tsv") == []


def test_settling_a_doubt_assigns_nothing_anew(project):
    say(project, apart=[["spk000", "spk001"]], together=["spk002"])
    assert set(project.run("dataset", "results/speakers/doubts.tsv").jobs) == {"name_speakers"}
    say(project, apart=[["spk000", "spk009"]])
    outcome = project.run("--dry-run", check=False)
    assert outcome.returncode and "there is no speaker 'spk009'" in outcome.output


def test_without_a_second_opinion_nothing_is_heard(project):
    before = speakers(project)
    project.configure(speakers={"second_opinion": None})
    jobs = project.run("dataset").jobs
    assert "hear_clips" not in jobs and "embed_speakers" not in jobs
    # Four clear voices: nothing changes but who decided.
    assert speakers(project) == before


def test_overrides_survive_adding_audio(project):
    say(project, split={"Bintu": ["demo_001", "demo_002"]}, exclude={"speakers": ["spk001"]})
    project.run("dataset")
    before = speakers(project)
    assert {before["demo_001"], before["demo_002"]} == {"spk004"}
    add_clips(project, find_names(["demo_030", "demo_031", "demo_032"]))
    project.run("dataset")
    assert speakers(project).items() >= before.items()
    left_out = {clip for clip, speaker in speakers(project).items() if speaker == "spk001"}
    assert {row["clip"] for row in project.table("rejected.tsv")} == left_out


def test_a_name_reaches_the_model_without_a_step_of_training(trained, tmp_path):
    project = trained.copy(tmp_path / "project")
    say(project, names={"spk000": "Amina"})
    jobs = project.run("--dry-run").jobs
    assert jobs["name_speakers"] == jobs["export_model"] == jobs["write_report"] == 1
    early = {"convert_audio", "embed_speakers", "cluster_speakers", "build_dataset"}
    assert not {*early, "fit_base_model", "train_model"} & set(jobs)
    state = {path: path.read_bytes() for path in project.results.glob("checkpoints/*/*")}
    project.run()
    assert {path: path.read_bytes() for path in project.results.glob("checkpoints/*/*")} == state
    model = json.loads((project.results / "model/speakers.json").read_text())
    assert model["spk000"]["name"] == "Amina"
    assert "spk000 (Amina)" in (project.results / "model/README.md").read_text("utf-8")
    assert project.run("--dry-run").nothing_to_do


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ({"merge": ["spk000", "spk001"]}, "merge.0: got 'spk000', expected a list"),
        ({"exclude": {"clips": ["demo_999"]}}, "the source has no clip 'demo_999'"),
        ({"names": {"spk009": "A"}}, "names.spk009: there is no speaker 'spk009'"),
    ],
)
def test_wrong_overrides_are_refused_before_any_work(project, word, said):
    say(project, **word)
    outcome = project.run("--dry-run", "dataset", check=False)
    assert outcome.returncode != 0
    assert said in outcome.output and "config/speakers.yaml" in outcome.output
    assert "Traceback" not in outcome.output


def test_a_damaged_record_of_speakers_is_noticed_before_any_work(project):
    state = project.results / "state/speakers.json"
    state.write_text(state.read_text()[:200])
    add_clips(project, find_names(["demo_030"]))
    outcome = project.run("dataset", check=False)
    assert outcome.returncode != 0
    assert "the record of speaker ids is damaged" in outcome.output
    assert not (project.results / "clips/demo_030.wav").exists()


def test_the_page_to_hear_speakers_needs_neither_dataset_nor_training(empty_project, finished):
    add_clips(empty_project, list(finished.source()))
    jobs = empty_project.run("--dry-run", "speaker_review").jobs
    assert jobs["write_speaker_review"] == 1
    assert not {"build_dataset", "fit_base_model", "train_model"} & set(jobs)


def test_the_page_follows_names_and_transcripts(project):
    project.run("speaker_review")
    page = project.results / "speakers/review.html"
    assert "demo_001" in page.read_text("utf-8")
    say(project, names={"spk000": "Amina"})
    assert project.run("speaker_review").jobs == {"name_speakers": 1, "write_speaker_review": 1}
    assert '"name":"Amina"' in page.read_text("utf-8")
    rows = project.source()
    project.write_source({**rows, next(iter(rows)): "Quite another text."})
    jobs = project.run("speaker_review").jobs
    assert jobs == {"write_speaker_review": 1}
    assert "Quite another text." in page.read_text("utf-8")
