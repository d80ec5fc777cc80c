"""Targets refuse in seconds what cannot work."""

import os
import subprocess
from pathlib import Path

import soundfile

from lib.base_model.tiny import write_tiny_model
from lib.files import write_json

ROOT = Path(__file__).resolve().parents[1]


def make(*arguments: str) -> subprocess.CompletedProcess:
    # Under `make test` these would make it a sub-make, which talks about directories.
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")
    env = {key: value for key, value in os.environ.items() if key not in outer}
    return subprocess.run(["make", *arguments], cwd=ROOT, env=env, capture_output=True, text=True)


def test_a_configuration_that_does_not_exist_is_named():
    for target in ("run", "dry-run", "report", "tensorboard"):
        done = make(target, "CONFIG=config/nobody.yaml")
        assert done.returncode == 2
        assert "CONFIG=config/nobody.yaml: there is no such file" in done.stderr
        assert "Traceback" not in done.stderr


def test_help_lists_every_target_once_and_make_has_nothing_to_warn_of():
    done = make("help")
    targets = [line.split()[0] for line in done.stdout.splitlines()]
    expected = "help setup setup-quality setup-cluster setup-kubernetes setup-vastai demo say talk"
    expected += " run dry-run bundle receive test lint bench report tensorboard clean"
    assert targets == expected.split()
    assert done.stderr == ""


def test_saying_wants_a_text_and_a_finished_voice(tmp_path):
    done = make("say")
    assert done.returncode == 2
    assert 'make say TEXT="hello there" SPEAKER=spk001' in done.stderr
    config = tmp_path / "mine.yaml"
    config.write_text(f"output: {tmp_path}/results\n")
    done = make("say", "TEXT=hello", f"CONFIG={config}")
    assert done.returncode == 2
    assert f"{tmp_path}/results/model is not there yet: run make run CONFIG={config}" in done.stderr


def test_a_voice_says_what_a_shell_would_take_apart(tmp_path):
    write_tiny_model(tmp_path / "results/model")
    write_json(tmp_path / "results/model/speakers.json", {"spk001": {"index": 0, "name": "Anna"}})
    config = tmp_path / "my 'own' $voice.yaml"
    config.write_text(f"output: {tmp_path}/results\n")
    text = """-It's "fine": it costs $5, $(HOME), $$ & `pwd` \\ #1; ünï"""
    sound = tmp_path / "said.wav"
    done = make("say", f"TEXT={text}", "SPEAKER=Anna", f"OUT={sound}", f"CONFIG={config}")
    assert done.returncode == 0, done.stderr
    assert soundfile.info(sound).samplerate == 16_000
    assert "s of speech by Anna" in done.stderr
    heard = [line for line in done.stderr.splitlines() if "leaves it out of: " in line]
    assert heard and heard[0].endswith(f"leaves it out of: {text}")
    done = make("say", "TEXT=hello", "SPEAKER=Bob", f"OUT={sound}", f"CONFIG={config}")
    assert done.returncode == 2 and "no speaker 'Bob'; there are: spk001 (Anna)" in done.stderr


def test_a_configuration_may_have_any_name(tmp_path):
    config = tmp_path / "my 'own' $voice (2).yaml"
    config.write_text("output: results\nnobody: knows this key\n")
    done = make("dry-run", f"CONFIG={config}")
    assert done.returncode != 0
    assert "unknown key 'nobody'" in done.stdout + done.stderr


def test_variables_come_from_the_environment_as_well(tmp_path, monkeypatch):
    monkeypatch.setenv("CONFIG", str(tmp_path / "no $such (file).yaml"))
    done = make("run")
    assert done.returncode == 2
    assert f"CONFIG={tmp_path}/no $such (file).yaml: there is no such file" in done.stderr
