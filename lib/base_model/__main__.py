"""Export: ``python -m lib.base_model export results/checkpoints/epoch0100 results/epoch0100``."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.base_model.export import export_checkpoint
from lib.logs import hide_loading_bars


def main(line: Sequence[str] | None = None) -> None:
    """Work with base models and with what was trained from them."""
    parser = argparse.ArgumentParser(prog="python -m lib.base_model", description=main.__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    export = commands.add_parser(
        "export",
        help="write a checkpoint as a voice that plain transformers loads, also while training",
    )
    export.add_argument("checkpoint", type=Path, help="like results/checkpoints/epoch0100")
    export.add_argument("output", type=Path, help="folder to write; must not exist")
    export.add_argument("--base-model", type=Path, help="by default base_model/ of the same run")
    export.add_argument("--language", default="und", help="ISO 639-3 code for the model card")
    export.set_defaults(run=_export)
    arguments = parser.parse_args(line)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    hide_loading_bars()
    arguments.run(arguments)


def _export(arguments: argparse.Namespace) -> None:
    checkpoint, output = arguments.checkpoint, arguments.output
    if output.exists():
        sys.exit(f"{output} exists already: give the name of a new folder")
    base_model = arguments.base_model or checkpoint.absolute().parent.parent / "base_model"
    registry = base_model.parent / "speakers/registry.json"
    try:
        export_checkpoint(
            checkpoint,
            base_model,
            output,
            arguments.language,
            registry if registry.is_file() else None,
        )
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    logging.info(
        "%s is a voice now: python -m lib.synthesis %s TEXT --output hello.wav", output, output
    )


if __name__ == "__main__":
    main()
