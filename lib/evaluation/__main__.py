"""Measure a voice: ``python -m lib.evaluation results/model results``."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from lib.commands import add_config, make_parser, run_command
from lib.config.read import read_config
from lib.evaluation.quality import measure_quality
from lib.evaluation.time_files import write_times
from lib.files import read_json


def main(line: Sequence[str] | None = None) -> None:
    """Synthesize sentences of a run's validation split with a voice, and measure the speech."""
    parser = make_parser("evaluation", main.__doc__)
    parser.add_argument("model", type=Path, help="folder of a voice, like results/model")
    parser.add_argument("results", type=Path, help="output folder of the run, like results")
    parser.add_argument("--output", type=Path, default=Path("quality.json"), help="JSON to write")
    parser.add_argument(
        "--times",
        type=Path,
        metavar="FOLDER",
        help="write instead where the words and letters of all clips and samples are",
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    add_config(parser)
    run_command(parser, _measure, line)


def _measure(arguments: argparse.Namespace) -> None:
    if arguments.times:
        _locate(arguments)
        return
    results, settings = arguments.results, read_config(arguments.config)["evaluation"]
    measure_quality(
        model=arguments.model,
        dataset=results / "dataset",
        recordings=results / "clips",
        centroids=results / "speakers/centroids.parquet",
        count=settings["clips"],
        recogniser=settings["recogniser"],
        naturalness=settings["naturalness"],
        output=arguments.output,
        threads=arguments.threads,
    )
    for speaker, quality in read_json(arguments.output).items():
        figures = ", ".join(f"{name} {value}" for name, value in quality.items())
        logging.info("%s: %s", speaker, figures)


def _locate(arguments: argparse.Namespace) -> None:
    samples = arguments.results / "samples"
    write_times(
        model=arguments.model,
        dataset=arguments.results / "dataset",
        samples=samples if samples.is_dir() else None,
        output=arguments.times,
        threads=arguments.threads,
    )


if __name__ == "__main__":
    main()
