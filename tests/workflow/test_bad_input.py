"""Contracts 3 and 5: bad clips are quarantined, bad settings refused, and the message helps."""

import csv
import io
import shutil

import av
import numpy as np
import pytest
import soundfile

from lib.base_model.tiny import write_tiny_model

from .conftest import DEMO, add_clips, find_names

GOOD = find_names([f"demo_{i:03d}" for i in range(1, 13)])


def tone(seconds: float, rate: int = 16_000, channels: int = 1) -> np.ndarray:
    """Harmonics with a syllable-like envelope: something that a decoder and a meter accept."""
    time = np.arange(int(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 8))
    wave = 0.2 * wave * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def wav(samples: np.ndarray, rate: int, subtype: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


def webm(samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=48_000)
        frame = av.AudioFrame.from_ndarray(samples.T.copy(), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return buffer.getvalue()


HOSTILE = {
    "corrupt.webm": lambda: bytes(np.random.default_rng(0).integers(0, 256, 5000, np.uint8)),
    "empty.webm": lambda: b"",
    "text.webm": lambda: b"This is a text file that somebody named webm.\n" * 40,
    "headeronly.webm": lambda: webm(tone(2.0, 48_000))[:200],
    "zerolength.wav": lambda: wav(tone(0.0), 16_000, "PCM_16"),
    "silent.wav": lambda: wav(np.zeros((32_000, 1)), 16_000, "PCM_16"),
    "tooshort.wav": lambda: wav(tone(0.2), 16_000, "PCM_16"),
    "toolong.wav": lambda: wav(tone(21.0), 16_000, "PCM_16"),
}
UNUSUAL = {
    "eightbit.wav": lambda: wav(tone(2.0), 16_000, "PCM_U8"),
    "surround.wav": lambda: wav(tone(2.1, 48_000, 6), 48_000, "PCM_16"),
    "studio.wav": lambda: wav(tone(2.2, 96_000), 96_000, "PCM_24"),
    "truncated.webm": lambda: webm(tone(4.0, 48_000))[:-6000],
}
REASONS = {
    "corrupt": "undecodable",
    "empty": "empty",
    "text": "undecodable",
    "zerolength": "empty",
    "silent": "silent",
    "tooshort": "too_short",
    "toolong": "too_long",
}


def test_every_kind_of_bad_clip_is_quarantined_and_every_unusual_one_used(empty_project):
    project = empty_project
    add_clips(project, GOOD)
    rows = project.source()
    for name, make in {**HOSTILE, **UNUSUAL}.items():
        (project.folder / "data" / name).write_bytes(make())
        rows[name] = f"The clip {name.split('.')[0]} is said here."
    project.write_source(rows)
    project.configure(dataset={"max_rejected_share": 0.9})
    project.run("dataset")
    manifest = {row["clip"]: row for row in project.table("manifest.tsv")}
    rejected = {row["clip"]: row for row in project.table("rejected.tsv")}
    for name in HOSTILE:
        clip = name.split(".")[0]
        assert manifest[clip]["status"] == "rejected", clip
        assert rejected[clip]["origin"].startswith("metadata.csv"), clip
        if clip in REASONS:
            assert rejected[clip]["reason"] == REASONS[clip]
        with soundfile.SoundFile(project.results / f"clips/{clip}.wav") as file:
            assert file.frames == 0
        log = (project.results / f"logs/convert_audio/{clip}.log").read_text("utf-8")
        assert log.startswith(f"{clip}: rejected: {rejected[clip]['reason']}: ")
    for name in UNUSUAL:
        clip = name.split(".")[0]
        assert manifest[clip]["status"] == "accepted", (clip, rejected.get(clip))
        with soundfile.SoundFile(project.results / f"clips/{clip}.wav") as file:
            assert (file.samplerate, file.channels, file.subtype) == (16_000, 1, "PCM_16")
            assert file.frames > 16_000
    assert project.run("--dry-run", "dataset").nothing_to_do


def test_too_many_rejected_clips_stop_with_counts_and_a_place_to_look(empty_project):
    project = empty_project
    add_clips(project, GOOD[:3])
    rows = project.source()
    for number in range(4):
        name = f"broken{number}.webm"
        (project.folder / "data" / name).write_bytes(b"not audio" * 50)
        rows[name] = f"Broken clip {number}."
    project.write_source(rows)
    outcome = project.run("dataset", check=False)
    assert outcome.returncode != 0
    assert "undecodable" in outcome.output
    assert "max_rejected_share" in outcome.output
    # Nothing is lost: what was converted stays, and a raised limit goes on from there.
    project.configure(dataset={"max_rejected_share": 0.9})
    outcome = project.run("dataset")
    assert outcome.jobs == {"build_dataset": 1}


def test_hostile_names_become_safe_ids_within_the_results(empty_project):
    project = empty_project
    data = project.folder / "data"
    names = ["a b.webm", "ünïcödé.webm", "deep/er/clip.webm", "x" * 200 + ".webm", "-rf.webm"]
    (data / "deep/er").mkdir(parents=True)
    for name, source in zip(names, GOOD, strict=False):
        shutil.copy(DEMO / source, data / name)
    outside = project.folder.parent / "outside.webm"
    shutil.copy(DEMO / GOOD[0], outside)
    rows = {name: f"Sentence number {i}." for i, name in enumerate(names)}
    rows["../../outside.webm"] = "This one is outside."
    rows["missing.webm"] = "This one does not exist."
    project.write_source(rows)
    project.configure(dataset={"max_rejected_share": 0.9})
    project.run("dataset")
    accepted = [row["clip"] for row in project.table("manifest.tsv") if row["status"] == "accepted"]
    assert len(accepted) == len(names)
    written = {path.stem for path in (project.results / "clips").rglob("*.wav")}
    assert written == set(accepted)
    rejected = project.table("rejected.tsv")
    assert {row["reason"] for row in rejected} == {"unsafe_path", "missing_file"}
    assert all("line" in row["origin"] for row in rejected)


def test_missing_transcripts_are_listed_with_their_rows(empty_project):
    add_clips(empty_project, GOOD[:6])
    rows = empty_project.source()
    empty_project.write_source({**rows, GOOD[2]: "", GOOD[4]: "   "})
    empty_project.configure(dataset={"max_rejected_share": 0.9})
    empty_project.run("dataset")
    rejected = empty_project.table("rejected.tsv")
    assert [row["reason"] for row in rejected] == ["missing_text"] * 2
    assert {row["origin"] for row in rejected} == {"metadata.csv line 4", "metadata.csv line 6"}


def test_one_clip_only_goes_to_the_end(empty_project):
    add_clips(empty_project, GOOD[:1])
    outcome = empty_project.run()
    assert outcome.jobs["train_model"] == 1
    assert (empty_project.results / "model/config.json").is_file()
    assert [p.name for p in (empty_project.results / "samples").iterdir() if p.is_dir()] == [
        "spk000"
    ]
    assert empty_project.run("--dry-run").nothing_to_do


def refused(project, **changes) -> str:
    """Change the configuration, start a dry run, and return what it says; nothing may be made."""
    project.configure(**changes)
    outcome = project.run("--dry-run", check=False)
    assert outcome.returncode != 0
    assert not (project.results / "clips").exists()
    assert "Traceback" not in outcome.output
    return outcome.output


def test_unknown_key(empty_project):
    add_clips(empty_project, GOOD[:2])
    said = refused(empty_project, training={"epoch": 3})
    assert "unknown key 'training.epoch': did you mean 'epochs'?" in said


def test_wrong_type(empty_project):
    add_clips(empty_project, GOOD[:2])
    said = refused(empty_project, audio={"loudness": "loud"}, speakers={"count": "many"})
    assert "audio.loudness: got 'loud', expected a number" in said
    assert "speakers.count: got 'many', expected 'auto' or a whole number at least 1" in said


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("facebook/mms-tts-cmn", ["was never published for Mandarin", "facebook/mms-tts-hak"]),
        ("facebook/mms-tts-eng", ["not in the local cache", "base_model.source"]),
        ("./no/such/folder", ["neither a directory"]),
        ("lib", ["lacks config.json"]),
    ],
)
def test_wrong_base_model(empty_project, source, expected):
    add_clips(empty_project, GOOD[:2])
    said = refused(empty_project, base_model={"source": source})
    assert all(part in said for part in expected), said


