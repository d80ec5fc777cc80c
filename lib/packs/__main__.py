"""Write packs of a voice: ``python -m lib.packs sherpa results/model FOLDER``."""

import argparse
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lib.commands import make_parser, run_command
from lib.packs.card import Terms, TrainingRecord
from lib.packs.onnx_file import export_onnx
from lib.packs.original import export_original
from lib.packs.pack import PIPER, pack_voice

_HELP = {
    "onnx": "an ONNX file that `python -m lib.synthesis` runs",
    "sherpa": "a pack for sherpa-onnx and the programs built on it",
    "piper": "a pack for Piper, beside that for sherpa-onnx",
    "original": "G_*.pth, config.json and vocab.txt of original VITS and MMS",
}


def main(line: Sequence[str] | None = None) -> None:
    """Write a voice in the form that another program opens."""
    parser = make_parser("packs", main.__doc__)
    commands = parser.add_subparsers(required=True, metavar="FORMAT")
    for form, what in _HELP.items():
        command = commands.add_parser(form, help=what)
        command.add_argument(
            "model", type=Path, help="folder of a trained voice, like results/model"
        )
        command.add_argument("output", type=Path, help="folder to write; must not exist")
        command.set_defaults(form=form)
        if form == "original":
            command.add_argument("--discriminator", type=Path, help="discriminator.safetensors")
            continue
        command.add_argument("--language", default="und", help="ISO 639-3 code")
        command.add_argument(
            "--half-precision", action="store_true", help="store weights with 16 bits"
        )
        if form != "onnx":
            command.add_argument("--name", default="voice", help="name of the pack")
    run_command(parser, _run, line)


def _run(arguments: argparse.Namespace) -> None:
    model, output, form = arguments.model, arguments.output, arguments.form
    if output.exists():
        raise ValueError(f"{output} exists already: give the name of a new folder")
    if not (model / "config.json").is_file():
        raise ValueError(f"{model} holds no model; expected the folder model/ of a run")
    if form == "original":
        export_original(model, output, arguments.discriminator)
    elif form == "onnx":
        export_onnx(model, output, arguments.language, arguments.half_precision)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            exported = Path(scratch) / "onnx"
            export_onnx(model, exported, arguments.language, arguments.half_precision)
            formats = [PIPER] if form == PIPER else []
            name, language = arguments.name, arguments.language
            record, terms = TrainingRecord(), Terms()
            pack_voice(exported, model, name, language, formats, record, terms, output)
    logging.info("%s is there", output)


if __name__ == "__main__":
    main()
