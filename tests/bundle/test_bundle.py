"""Two folders are two machines: a training goes there and comes back."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from lib.bundle.box import BundleError, check_sums, format_sums
from lib.bundle.pack import pack_bundle
from lib.bundle.receive import receive_training
from lib.files import read_json
from lib.locking import take_lock
from tests.bundle.conftest import run_box
from tests.fixtures.training import assert_equal, weights


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.slow
def test_a_training_goes_there_is_killed_goes_on_and_comes_back(
    undisturbed, bundle, home, config, tmp_path
):
    """The training there ends with the weights that one here ends with, to the bit."""
    command = [sys.executable, "train.py", "--python", sys.executable, "--cpu"]
    command += ["--keep-at", str(tmp_path / "kept")]
    with open(tmp_path / "said", "w") as said:
        running = subprocess.Popen(
            command, cwd=bundle, start_new_session=True, stdout=said, stderr=said
        )
    deadline = time.monotonic() + 200
    while not (bundle / "trained/checkpoints/epoch0001/state.json").is_file():
        assert running.poll() is None and time.monotonic() < deadline, (
            tmp_path / "said"
        ).read_text()
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    with pytest.raises(BundleError, match="the training is not finished"):
        receive_training(bundle, home, config)
    done = run_box(bundle, "--keep-at", str(tmp_path / "kept"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Going on at epoch" in done.stdout
    # Rented for good: only what was copied home is left.
    back = tmp_path / "back"
    shutil.copytree(bundle / "trained", back)
    shutil.rmtree(bundle)
    receive_training(back, home, config)
    assert read_json(home / "training.json")["epoch"] == 4
    assert_equal(weights(undisturbed.checkpoints), weights(home / "checkpoints"))
    # Its weights too, in places of their own as if it had been trained here.
    assert names(home / "weights") == names(undisturbed.weights)
    same = "epoch0004/ema.safetensors"
    assert (home / "weights" / same).samefile(home / "checkpoints" / same)
    assert names(home / "curves") == names(back / "curves")
    (kept,) = (tmp_path / "kept").iterdir()
    assert_equal(weights(undisturbed.checkpoints), weights(kept / "checkpoints"))

    # Tired users. A file was altered on the way; nothing changes here.
    before = names(home)
    altered = back / "checkpoints/epoch0004/state.json"
    text = altered.read_text()
    altered.write_text(text.replace("4", "5"))
    with pytest.raises(BundleError, match="1 files are not what they were: checkpoints/epoch0004"):
        receive_training(back, home, config)
    altered.write_text(text)
    # Another learning rate since; more epochs since.
    for key, value, message in (
        ("learning_rate", 1e-4, "other data or with other settings"),
        ("epochs", 9, "ended after 4 epochs, and training.epochs is 9"),
    ):
        other = {**config, "training": {**config["training"], key: value}}
        with pytest.raises(BundleError, match=message):
            receive_training(back, home, other)
    # The corpus has changed since.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lib.bundle.receive.load_clips", lambda *_: [])
        with pytest.raises(BundleError, match="other data or with other settings"):
            receive_training(back, home, config)
    assert names(home) == before
    # Taken all the same: the earlier ones are moved aside, and the workflow trains again.
    receive_training(back, home, config, go_on=True)
    assert len([name for name in names(home) if name.startswith("checkpoints.")]) == 1
    assert not (home / "training.json").exists() and (home / "training.json.old").exists()
    assert "epoch0004" in names(home / "checkpoints")
    # While a training runs here.
    with take_lock(home / "state/training.lock", "training"), pytest.raises(ValueError, match="is"):
        receive_training(back, home, config)


def test_what_is_packed_is_what_a_training_needs(bundle):
    check_sums(bundle)
    assert names(bundle) == sorted(
        "LICENSE README.txt SHA256SUMS base_model dataset envs lib requirements.txt sample.txt "
        "train.py training.yaml workflow".split()
    )
    rooms = names(bundle / "lib")
    assert "training" in rooms and not {"talk", "report", "review", "speakers"} & set(rooms)
    pins = (bundle / "requirements.txt").read_text()
    assert "torch==" in pins and "jsonschema==" in pins and "librosa" not in pins
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=bundle, capture_output=True
    )
    assert done.returncode == 0, done.stderr


def test_a_copy_that_is_half_there_is_refused_with_what_is_missing(bundle):
    (arrow,) = (bundle / "dataset/validation").glob("*.arrow")
    half = arrow.read_bytes()[:100]
    arrow.write_bytes(half)
    (bundle / "base_model/base.json").unlink()
    done = run_box(bundle)
    assert done.returncode == 1
    assert "1 files are missing: base_model/base.json." in done.stderr
    assert f"1 files are not what they were: dataset/validation/{arrow.name}." in done.stderr
    assert "rsync --archive --checksum" in done.stderr and "Traceback" not in done.stderr
    (bundle / "SHA256SUMS").unlink()
    assert "SHA256SUMS is missing or damaged" in run_box(bundle).stderr
    assert not (bundle / "trained").exists()


def test_other_versions_are_told_and_missing_ones_refused(bundle):
    pins = bundle / "requirements.txt"
    pins.write_text(pins.read_text().replace("numpy==", "numpy==0.") + "nobody-has-this==1.0\n")
    sums = bundle / "SHA256SUMS"
    sums.write_text(format_sums(bundle))
    done = run_box(bundle)
    assert done.returncode == 1
    assert "Another version: numpy is" in done.stdout
    assert "not installed: nobody-has-this" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_gpu_is_refused_before_weeks_of_cpu(bundle):
    command = [sys.executable, "train.py", "--python", sys.executable]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=bundle, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "torch sees no GPU here" in done.stderr and "--cpu" in done.stderr


def test_packing_wants_a_run_and_overwrites_nothing_else(home, config, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(BundleError, match="is no bundle"):
        pack_bundle(home, tmp_path / "mine", config)
    pack_bundle(home, tmp_path / "bundle", config)
    pack_bundle(home, tmp_path / "bundle", config)
    (tmp_path / "bundle/trained").mkdir()
    with pytest.raises(BundleError, match="came back"):
        pack_bundle(home, tmp_path / "bundle", config)
    shutil.rmtree(home / "base_model")
    with pytest.raises(BundleError, match=r"base_model/base.json is not there yet"):
        pack_bundle(home, tmp_path / "bundle", config)


def test_what_never_was_trained_is_refused(home, config, tmp_path):
    with pytest.raises(BundleError, match="has no checkpoints"):
        receive_training(tmp_path, home, config)
