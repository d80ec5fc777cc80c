"""Contracts 1, 2 and 4: what is recomputed, what never moves, what survives a kill."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import datasets
import yaml

from lib.base_model.tiny import write_tiny_model
from lib.locking import take_lock

from .conftest import Project, add_clips, demo_rows, environment, find_names

NEW = find_names(["demo_030", "demo_031", "demo_032"])
AFTER_TEXT = {"plan_text": 1, "build_dataset": 1}
AFTER_CLIPS = {"collect_measurements": 1, "hear_clips": 1, "cluster_speakers": 1, **AFTER_TEXT}


def dataset_rows(project: Project) -> dict[str, dict]:
    loaded = datasets.load_from_disk(str(project.results / "dataset"))
    return {
        row["id"]: {**row, "split": split, "audio": row["audio"]["bytes"]}
        for split, rows in loaded.items()
        for row in rows
    }


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_a_fresh_dry_run_names_exactly_the_clips(empty_project):
    add_clips(empty_project, NEW)
    outcome = empty_project.run("--dry-run", "dataset")
    named = set(re.findall(r"results/clips/(\w+)\.wav, ", outcome.output))
    assert named == {Path(name).stem for name in NEW}
    assert outcome.jobs["convert_audio"] == 3
    assert not (empty_project.results / "clips").exists()


def test_a_dry_run_records_nothing(empty_project):
    """Its source may be half copied."""
    add_clips(empty_project, NEW)
    assert empty_project.run("--dry-run", "dataset").jobs["convert_audio"] == 3
    left = {path.name for path in empty_project.results.rglob("*") if path.is_file()}
    assert left <= {"content_hashes.json"}


def test_a_dry_run_needs_no_place_to_write_and_a_run_names_it(empty_project):
    add_clips(empty_project, NEW)
    empty_project.results.mkdir()
    for name in ("source", "state"):
        (empty_project.results / name).write_text("in the way")
    assert empty_project.run("--dry-run", "dataset").jobs["convert_audio"] == 3
    outcome = empty_project.run("dataset", check=False)
    assert outcome.returncode != 0
    assert "output: results cannot be written to" in outcome.output


def test_a_second_run_has_nothing_to_do(project):
    assert project.run("--dry-run", "dataset").nothing_to_do
    assert project.run("dataset").jobs == {}


def test_adding_three_clips_converts_three_and_moves_nothing(project):
    before = dataset_rows(project)
    speakers = project.column("speakers/assignments.tsv", "clip", "speaker_id")
    add_clips(project, NEW)
    outcome = project.run("dataset")
    shards = outcome.jobs.pop("embed_speakers")
    assert 1 <= shards <= 2
    assert outcome.jobs == {"convert_audio": 3, **AFTER_CLIPS}
    after = dataset_rows(project)
    assert len(after) == len(before) + 3
    assert {clip: after[clip] for clip in before} == before
    now = project.column("speakers/assignments.tsv", "clip", "speaker_id")
    assert {clip: now[clip] for clip in speakers} == speakers
    assert project.run("--dry-run", "dataset").nothing_to_do


def test_editing_a_transcript_converts_and_embeds_nothing(project):
    rows = project.source()
    name = next(iter(rows))
    before = dataset_rows(project)[Path(name).stem]
    project.write_source({**rows, name: "Something else is said here."})
    outcome = project.run("dataset")
    assert outcome.jobs == AFTER_TEXT
    after = dataset_rows(project)[Path(name).stem]
    assert after["transcript"] == "Something else is said here."
    assert after["text"] == "something else is said here"
    assert after["audio"] == before["audio"]
    assert after["speaker_id"] == before["speaker_id"]


def test_replacing_one_clip_s_audio_converts_that_clip(project):
    name = next(iter(project.source()))
    before = dataset_rows(project)[Path(name).stem]
    other = find_names(["demo_040"])[0]
    shutil.copy(
        Path(__file__).parents[2] / "resources/demo/corpus" / other, project.folder / "data" / name
    )  # noqa: E501
    outcome = project.run("dataset")
    assert outcome.jobs == {
        **{"convert_audio": 1, "embed_speakers": 1, "collect_measurements": 1},
        **{"hear_clips": 1, "cluster_speakers": 1, "build_dataset": 1},
    }
    after = dataset_rows(project)[Path(name).stem]
    assert after["audio"] != before["audio"]
    assert after["split"] == before["split"]


def test_a_removed_clip_leaves_no_trace(project):
    rows = project.source()
    before = dataset_rows(project)
    gone = next(clip for clip, row in before.items() if row["split"] == "train")
    project.write_source({n: t for n, t in rows.items() if Path(n).stem != gone})
    outcome = project.run("dataset")
    assert outcome.jobs["convert_audio"] == 0
    after = dataset_rows(project)
    assert gone not in after
    assert {clip: before[clip] for clip in after} == after
    for table in ("manifest.tsv", "speakers/assignments.tsv", "rejected.tsv"):
        assert gone not in (project.results / table).read_text("utf-8")


def test_reordering_rows_and_touching_files_change_nothing(project):
    rows = project.source()
    project.write_source(dict(reversed(rows.items())))
    now = time.time() + 5
    for folder in ("data", "lib", "workflow", "config"):
        for path in (project.folder / folder).rglob("*"):
            os.utime(path, (now, now))
    assert project.run("--dry-run", "dataset").nothing_to_do


def test_a_deleted_wav_is_made_again_when_it_is_needed(project):
    rows = project.source()
    first, second = list(rows)[:2]
    before = dataset_rows(project)
    (project.results / f"clips/{Path(first).stem}.wav").unlink()
    project.write_source({**rows, second: "A new text, so that the dataset is built."})
    assert project.run("dataset").jobs["convert_audio"] == 1
    assert dataset_rows(project)[Path(first).stem] == before[Path(first).stem]


def test_mixed_changes_in_one_go(project):
    rows = project.source()
    before = dataset_rows(project)
    removed, edited = list(rows)[0], list(rows)[1]
    project.write_source({n: t for n, t in rows.items() if n != removed} | {edited: "A new text."})
    add_clips(project, NEW[:2])
    outcome = project.run("dataset")
    assert outcome.jobs["convert_audio"] == 2
    after = dataset_rows(project)
    assert Path(removed).stem not in after
    assert after[Path(edited).stem]["transcript"] == "A new text."
    for clip in set(before) - {Path(removed).stem, Path(edited).stem}:
        assert after[clip] == before[clip]


def test_ids_and_splits_survive_the_loss_of_all_results_but_the_state(project):
    before = dataset_rows(project)
    for path in project.results.iterdir():
        if path.name != "state":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    add_clips(project, NEW)
    project.run("dataset")
    after = dataset_rows(project)
    assert {clip: after[clip] for clip in before} == before


def test_changed_code_reruns_what_depends_on_it_and_comments_do_not(project):
    edit(project.folder / "lib/audio/table.py", '"""The measurements', '"""All measurements')
    edit(project.folder / "lib/dataset/split.py", "import", "# why\nimport")
    assert project.run("--dry-run", "dataset").nothing_to_do
    edit(project.folder / "lib/dataset/split.py", "\nimport", "\nUNUSED = 1\nimport")
    assert project.run("--dry-run", "dataset").jobs == {"build_dataset": 1}
    edit(project.folder / "lib/audio/loudness.py", "\nimport", "\nUNUSED = 1\nimport")
    assert project.run("--dry-run", "dataset").jobs["convert_audio"] == 24


def test_a_change_of_the_text_section_converts_and_embeds_nothing(project):
    project.configure(text={"mapping": {"%": "percent"}})
    assert project.run("dataset", "--dry-run").jobs == AFTER_TEXT
    project.run("dataset")
    assert project.run("dataset", "--dry-run").nothing_to_do


def test_a_change_of_the_base_makes_text_plan_and_dataset_stale_and_nothing_before(project):
    write_tiny_model(project.folder / "base", seed=8)
    project.configure(base_model={"source": "base"})
    outcome = project.run("dataset")
    assert outcome.jobs == {"fetch_base_model": 1, **AFTER_TEXT}
    assert project.run("--dry-run", "dataset").nothing_to_do


def test_a_filter_converts_and_embeds_nothing(project):
    project.configure(dataset={"min_snr": 80.0, "max_rejected_share": 1.0})
    assert project.run("dataset").jobs == {"build_dataset": 1}
    flags = project.column("manifest.tsv", "clip", "flags")
    assert flags and all("noisy" in flag.split(",") for flag in flags.values() if flag)
    assert sum(bool(flag) for flag in flags.values()) == 24


def test_a_training_parameter_touches_nothing_before_training(trained, tmp_path):
    project = trained.copy(tmp_path / "project")
    assert project.run("--dry-run").nothing_to_do
    project.configure(training={**_training(project), "epochs": 3})
    jobs = project.run("--dry-run").jobs
    assert jobs["train_model"] == jobs["export_model"] == jobs["synthesize_samples"] == 1
    early = {"convert_audio", "embed_speakers", "cluster_speakers", "build_dataset"}
    assert not early & set(jobs)
    assert "fit_base_model" not in jobs


def test_a_sample_text_does_not_retrain(trained, tmp_path):
    project = trained.copy(tmp_path / "project")
    project.configure(samples={"texts": ["another sentence"]})
    jobs = project.run("--dry-run").jobs
    assert jobs["synthesize_samples"] == 1
    assert "train_model" not in jobs


def test_results_of_an_earlier_version_get_their_weights_without_training(trained, tmp_path):
    """They have checkpoints, curves and a summary, and an update must not cost a training."""
    project = trained.copy(tmp_path / "project")
    checkpoints = {p: p.stat().st_mtime_ns for p in project.results.glob("checkpoints/*/*")}
    model = (project.results / "model/model.safetensors").read_bytes()
    summary = (project.results / "training.json").read_text()
    (project.results / "training.json").write_text(summary.replace("weights/", "checkpoints/"))
    for folder in ("weights", "curves"):
        shutil.rmtree(project.results / folder)
    assert project.run("results/model", "results/report/training").jobs == {
        "train_model": 1,
        "export_model": 1,
        "plot_training": 1,
    }
    assert (project.results / "training.json").read_text() == summary
    assert {path: path.stat().st_mtime_ns for path in checkpoints} == checkpoints
    assert (project.results / "model/model.safetensors").read_bytes() == model


def test_a_voice_is_made_where_no_checkpoint_is(trained, tmp_path):
    """On another machine, whose checkpoints did not come back."""
    project = trained.copy(tmp_path / "project")
    model = (project.results / "model/model.safetensors").read_bytes()
    for folder in ("checkpoints", "tensorboard", "model", "report/training"):
        shutil.rmtree(project.results / folder)
    assert set(project.run("results/model", "results/report/training").jobs) == {
        "export_model",
        "plot_training",
    }
    assert (project.results / "model/model.safetensors").read_bytes() == model


def _training(project: Project) -> dict:
    return yaml.safe_load((project.folder / "config.yaml").read_text())["training"]


def start(project: Project, *targets: str) -> subprocess.Popen:
    """Start a run in a process group of its own."""
    return subprocess.Popen(
        project.command(*targets),
        cwd=project.folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_when(process: subprocess.Popen, condition) -> None:
    """Kill the whole group with -9 as soon as a condition holds."""
    deadline = time.monotonic() + 200
    while not condition():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_kill_9_during_conversion_costs_only_what_was_under_way(empty_project, finished):
    add_clips(empty_project, list(finished.source()))
    clips = empty_project.results / "clips"
    process = start(empty_project, "dataset")
    kill_when(process, lambda: len(list(clips.glob("*.json"))) >= 8 if clips.exists() else False)
    done = len(list(clips.glob("*.json")))
    outcome = empty_project.run("dataset")
    # Snakemake repeats jobs that it had not recorded as finished: at most one a core.
    assert 24 - done <= outcome.jobs["convert_audio"] <= 24 - done + 4
    assert dataset_rows(empty_project) == dataset_rows(finished)
    assert empty_project.run("--dry-run", "dataset").nothing_to_do


def test_kill_9_during_training_and_the_weights_are_the_same(finished, trained, tmp_path):
    project = finished.copy(tmp_path / "project")
    process = start(project)
    kill_when(process, (project.results / "checkpoints/epoch0001").is_dir)
    assert not (project.results / "training.json").exists()
    outcome = project.run()
    assert outcome.jobs["train_model"] == 1
    for name in ("generator", "discriminator", "ema"):
        file = f"checkpoints/epoch0002/{name}.safetensors"
        assert (project.results / file).read_bytes() == (trained.results / file).read_bytes()
    assert project.run("--dry-run").nothing_to_do


def test_two_runs_at_once_are_refused(project):
    with take_lock(project.results / "state/run.lock", "running the workflow"):
        add_clips(project, NEW)
        outcome = project.run("dataset", check=False)
        assert outcome.returncode != 0
        assert "is running the workflow here already" in outcome.output
        assert project.run("--dry-run", "dataset").returncode == 0
    assert project.run("dataset").jobs["convert_audio"] == 3


def test_the_demo_rows_are_what_these_tests_think():
    assert len(demo_rows()) == 202
    assert len(NEW) == 3


def test_a_new_bad_row_is_listed_at_the_next_run(project):
    project.write_source({**project.source(), "gone.webm": "This recording was never made."})
    outcome = project.run("dataset")
    assert outcome.jobs == {"build_dataset": 1}
    listed = project.column("rejected.tsv", "origin", "reason")
    assert listed["metadata.csv line 26"] == "missing_file"
    assert project.run("--dry-run", "dataset").nothing_to_do


def test_changed_embedding_code_computes_the_vectors_anew(project):
    edit(project.folder / "lib/speakers/embedding.py", "\nMIN_PART = 2", "\nMIN_PART = 2 + 0")
    assert project.run("dataset").jobs["embed_speakers"] == 2
    for log in (project.results / "logs/embed_speakers").glob("*.log"):
        assert " 0 embeddings kept" in log.read_text("utf-8")


def test_a_name_that_clashes_gets_an_id_of_its_own_and_moves_no_other(project):
    rows = project.source()
    name = next(iter(rows))
    before = dataset_rows(project)
    upper, other = name.upper(), Path(name).stem + ".copy.webm"
    demo = Path(__file__).parents[2] / "resources/demo/corpus"
    for number, new in enumerate((upper, other)):
        shutil.copy(demo / find_names([f"demo_04{number}"])[0], project.folder / "data" / new)
    project.write_source({upper: "A clip of another name.", other: "One more of them.", **rows})

    outcome = project.run("dataset")

    assert outcome.jobs["convert_audio"] == 2
    after = dataset_rows(project)
    assert {clip: after[clip] for clip in before} == before
    assert len({clip.lower() for clip in after}) == len(before) + 2
    (project.results / "source/corpus.json").unlink()
    project.write_source({**rows, upper: "A clip of another name.", other: "One more of them."})
    assert project.run("--dry-run", "dataset").nothing_to_do
