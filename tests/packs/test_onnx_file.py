"""The ONNX file speaks as torch does, in onnxruntime and in sherpa-onnx."""

import json
import shutil

import numpy as np
import onnx
import pytest

from lib.files import read_json
from lib.packs import onnx_file
from lib.packs.onnx_file import OPSET, export_onnx, measure_difference
from lib.packs.pack import read_metadata
from lib.packs.sherpa import write_sherpa_pack
from lib.synthesis.onnx_model import OnnxModel
from lib.synthesis.sound import Sound
from lib.synthesis.synthesizer import Synthesizer, find_fastest, load_fastest
from lib.synthesis.torch_model import TorchModel

from .sherpa import load_pack, speak

SILENT = Sound(noise=0.0, duration_noise=0.0)
LETTERS = "the quick brown fox jumps over the lazy dog and then it goes home to sleep "


def pack_of(voice, tmp_path):
    (tmp_path / "pack").mkdir()
    write_sherpa_pack(voice.exported, tmp_path / "pack")
    return load_pack(tmp_path / "pack")


def test_sherpa_speaks_every_speaker_at_any_length_as_torch_does(voice, tmp_path):
    """From 1 letter (3 tokens) to 199 letters (399 tokens), at zero noise."""
    pack, model = pack_of(voice, tmp_path), Synthesizer(voice.model)
    assert (pack.sample_rate, pack.num_speakers) == (16_000, model.model.num_speakers)
    for speaker in range(model.model.num_speakers):
        for size in (1, 2, 3, 7, 40) + ((199,) if speaker in (0, 9) else ()):
            text = (LETTERS * 3)[:size].strip()
            got = speak(pack, text, speaker)
            expected = model.model.generate(model.encode(text), speaker, SILENT)
            assert got.shape == expected.shape, (speaker, size)
            np.testing.assert_allclose(got, expected, atol=2e-5)


def test_speakers_differ_and_noise_makes_a_difference(speakers, tmp_path):
    pack = pack_of(speakers, tmp_path)
    one, other = (speak(pack, "hello there", speaker) for speaker in (0, 4))
    assert one.shape != other.shape or np.abs(one - other).max() > 0.05
    noisy = load_pack(tmp_path / "pack", noise=0.667)
    with_noise = speak(noisy, "hello there", 0)
    assert with_noise.shape == one.shape and np.abs(with_noise - one).max() > 0.01


@pytest.mark.parametrize("tokens", [1, 400])
def test_the_shortest_and_the_longest(voice, tokens):
    one, other = Synthesizer(voice.model), Synthesizer(voice.exported)
    ids = [number % 20 for number in range(tokens)]
    expected, got = (v.model.generate(ids, 0, SILENT) for v in (one, other))
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=2e-5)


def test_the_file_has_what_the_programs_ask_for(voice):
    metadata = read_metadata(voice.exported / "model.onnx")
    wanted = {"model_type": "vits", "comment": "mms", "frontend": "characters", "language": "eng"}
    wanted |= {"sample_rate": "16000", "add_blank": "1", "blank_id": "0", "use_eos_bos": "0"}
    assert {key: metadata.get(key) for key in wanted} == wanted
    graph = onnx.load(str(voice.exported / "model.onnx")).graph
    optional = {tensor.name for tensor in graph.initializer}
    inputs = [value.name for value in graph.input if value.name not in optional]
    speakers = int(metadata["n_speakers"])
    scales = ["noise_scale", "length_scale", "noise_scale_w"]
    assert inputs == ["x", "x_length", *scales, *(["sid"] if speakers > 1 else [])]


