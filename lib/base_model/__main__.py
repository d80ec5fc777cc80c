"""Work with base models: ``python -m lib.base_model export CHECKPOINT OUTPUT``."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from lib.base_model.export import export_checkpoint
from lib.base_model.fetch import fetch_base_model
from lib.base_model.fit import fit_base_model
from lib.commands import make_parser, run_command


def main(line: Sequence[str] | None = None) -> None:
    """Fetch a base model, fit it to a dataset, or export a voice that was trained from it."""
    parser = make_parser("base_model", main.__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    fetch = commands.add_parser("fetch", help="write a base as plain transformers loads it")
    fetch.add_argument("source", help="Hub id, directory (also an original MMS one), or tiny")
    fetch.add_argument("output", type=Path, help="folder to write")
    fetch.add_argument("--discriminator", choices=("auto", "fresh"), default="auto")
    fetch.set_defaults(run=_fetch)
    fit = commands.add_parser("fit", help="give a base the letters and speakers of a dataset")
    fit.add_argument("base", type=Path, help="folder that fetch has written")
    fit.add_argument("text", type=Path, help="text/ of a run")
    fit.add_argument("dataset", type=Path, help="dataset/ of a run")
    fit.add_argument("centroids", type=Path, help="speakers/centroids.parquet of a run")
    fit.add_argument("output", type=Path, help="folder to write")
    fit.set_defaults(run=_fit)
    export = commands.add_parser(
        "export",
        help="write a checkpoint as a voice that plain transformers loads, also while training",
    )
    export.add_argument("checkpoint", type=Path, help="like results/checkpoints/epoch0100")
    export.add_argument("output", type=Path, help="folder to write; must not exist")
    export.add_argument("--base-model", type=Path, help="by default base_model/ of the same run")
    export.add_argument("--language", default="und", help="ISO 639-3 code for the model card")
    export.set_defaults(run=_export)
    run_command(parser, lambda arguments: arguments.run(arguments), line)


def _fetch(arguments: argparse.Namespace) -> None:
    fetch_base_model(arguments.source, arguments.discriminator, arguments.output)


def _fit(arguments: argparse.Namespace) -> None:
    fit_base_model(
        arguments.base, arguments.text, arguments.dataset, arguments.centroids, arguments.output
    )


def _export(arguments: argparse.Namespace) -> None:
    checkpoint, output = arguments.checkpoint, arguments.output
    if output.exists():
        raise ValueError(f"{output} exists already: give the name of a new folder")
    base_model = arguments.base_model or checkpoint.absolute().parent.parent / "base_model"
    registry = base_model.parent / "speakers/registry.json"
    export_checkpoint(
        checkpoint,
        base_model,
        output,
        arguments.language,
        registry if registry.is_file() else None,
    )
    logging.info(
        "%s is a voice now: python -m lib.synthesis %s TEXT --output hello.wav", output, output
    )


if __name__ == "__main__":
    main()
