"""Contracts 6 and 7: what comes out is the ecosystem's own, and nothing leaves the machine."""

import json
import os
import subprocess
import sys

import soundfile

from .conftest import ROOT, add_clips, environment, find_names


def test_a_second_run_after_the_end_has_nothing_to_do(trained):
    assert trained.run("--dry-run").nothing_to_do
    assert trained.run().jobs == {}


def test_the_model_speaks_in_a_process_that_knows_nothing_of_this_project(trained, tmp_path):
    model = trained.results / "model"
    script = f"""
import json, sys, torch
from transformers import VitsModel, VitsTokenizer
model = VitsModel.from_pretrained({str(model)!r})
tokenizer = VitsTokenizer.from_pretrained({str(model)!r})
speakers = json.load(open({str(model / "speakers.json")!r}))
assert len(speakers) == 4, speakers
for speaker in speakers.values():
    with torch.no_grad():
        out = model(**tokenizer("hello", return_tensors="pt"), speaker_id=speaker["index"])
    assert out.waveform.shape[1] > 0 and torch.isfinite(out.waveform).all()
assert "lib" not in sys.modules
"""
    subprocess.run([sys.executable, "-I", "-c", script], check=True, cwd=tmp_path)


def test_the_dataset_loads_in_a_process_that_knows_nothing_of_this_project(trained, tmp_path):
    script = f"""
import io, sys, datasets, soundfile
loaded = datasets.load_from_disk({str(trained.results / "dataset")!r})
assert set(loaded) == {{"train", "validation"}}
for rows in loaded.values():
    names = ["id", "audio", "text", "transcript", "speaker_id", "duration"]
    assert rows.column_names == names
    for row in rows:
        audio, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]))
        assert rate == 16000 and audio.ndim == 1
        assert abs(len(audio) / rate - row["duration"]) < 1e-3
assert sum(map(len, loaded.values())) == 24
assert "lib" not in sys.modules
"""
    subprocess.run([sys.executable, "-I", "-c", script], check=True, cwd=tmp_path)


def test_every_speaker_has_samples(trained):
    speakers = json.loads((trained.results / "model/speakers.json").read_text())
    for speaker in speakers:
        with soundfile.SoundFile(trained.results / f"samples/{speaker}/01.wav") as file:
            assert file.samplerate == 16_000
            assert file.frames > 0


def test_every_rule_that_works_leaves_log_and_benchmark(trained):
    rules = {"collect_measurements", "cluster_speakers", "build_dataset", "fit_base_model"}
    for rule in rules | {"train_model", "export_model", "synthesize_samples"}:
        assert (trained.results / f"logs/{rule}.log").is_file(), rule
        assert (trained.results / f"benchmarks/{rule}.tsv").is_file(), rule


def test_one_line_speaks(trained, tmp_path):
    line = ["-m", "lib.synthesis", str(trained.results / "model"), "hello there"]
    output = tmp_path / "hello.wav"
    options = ["--speaker", "spk002", "--output", str(output)]
    subprocess.run([sys.executable, *line, *options], check=True, cwd=ROOT)
    assert soundfile.info(output).frames > 0


def test_nothing_connects_to_the_network(trained, tmp_path):
    """The whole path again, in a process tree whose sockets cannot connect anywhere."""
    project = trained.copy(tmp_path / "project")
    block = tmp_path / "block"
    block.mkdir()
    (block / "sitecustomize.py").write_text(
        "import socket\n"
        "real = socket.socket.connect\n"
        "def connect(self, address):\n"
        "    if self.family in (socket.AF_INET, socket.AF_INET6):\n"
        f"        open({str(tmp_path / 'attempts')!r}, 'a').write(f'{{address}}\\n')\n"
        "        raise OSError('no network in this test')\n"
        "    return real(self, address)\n"
        "socket.socket.connect = connect\n"
    )
    env = {**environment(), "PYTHONPATH": str(block)}
    env.pop("HF_HUB_OFFLINE")
    command = project.command("--forceall")
    done = subprocess.run(
        command, cwd=project.folder, env=env, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not os.path.exists(tmp_path / "attempts")


def test_jobs_hardly_spin_while_they_wait(project):
    """Spinning threads make training several times slower when the cores are shared."""
    add_clips(project, find_names(["demo_030"]))
    table = project.folder / "lib/audio/table.py"
    code = "\nimport os, pathlib\npathlib.Path('policy').write_text(os.environ['GOMP_SPINCOUNT'])\n"
    table.write_text(table.read_text("utf-8") + code, "utf-8")
    project.run("results/measurements.tsv")
    assert (project.folder / "policy").read_text() == "1000"