def test_half_precision_halves_the_file_and_states_the_difference(speakers, tmp_path):
    export_onnx(speakers.model, tmp_path / "half", "eng", half_precision=True)
    sizes = [(f / "model.onnx").stat().st_size for f in (tmp_path / "half", speakers.exported)]
    assert sizes[0] < 0.55 * sizes[1]
    stated = read_json(tmp_path / "half/export.json")
    assert stated["precision"] == "half"
    assert 1e-6 < stated["difference"] < 0.05
    assert stated["difference"] == measure_difference(speakers.model, tmp_path / "half")
    write_sherpa_pack(tmp_path / "half", tmp_path)
    spoken = speak(load_pack(tmp_path), "hello there", 4)
    whole = Synthesizer(speakers.model)
    expected = whole.model.generate(whole.encode("hello there"), 4, SILENT)
    np.testing.assert_allclose(spoken, expected[: len(spoken)], atol=0.05)


def test_a_file_that_speaks_otherwise_is_not_written(stochastic, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "measure_difference", lambda *_: 0.2)
    with pytest.raises(ValueError, match=r"differs from torch by 2.0e-01, expected at most 1e-03"):
        export_onnx(stochastic.model, tmp_path / "onnx", "eng")
    assert not (tmp_path / "onnx").exists()


def test_the_measured_difference_sees_other_weights(stochastic, speakers):
    assert measure_difference(stochastic.model, stochastic.exported) < 1e-5
    assert measure_difference(stochastic.model, speakers.exported) > 0.01


def test_a_voice_that_reads_phonemes_is_refused(stochastic, tmp_path):
    shutil.copytree(stochastic.model, tmp_path / "model")
    path = tmp_path / "model/tokenizer_config.json"
    path.write_text(json.dumps({**read_json(path), "phonemize": True}))
    with pytest.raises(
        ValueError, match="phonemize is true; expected a voice that reads characters"
    ):
        export_onnx(tmp_path / "model", tmp_path / "onnx", "eng")


def test_the_fastest_is_the_onnx_file_of_the_same_weights(stochastic, speakers, tmp_path):
    shutil.copytree(stochastic.model, tmp_path / "model")
    assert find_fastest(tmp_path / "model") == tmp_path / "model"
    shutil.copytree(stochastic.exported, tmp_path / "onnx")
    assert find_fastest(tmp_path / "model") == tmp_path / "onnx"
    assert find_fastest(tmp_path / "onnx") == tmp_path / "onnx"
    shutil.copyfile(speakers.exported / "export.json", tmp_path / "onnx/export.json")
    assert find_fastest(tmp_path / "model") == tmp_path / "model"


def test_a_voice_is_loaded_as_its_onnx_file_if_that_is_of_the_same_weights(
    stochastic, speakers, tmp_path
):
    shutil.copytree(stochastic.model, tmp_path / "model")
    shutil.copytree(stochastic.exported, tmp_path / "onnx")
    assert isinstance(load_fastest(tmp_path / "model").model, OnnxModel)
    assert isinstance(load_fastest(tmp_path / "onnx").model, OnnxModel)
    shutil.copyfile(speakers.exported / "export.json", tmp_path / "onnx/export.json")
    assert isinstance(load_fastest(tmp_path / "model").model, TorchModel)
    # Of other weights and damaged: it is not what is spoken.
    (tmp_path / "onnx/model.onnx").write_bytes(b"cut off")
    assert isinstance(load_fastest(tmp_path / "model").model, TorchModel)
    shutil.copyfile(stochastic.exported / "export.json", tmp_path / "onnx/export.json")
    with pytest.raises(ValueError, match="model.onnx cannot be loaded"):
        load_fastest(tmp_path / "model")


def test_the_graph_is_simplified_and_has_the_operators_of_onnx_alone(speakers):
    model = onnx.load(str(speakers.exported / "model.onnx"))
    assert [(used.domain, used.version) for used in model.opset_import] == [("", OPSET)]
    assert {node.domain for node in model.graph.node} <= {""}
    names = [node.op_type for node in model.graph.node]
    # Shapes were traced as constants of their own.
    assert "Constant" not in names and len(names) < 2500
