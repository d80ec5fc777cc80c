"""A voice in the format of Piper, which Home Assistant and others speak with.

Piper decomposes the letters of a text (NFD) and looks each part up. Its model has the three scales
in one input.
"""

import unicodedata
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from lib.files import read_json, write_json
from lib.packs.sherpa import list_tokens
from lib.synthesis.onnx_model import DURATION_NOISE, MODEL_FILE, NOISE
from lib.synthesis.synthesizer import SPEAKERS_FILE
from lib.synthesis.tokens import CharacterTokenizer
from lib.text.frontend import TextFrontend

PAD, BEGIN, END = "_^$"
SCALES = ("noise_scale", "length_scale", "noise_scale_w")  # in Piper's order
_NAMES = {"x": "input", "x_length": "input_lengths", "y": "output"}
_FORMAT_VERSION = "1.0.0"


def check_piper_alphabet(exported: Path) -> None:
    """Refuse a voice that Piper cannot speak.

    Raises
    ------
    ValueError
        If the vocabulary has letters that Piper takes apart, or the marks that it uses itself.
    """
    tokenizer = CharacterTokenizer.read(exported)
    letters = [c for c in tokenizer.vocabulary if len(c) == 1]
    composed = sorted(c for c in letters if unicodedata.normalize("NFD", c) != c)
    if composed:
        raise ValueError(
            f"Piper cannot speak this voice: it takes {' '.join(composed)} apart, which the voice "
            "knows as single letters. Leave piper out of export.formats; sherpa-onnx speaks it"
        )
    marks = sorted({BEGIN, END} & set(letters))
    marks += [PAD] if tokenizer.vocabulary.get(PAD, 0) != 0 else []
    if marks:
        raise ValueError(
            f"Piper cannot speak this voice: the letters {' '.join(marks)} are marks of its own. "
            "Leave piper out of export.formats"
        )
    if not tokenizer.add_blank:
        raise ValueError(
            "Piper cannot speak this voice: it puts a blank between letters, which the voice does "
            "not know. Leave piper out of export.formats"
        )


def write_piper_pack(exported: Path, directory: Path, name: str, language: str) -> None:
    """Write ``NAME.onnx`` and ``NAME.onnx.json`` into a folder.

    Parameters
    ----------
    exported
        Folder that `lib.packs.onnx_file.export_onnx` wrote.

    Raises
    ------
    ValueError
        If the alphabet does not permit it, see `check_piper_alphabet`.
    """
    check_piper_alphabet(exported)
    model = onnx.load(str(exported / MODEL_FILE))
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    _rename(model.graph)
    onnx.checker.check_model(model)
    (directory / f"{name}.onnx").write_bytes(model.SerializeToString())
    speakers = read_json(exported / SPEAKERS_FILE)
    settings = _describe(exported, metadata, speakers, name, language)
    write_json(directory / f"{name}.onnx.json", settings)


def _rename(graph: onnx.GraphProto) -> None:
    """Give inputs and output Piper's names, and the scales one input."""
    for node in graph.node:
        node.input[:] = [_NAMES.get(name, name) for name in node.input]
        node.output[:] = [_NAMES.get(name, name) for name in node.output]
    for value in (*graph.input, *graph.output):
        value.name = _NAMES.get(value.name, value.name)
    # Piper gives no noise: the graph draws it.
    optional = (NOISE, DURATION_NOISE)
    kept = [value for value in graph.input if value.name not in (*SCALES, *optional)]
    scales = helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3])
    del graph.input[:]
    graph.input.extend([*kept[:2], scales, *kept[2:]])
    graph.node.insert(0, helper.make_node("Split", ["scales"], list(SCALES), axis=0))


def _describe(
    exported: Path,
    metadata: dict[str, str],
    speakers: dict[str, dict[str, Any]],
    name: str,
    language: str,
) -> dict[str, Any]:
    tokenizer = CharacterTokenizer.read(exported)
    tokens = list_tokens(tokenizer, TextFrontend.read(exported))
    # A capital with marks comes in parts too.
    plain = {c: [id_] for c, id_ in tokens.items() if unicodedata.normalize("NFD", c) == c}
    # Piper begins with the mark of the beginning and a blank, and puts a blank after every letter.
    plain |= {BEGIN: [], PAD: [0], END: []}
    return {
        "audio": {"sample_rate": int(metadata["sample_rate"]), "quality": name},
        "espeak": {"voice": language},
        "language": {"code": language, "family": language.split("-")[0]},
        "dataset": name,
        "phoneme_type": "text",
        "phoneme_map": {},
        "phoneme_id_map": plain,
        "num_symbols": max(tokenizer.vocabulary.values()) + 1,
        "num_speakers": len(speakers),
        "speaker_id_map": {speaker: entry["index"] for speaker, entry in speakers.items()},
        "inference": {
            "noise_scale": float(metadata["noise_scale"]),
            "length_scale": 1 / float(metadata["speaking_rate"]),
            "noise_w": float(metadata["noise_scale_duration"]),
        },
        "hop_length": int(metadata["hop_length"]),
        "piper_version": _FORMAT_VERSION,
    }
