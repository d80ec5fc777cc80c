import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from lib.base_model.tiny import write_tiny_model
from lib.files import write_json
from lib.packs.card import Terms, TrainingRecord
from lib.packs.onnx_file import export_onnx
from lib.packs.pack import pack_voice
from lib.report import summary
from lib.report.summary import describe_results, speaking_command
from tests.packs.sherpa import load_pack, speak

ROOT = Path(summary.__file__).resolve().parents[2]


@pytest.fixture
def results(tmp_path) -> Path:
    """What a finished run leaves, in a folder whose name a shell would break."""
    folder = tmp_path / "my results; $x"
    write_tiny_model(folder / "model")
    write_json(folder / "model/speakers.json", {"spk007": {"index": 0, "name": "Anna"}})
    write_json(folder / "samples/texts.json", {"01": 'it\'s a "fine" $day'})
    (folder / "tensorboard").mkdir()
    (folder / "export").mkdir()
    (folder / "report").mkdir()
    (folder / "report/report.html").write_text("page")
    (folder / "speakers").mkdir()
    (folder / "speakers/review.html").write_text("page")
    return folder


def test_the_printed_line_speaks(results, tmp_path):
    line = describe_results(results).strip().splitlines()[-1].strip()
    arguments = shlex.split(line)
    assert arguments[1:3] == ["-m", "lib.synthesis"]
    assert arguments[3:7] == [str(results / "model"), 'it\'s a "fine" $day', "--speaker", "spk007"]
    # Pasted into a shell as it is, but for where the sound goes.
    pasted = line.replace("hello.wav", shlex.quote(str(tmp_path / "hello.wav")))
    done = subprocess.run(["sh", "-c", pasted], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert soundfile.info(tmp_path / "hello.wav").frames > 0
    assert "Loading weights" not in done.stderr


def test_it_says_where_everything_is(results, capsys):
    summary.main([str(results)])
    printed = capsys.readouterr().out
    pages = ("report/report.html", "speakers/review.html")
    for place in ("model", "samples", "export", "tensorboard", *pages):
        assert str(results / place) in printed


def test_it_says_how_sherpa_speaks_the_pack(results, tmp_path):
    assert "sherpa-onnx" not in describe_results(results)
    export_onnx(results / "model", results / "onnx", "eng")
    record, terms = TrainingRecord(), Terms()
    (results / "export").rmdir()
    pack_voice(
        results / "onnx", results / "model", "anna", "eng", [], record, terms, results / "export"
    )
    told = [x.strip() for x in describe_results(results).splitlines() if "offline-tts" in x]
    program, *options, text = shlex.split(told[0])
    given = dict(option.removeprefix("--").split("=", 1) for option in options)
    assert program == "sherpa-onnx-offline-tts" and text == 'it\'s a "fine" $day'
    assert given["sid"] == "0" and given["output-filename"] == "hello.wav"
    pack = Path(given["vits-model"]).parent
    assert Path(given["vits-tokens"]) == pack / "tokens.txt"
    assert f"{pack / 'README.md'}" in describe_results(results)
    assert speak(load_pack(pack), text).size > 1000


def test_an_unfinished_run_is_refused(results):
    (results / "report/report.html").unlink()
    with pytest.raises(SystemExit, match="report.html does not exist: the run is not finished"):
        summary.main([str(results)])


def test_the_interpreter_is_written_as_it_is_called(results, monkeypatch, tmp_path):
    folder = tmp_path / ".venv/bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.chdir(tmp_path)
    assert speaking_command(results).startswith(".venv/bin/python -m lib.synthesis ")
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "executable", "/opt/python")
    assert shlex.split(speaking_command(results))[0] in ("opt/python", "/opt/python")


def make_tensorboard(tmp_path, own: str) -> subprocess.CompletedProcess:
    """Run `make tensorboard` with a program in its place that only repeats its arguments."""
    config = tmp_path / "my config.yaml"
    config.write_text(f"# mine\n{own}")
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "python").symlink_to(sys.executable)
    (folder / "tensorboard").write_text('#!/bin/sh\necho "$@"\n')
    (folder / "tensorboard").chmod(0o755)
    # `true` in place of the program that makes the environment.
    command = ["make", "--no-print-directory", "tensorboard", f"CONFIG={config}"]
    command += [f"BIN={folder}", "PYTHON=true"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_make_finds_the_output_of_a_config(tmp_path):
    output = tmp_path / "else where"
    (output / "tensorboard").mkdir(parents=True)
    shown = make_tensorboard(tmp_path, f"output: {output}\n")
    assert shown.stdout.strip() == f"--logdir {output}/tensorboard", shown.stderr


def test_make_names_the_part_that_is_not_there(tmp_path):
    shown = make_tensorboard(tmp_path, f"output: {tmp_path}/none\n")
    assert shown.returncode == 2
    assert f"{tmp_path}/none/tensorboard is not there yet: run make run CONFIG=" in shown.stderr


def test_the_time_of_every_stage_is_told(results):
    folder = results / "benchmarks/embed_speakers"
    folder.mkdir(parents=True)
    (folder / "000.tsv").write_text("s\tmax_rss\n12.34\t5\n")
    assert "  embed_speakers          12.3 s" in describe_results(results).splitlines()


def test_what_a_recogniser_understood_is_told(results):
    assert "Understood" not in describe_results(results)
    for what, counts in (("recordings", (9, 8)), ("before", (5, 4)), ("after", (9, 7))):
        one = {
            "sentences_tested": 10,
            "sentences_understood": counts[0],
            "words_understood": counts[1],
        }
        write_json(results / f"quality/{what}.json", {"spk000": one, "spk001": one})
    lines = describe_results(results).splitlines()
    assert "Understood of 20 held-out sentences (one of 20; one word of 20):" in lines
    assert "  the recordings        18  16" in lines
    assert "  before the training   10   8" in lines
    assert "  the new voice         18  14" in lines


def test_without_a_recogniser_nothing_was_understood(results):
    not_tested = {"sentences_tested": 0, "sentences_understood": None, "words_understood": None}
    for what in ("recordings", "before", "after"):
        write_json(results / f"quality/{what}.json", {"spk000": not_tested})
    assert "Understood" not in describe_results(results)
