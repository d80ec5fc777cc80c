"""Packs of a voice, each in the form that some program opens, with a model card and a licence."""

import logging
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from lib.files import atomic_directory, read_json
from lib.packs.card import Terms, TrainingRecord, write_card, write_licence
from lib.packs.original import export_original
from lib.packs.piper import write_piper_pack
from lib.packs.sherpa import describe_text, write_sherpa_pack
from lib.packs.usage import describe_usage
from lib.synthesis.onnx_model import MODEL_FILE
from lib.synthesis.synthesizer import EXPORT_FILE, SPEAKERS_FILE
from lib.synthesis.tokens import CharacterTokenizer
from lib.text.frontend import TextFrontend

logger = logging.getLogger(__name__)

CARD_FILE, LICENCE_FILE, LANGUAGE_FILE = "README.md", "LICENSE", "lang"
PIPER, ORIGINAL = "piper", "original"


def pack_voice(
    exported: Path,
    model: Path,
    name: str,
    language: str,
    formats: Sequence[str],
    record: TrainingRecord,
    terms: Terms,
    output: Path,
) -> None:
    """Write ``NAME/`` and ``NAME.tar.bz2`` for sherpa-onnx, and other formats if asked to.

    Parameters
    ----------
    exported
        Folder that `lib.packs.onnx_file.export_onnx` wrote.
    model
        Folder of the voice in transformers' layout, for the original one.
    name
        Name of the pack, which is that of its folder.
    language
        ISO 639 code.
    formats
        ``piper`` writes ``NAME-piper/``, ``original`` writes ``NAME-original/``.
    output
        Folder to write.

    Raises
    ------
    ValueError
        If a format cannot have this voice.
    """
    card = describe_pack(exported, name, language, record, terms)
    licence = write_licence(record, terms)
    with atomic_directory(output) as directory:
        folder = directory / name
        folder.mkdir()
        write_sherpa_pack(exported, folder)
        (folder / LANGUAGE_FILE).write_text(f"{language}\n{name}\n", "utf-8")
        _write_documents(folder, card, licence)
        write_archive(folder, directory / f"{name}.tar.bz2")
        if PIPER in formats:
            folder = directory / f"{name}-{PIPER}"
            folder.mkdir()
            write_piper_pack(exported, folder, name, language)
            _write_documents(folder, card, licence)
        if ORIGINAL in formats:
            folder = directory / f"{name}-{ORIGINAL}"
            export_original(model, folder)
            _write_documents(folder, card, licence)
    logger.info("%s: %s", output, ", ".join(sorted(path.name for path in output.iterdir())))


def describe_pack(
    exported: Path, name: str, language: str, record: TrainingRecord, terms: Terms
) -> str:
    """Return the model card of a pack."""
    speakers = read_json(exported / SPEAKERS_FILE)
    metadata = read_metadata(exported / MODEL_FILE)
    frontend, tokenizer = TextFrontend.read(exported), CharacterTokenizer.read(exported)
    names = ("noise_scale", "noise_scale_duration", "speaking_rate")
    noise, duration_noise, rate = (float(metadata[key]) for key in names)
    usage = describe_usage(
        name,
        next(iter(speakers.values()))["index"],
        (noise, duration_noise, 1 / rate),
        list(describe_text(tokenizer, frontend)),
        _describe_precision(read_json(exported / EXPORT_FILE)),
    )
    return write_card(name, language, speakers, record, terms, usage)


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file."""
    model = onnx.load(str(path), load_external_data=False)
    return {entry.key: entry.value for entry in model.metadata_props}


def write_archive(folder: Path, path: Path) -> None:
    """Write a folder as ``.tar.bz2``; the same content gives the same bytes."""
    with tarfile.open(path, "w:bz2") as archive:
        for file in sorted(folder.iterdir()):
            entry = archive.gettarinfo(str(file), f"{folder.name}/{file.name}")
            entry.mtime, entry.mode = 0, 0o644
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            with file.open("rb") as content:
                archive.addfile(entry, content)


def _write_documents(folder: Path, card: str, licence: str) -> None:
    (folder / CARD_FILE).write_text(card, "utf-8")
    (folder / LICENCE_FILE).write_text(licence, "utf-8")


def _describe_precision(export: Mapping[str, Any]) -> str:
    difference = f"{export['difference']:.1e}"
    if export["precision"] == "half":
        return (
            "The weights are stored in half precision. Without noise the waveform, in [-1, 1], "
            f"differs from that of PyTorch in single precision by {difference} at most."
        )
    return (
        f"Without noise the waveform, in [-1, 1], differs from PyTorch's by {difference} at most."
    )