def test_missing_source(empty_project):
    said = refused(empty_project, source={"path": "nowhere", "language": "eng"})
    assert "nowhere" in said
    assert "source.path" in said


def test_empty_source(empty_project):
    assert "data" in refused(empty_project)
    empty_project.write_source({})
    assert "data" in refused(empty_project)


def test_missing_columns(empty_project):
    with (empty_project.folder / "data/metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file_name", "speech"], [GOOD[0], "hello"]])
    shutil.copy(DEMO / GOOD[0], empty_project.folder / "data")
    said = refused(empty_project)
    assert "speech" in said
    assert "source.columns.text" in said


def test_a_clip_that_the_source_does_not_have(empty_project):
    add_clips(empty_project, GOOD[:2])
    outcome = empty_project.run("--dry-run", "results/clips/nobody.wav", check=False)
    assert outcome.returncode != 0
    assert "has no clip 'nobody'" in outcome.output


def test_transcripts_in_another_script_than_the_base_reads(empty_project):
    """Han characters on a base of Latin letters: refused before any conversion."""
    write_tiny_model(empty_project.folder / "base")
    add_clips(empty_project, GOOD[:2])
    empty_project.write_source({name: "今天天气很好" for name in GOOD[:2]})
    said = refused(empty_project, base_model={"source": "base"})
    assert "100% of the letters" in said
    assert "another script" in said


def test_values_that_do_not_fit_each_other(empty_project):
    add_clips(empty_project, GOOD[:2])
    said = refused(empty_project, audio={"min_duration": 5.0, "max_duration": 2.0})
    assert "audio.min_duration is 5.0" in said


def test_a_section_on_the_command_line_is_taken(empty_project):
    add_clips(empty_project, GOOD[:2])
    given = "training={epochs: 3, learning_rate: 1e-4, early_stopping_epochs: null, resume: false}"
    assert empty_project.run("--dry-run", "--config", given).jobs["train_model"] == 1
    said = empty_project.run("--dry-run", "--config", "training={epochs: ten}", check=False)
    assert "training.epochs: got 'ten', expected a whole number" in said.output


def test_a_sample_rate_that_the_base_does_not_have(empty_project):
    add_clips(empty_project, GOOD[:2])
    said = refused(empty_project, audio={"sample_rate": 22_050})
    assert "audio.sample_rate is 22050 Hz, but the base 'tiny' speaks at 16000 Hz" in said


def test_a_score_whose_package_is_missing_is_refused_before_any_work(
    empty_project, tmp_path, monkeypatch
):
    add_clips(empty_project, GOOD)
    block = tmp_path / "block"
    block.mkdir()
    (block / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "real = importlib.util.find_spec\n"
        "def find_spec(name, package=None):\n"
        "    return None if name == 'distillmos' else real(name, package)\n"
        "importlib.util.find_spec = find_spec\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(block))
    assert empty_project.run("--dry-run").returncode == 0
    empty_project.configure(evaluation={"clips": 2, "naturalness": True})
    refused = empty_project.run("--dry-run", check=False)
    assert refused.returncode
    assert "distillmos is not installed; run make setup-quality" in refused.output
