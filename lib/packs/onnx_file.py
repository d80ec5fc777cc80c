"""Export of a voice as an ONNX file that onnxruntime, sherpa-onnx and Piper run."""

import logging
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn.utils import parametrize
from transformers import VitsModel

from lib.base_model.record import SPEAKERS_FILE, read_speakers
from lib.files import atomic_directory, atomic_path, write_json
from lib.packs.graph import SynthesisGraph
from lib.synthesis.onnx_model import DURATION_NOISE, ERRORS_ALONE, MODEL_FILE, NOISE
from lib.synthesis.sound import Sound
from lib.synthesis.synthesizer import EXPORT_FILE, WEIGHTS_FILE, Synthesizer, digest_file
from lib.synthesis.tokens import TOKENIZER_FILE, VOCABULARY_FILE, CharacterTokenizer
from lib.text.frontend import FILE as TEXT_FILE

logger = logging.getLogger(__name__)

OPSET = 17
LARGEST_DIFFERENCE = 1e-3
"""Of a waveform in [-1, 1] in single precision; found are 6e-5 and less."""
_SMALLEST_HALVED = 256  # elements of a tensor that is stored in half precision
_MEASURED_SPEAKERS = 2
_SILENT = Sound(noise=0.0, duration_noise=0.0)


def export_onnx(model: Path, output: Path, language: str, half_precision: bool = False) -> None:
    """Write the voice as an ONNX file, with all that `lib.synthesis.synthesizer` needs of it.

    Parameters
    ----------
    model
        Folder of the voice in transformers' layout, like ``results/model``.
    output
        Folder to write: ``model.onnx``, the tokenizer, ``speakers.json``, ``text.json`` and
        ``export.json`` (digest of the weights, precision, largest difference from torch).
    language
        ISO 639 code, for the programs that show it.
    half_precision
        Whether weights are stored with 16 bits, which halves the file. All programs compute in
        single precision all the same.

    Raises
    ------
    ValueError
        If the folder has no voice that reads characters, or if the file speaks unlike torch.
    """
    CharacterTokenizer.read(model)
    voice = VitsModel.from_pretrained(model, dtype=torch.float32).eval()
    weights = digest_file(model / WEIGHTS_FILE)
    with atomic_directory(output) as directory:
        for name in (VOCABULARY_FILE, TOKENIZER_FILE, TEXT_FILE):
            if (model / name).is_file():
                shutil.copyfile(model / name, directory / name)
        num_speakers = voice.config.num_speakers
        unnamed = {str(row): {"index": row, "name": str(row)} for row in range(num_speakers)}
        write_json(directory / SPEAKERS_FILE, read_speakers(model) or unnamed)
        path = directory / MODEL_FILE
        _trace(voice, path)
        _finish(path, _describe(voice, language, weights))
        if half_precision:
            _halve_weights(path)
        difference = measure_difference(model, directory)
        if not half_precision and not difference <= LARGEST_DIFFERENCE:
            raise ValueError(
                f"{model}: the ONNX file differs from torch by {difference:.1e}, expected at most "
                f"{LARGEST_DIFFERENCE:.0e}: this version of torch exports it wrongly"
            )
        record = {
            "weights": weights,
            "precision": "half" if half_precision else "single",
            "difference": difference,
        }
        write_json(directory / EXPORT_FILE, record)
    logger.info(
        "%s is there; it differs from torch by %.1e at most", output / MODEL_FILE, difference
    )


def measure_difference(model: Path, exported: Path) -> float:
    """Return the largest difference of two waveforms in [-1, 1], from torch and onnxruntime.

    They speak the letters of the vocabulary without noise. It is infinite if the lengths differ by
    more than a hundredth, and taken over what both have where they differ by less.
    """
    one, other = Synthesizer(model), Synthesizer(exported)
    letters = [character for character in one.tokenizer.vocabulary if len(character) == 1]
    ids = one.tokenizer.encode("".join(letters[:100]))
    difference = 0.0
    for row in range(min(one.model.num_speakers, _MEASURED_SPEAKERS)):
        expected, got = (v.model.generate(ids, row, _SILENT) for v in (one, other))
        if abs(len(expected) - len(got)) > len(expected) / 100:
            return float("inf")
        size = min(len(expected), len(got))
        difference = max(difference, float(np.abs(expected[:size] - got[:size]).max()))
    return difference


