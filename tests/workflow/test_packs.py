"""A run ends with packs for other programs, and reads out a table of texts."""

import csv

import numpy as np
import soundfile

from tests.packs.sherpa import load_pack, speak

from .conftest import add_clips, find_names


def write_texts(project, texts: dict[str, str]) -> None:
    with (project.folder / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([("id", "text"), *texts.items()])


def test_a_run_ends_with_a_pack_that_sherpa_speaks(trained):
    exported = trained.results / "export"
    assert {path.name for path in exported.glob("[!.]*")} == {"voice", "voice.tar.bz2"}
    pack = load_pack(exported / "voice", noise=0.667)
    assert pack.num_speakers == 4
    for speaker in range(4):
        assert np.isfinite(speak(pack, "hello there", speaker)).all()
    card = (exported / "voice/README.md").read_text("utf-8")
    assert "| 0 | spk000 | spk000 |" in card and "hours of speech in all" in card
    for rule in ("export_onnx", "pack_voice"):
        assert (trained.results / f"logs/{rule}.log").is_file()
        assert (trained.results / f"benchmarks/{rule}.tsv").is_file()
    assert not (trained.results / "speech").exists()


def test_a_name_or_a_licence_makes_packs_alone_anew(trained, tmp_path):
    project = trained.copy(tmp_path / "project")
    project.configure(export={"name": "anna", "licence": "CC0"})
    assert project.run().jobs == {"pack_voice": 1}
    assert (project.results / "export/anna.tar.bz2").is_file()
    assert not (project.results / "export/voice").exists()
    assert "recordings: CC0" in (project.results / "export/anna/README.md").read_text("utf-8")


def test_a_table_is_read_out_and_only_what_changed_again(trained, tmp_path):
    project = trained.copy(tmp_path / "project")
    write_texts(project, {"a": "hello there", "b": "good day", "c": "漢字"})
    project.configure(speech={"texts": "texts.csv", "format": "flac"})
    assert project.run().jobs == {"speak_table": 1}
    speech = project.results / "speech"
    times = {path.name: path.stat().st_mtime_ns for path in speech.glob("*.flac")}
    assert times.keys() == {"a.flac", "b.flac"}
    assert [row["id"] for row in project.table("speech/rejected.tsv")] == ["c"]
    assert soundfile.info(speech / "a.flac").samplerate == 16_000
    assert project.run("--dry-run").nothing_to_do
    write_texts(project, {"a": "hello there", "b": "good night"})
    assert project.run().jobs == {"speak_table": 1}
    after = {path.name: path.stat().st_mtime_ns for path in speech.glob("*.flac")}
    assert after["a.flac"] == times["a.flac"] and after["b.flac"] != times["b.flac"]
    # Another setting, for all of them.
    project.configure(speech={"texts": "texts.csv", "format": "flac", "speed": 1.5})
    assert project.run().jobs == {"speak_table": 1}
    last = {path.name: path.stat().st_mtime_ns for path in speech.glob("*.flac")}
    assert not set(last.values()) & set(after.values())


def test_texts_that_are_not_there_are_refused_before_any_work(empty_project):
    add_clips(empty_project, find_names(["demo_001"]))
    empty_project.configure(speech={"texts": "nothing.csv"})
    outcome = empty_project.run("--dry-run", check=False)
    assert outcome.returncode != 0
    assert "speech.texts: nothing.csv is no file, expected a table" in outcome.output
    empty_project.configure(speech={"texts": None, "speed": 9})
    outcome = empty_project.run("--dry-run", check=False)
    assert "speech.speed: got 9, expected at most 4" in outcome.output
