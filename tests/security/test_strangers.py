"""Models, checkpoints and packs from strangers run nothing and reach nothing else."""

import json
import logging
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper

from lib.base_model.fetch import fetch_base_model
from lib.base_model.hub import BaseModelError
from lib.base_model.tiny import write_tiny_model
from lib.base_model.weights import DamagedCheckpointError, compute_checksum
from lib.numba_cache import use_private_cache
from lib.synthesis.synthesizer import Synthesizer
from lib.training.checkpoint import load_checkpoint, save_checkpoint
from tests.training.test_checkpoint import make


class Program:
    """Runs a command as soon as it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.trace}",)


@pytest.fixture
def trace(tmp_path) -> Path:
    """A file that is there if a program ran."""
    trace = tmp_path / "trace"
    yield trace
    assert not trace.exists()


def test_the_program_of_these_tests_would_run(tmp_path):
    torch.save(Program(tmp_path / "trace"), tmp_path / "x.pth")
    torch.load(tmp_path / "x.pth", weights_only=False)
    assert (tmp_path / "trace").exists()


def test_a_program_in_the_weights_of_a_base_is_refused(tmp_path, trace):
    write_tiny_model(tmp_path / "model")
    (tmp_path / "model/model.safetensors").unlink()
    torch.save({"a": Program(trace)}, tmp_path / "model/pytorch_model.bin")
    with pytest.raises(BaseModelError, match="could be a program: it is not loaded") as refused:
        fetch_base_model(str(tmp_path / "model"), "auto", tmp_path / "fetched")
    assert "weights_only" not in str(refused.value), "torch's advice how to run it"
    assert not (tmp_path / "fetched").exists()


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_part_of_a_file_of_weights_is_refused(tmp_path, share):
    write_tiny_model(tmp_path / "model")
    path = tmp_path / "model/model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BaseModelError, match=r"base_model\.source: .*model cannot be loaded"):
        fetch_base_model(str(tmp_path / "model"), "auto", tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()


def test_a_program_in_a_discriminator_is_passed_over(tmp_path, trace, caplog):
    write_tiny_model(tmp_path / "model")
    torch.save({"model": Program(trace)}, tmp_path / "model/D_100000.pth")
    with caplog.at_level(logging.WARNING):
        fetch_base_model(str(tmp_path / "model"), "auto", tmp_path / "fetched")
    assert "could be a program: it is not loaded" in caplog.text
    assert "weights_only" not in caplog.text


def test_a_program_in_an_original_generator_is_refused(tmp_path, trace):
    folder = tmp_path / "original"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "vocab.txt").write_text("a\nb\n")
    torch.save({"model": Program(trace)}, folder / "G_100000.pth")
    with pytest.raises(BaseModelError, match="G_100000.pth: .*could be a program"):
        fetch_base_model(str(folder), "auto", tmp_path / "fetched")


def test_remote_code_of_a_base_is_neither_run_nor_passed_on(tmp_path, trace):
    model = tmp_path / "model"
    write_tiny_model(model)
    for name, kind in (("config.json", "AutoModel"), ("tokenizer_config.json", "AutoTokenizer")):
        content = json.loads((model / name).read_text())
        (model / name).write_text(json.dumps({**content, "auto_map": {kind: "program.Program"}}))
    (model / "program.py").write_text(f"open({str(trace)!r}, 'w')\nclass Program: pass\n")
    fetch_base_model(str(model), "auto", tmp_path / "fetched")
    for path in (tmp_path / "fetched").glob("*.json"):
        assert "program" not in path.read_text()
    assert not list((tmp_path / "fetched").glob("*.py"))


def test_a_program_in_a_checkpoint_is_refused(tmp_path, trace):
    """Also if whoever put it there has written its checksum too."""
    folder = tmp_path / "epoch0001"
    save_checkpoint(folder, make(1))
    torch.save(Program(trace), folder / "optimizers.pt")
    record = json.loads((folder / "state.json").read_text())
    with pytest.raises(DamagedCheckpointError):
        load_checkpoint(folder)
    record["checksums"]["optimizers.pt"] = compute_checksum(folder / "optimizers.pt")
    (folder / "state.json").write_text(json.dumps(record))
    with pytest.raises(DamagedCheckpointError, match="optimizers.pt .*could be a program"):
        load_checkpoint(folder)


def test_a_program_in_a_voice_is_refused(tmp_path, trace):
    write_tiny_model(tmp_path / "voice")
    (tmp_path / "voice/model.safetensors").unlink()
    torch.save({"a": Program(trace)}, tmp_path / "voice/pytorch_model.bin")
    with pytest.raises(ValueError, match="voice cannot be loaded: .*could be a program"):
        Synthesizer(tmp_path / "voice")


def test_an_onnx_file_of_another_program_is_refused(tmp_path):
    node, output = (
        helper.make_node("Constant", [], ["y"], value_float=1.0),
        helper.make_tensor_value_info("y", 1, []),
    )
    opset = helper.make_opsetid("", 17)
    graph = helper.make_graph([node], "g", [], [output])
    model = helper.make_model(graph, ir_version=8, opset_imports=[opset])
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "speakers.json").write_text("{}")
    with pytest.raises(ValueError, match="does not say hop_length, n_speakers, .*expected a voice"):
        Synthesizer(tmp_path)


@pytest.mark.parametrize("place", ["../secret.bin", "absolute", "link"])
def test_a_pack_reads_nothing_outside_of_its_folder(tmp_path, place):
    """An ONNX file may say that its numbers are in another file."""
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    pack = tmp_path / "pack"
    pack.mkdir()
    if place == "link":
        (pack / "link").symlink_to(secret)
    tensor = onnx.TensorProto(name="c", data_type=1, dims=[4], data_location=1)
    location = str(secret) if place == "absolute" else place
    tensor.external_data.add(key="location", value=location)
    node, output = (
        helper.make_node("Identity", ["c"], ["y"]),
        helper.make_tensor_value_info("y", 1, [4]),
    )
    graph = helper.make_graph([node], "g", [], [output], [tensor])
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, ir_version=8, opset_imports=[opset])
    (pack / "model.onnx").write_bytes(model.SerializeToString())
    (pack / "speakers.json").write_text("{}")
    with pytest.raises(ValueError, match="model.onnx .*cannot be loaded"):
        Synthesizer(pack)
    # The same file within the folder is read: the fault was the place.
    (pack / "link").unlink(missing_ok=True)
    (pack / "inner.bin").write_bytes(secret.read_bytes())
    tensor.external_data[0].value = "inner.bin"
    graph = helper.make_graph([node], "g", [], [output], [tensor])
    model = helper.make_model(graph, ir_version=8, opset_imports=[opset])
    (pack / "model.onnx").write_bytes(model.SerializeToString())
    session = onnxruntime.InferenceSession(pack / "model.onnx", providers=["CPUExecutionProvider"])
    assert session.run(None, {})[0].tolist() == [0, 1, 2, 3]


def test_an_archive_of_compiled_functions_writes_nothing_outside(tmp_path, monkeypatch):
    inner = tmp_path / "inner"
    inner.write_text("x")
    archive = tmp_path / "cache.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(inner, "../outside-of-the-cache")
        packed.write(inner, str(tmp_path / "outside-of-the-cache"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setattr("lib.numba_cache.atexit.register", lambda *_: None)
    folder = use_private_cache(archive)
    assert not (folder.parent / "outside-of-the-cache").exists()
    assert not (tmp_path / "outside-of-the-cache").exists()
    shutil.rmtree(folder)
