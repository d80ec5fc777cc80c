"""Export: ``python -m lib.training results/checkpoints/epoch0100 results/epoch0100``."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.logs import hide_loading_bars
from lib.training.export import export_checkpoint


def main(line: Sequence[str] | None = None) -> None:
    """Write a checkpoint as a voice that plain transformers loads, also while training goes on."""
    parser = argparse.ArgumentParser(prog="python -m lib.training", description=main.__doc__)
    parser.add_argument("checkpoint", type=Path, help="like results/checkpoints/epoch0100")
    parser.add_argument("output", type=Path, help="folder to write; must not exist")
    parser.add_argument("--base-model", type=Path, help="by default base_model/ of the same run")
    parser.add_argument("--language", default="und", help="ISO 639-3 code for the model card")
    arguments = parser.parse_args(line)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    hide_loading_bars()
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
        "%s is a voice now: python -m lib.evaluation %s TEXT --output hello.wav", output, output
    )


if __name__ == "__main__":
    main()