def _trace(voice: VitsModel, path: Path) -> None:
    for module in voice.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    tokens = 9
    speaker = [torch.zeros(1, dtype=torch.long)] if voice.config.num_speakers > 1 else [None]
    example = (
        torch.ones(1, tokens, dtype=torch.long),
        torch.tensor([tokens]),
        *(torch.ones(1) for _ in range(3)),
        *speaker,
        torch.zeros(1, 2, 1),
        torch.zeros(1, voice.config.flow_size, 1),
    )
    scales = ["noise_scale", "length_scale", "noise_scale_w"]
    names = ["x", "x_length", *scales, *(["sid"] if speaker != [None] else [])]
    with warnings.catch_warnings(), torch.no_grad():
        # Of conversions that the tracer sees in transformers' code; and of the exporter's age.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            SynthesisGraph(voice),
            example,
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=[*names, DURATION_NOISE, NOISE],
            output_names=["y"],
            dynamic_axes={
                "x": {1: "tokens"},
                "y": {1: "samples"},
                DURATION_NOISE: {2: "given_durations"},
                NOISE: {2: "given_frames"},
            },
        )


def _describe(voice: VitsModel, language: str, weights: str) -> dict[str, object]:
    """Return the metadata of the file: what sherpa-onnx asks for, then our own."""
    config = voice.config
    return {
        "model_type": "vits",
        # sherpa-onnx ends its process where it finds no comment.
        "comment": "mms",
        "language": language,
        "frontend": "characters",
        "sample_rate": config.sampling_rate,
        "n_speakers": config.num_speakers,
        "add_blank": 1,
        "blank_id": 0,
        # By default it puts tokens of its own at both ends.
        "use_eos_bos": 0,
        "hop_length": int(np.prod(config.upsample_rates)),
        "noise_scale": config.noise_scale,
        "noise_scale_duration": config.noise_scale_duration,
        "speaking_rate": config.speaking_rate,
        "weights": weights,
    }


def _finish(path: Path, metadata: Mapping[str, object]) -> None:
    """Write metadata, let the noise be left out, and simplify the graph."""
    model = onnx.load(str(path))
    graph = model.graph
    for value in graph.input:
        if value.name in (NOISE, DURATION_NOISE):
            channels = value.type.tensor_type.shape.dim[1].dim_value
            empty = helper.make_tensor(value.name, TensorProto.FLOAT, [1, channels, 0], [])
            graph.initializer.append(empty)
    helper.set_model_props(model, {name: str(value) for name, value in metadata.items()})
    _save(model, path)
    _simplify(path)


def _simplify(path: Path) -> None:
    """Compute what is constant once and for all, which every start of a program did before.

    The graph has half of the nodes then, all of them ONNX's own.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ALONE
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with atomic_path(path) as simplified:
        options.optimized_model_filepath = str(simplified)
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        model = onnx.load(str(simplified))
        # onnxruntime names every set of operators that it has; other programs may lack some.
        used = [own for own in model.opset_import if not own.domain]
        del model.opset_import[:]
        model.opset_import.extend(used)
        _save(model, simplified)


def _halve_weights(path: Path) -> None:
    model = onnx.load(str(path))
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= _SMALLEST_HALVED:
            name = tensor.name
            values = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, f"{name}.half"))
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for place, node in enumerate(casts):
        graph.node.insert(place, node)
    _save(model, path)


def _save(model: onnx.ModelProto, path: Path) -> None:
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
