"""Build the dataset of a run anew: ``python -m lib.dataset results --output elsewhere``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from lib.commands import add_config, make_parser, run_command
from lib.config.dataset import DatasetSettings
from lib.config.read import read_config
from lib.corpus import load_corpus
from lib.dataset.build import build_dataset


def main(line: Sequence[str] | None = None) -> None:
    """Filter and split the converted clips of a run, and write the dataset with its tables."""
    parser = make_parser("dataset", main.__doc__)
    parser.add_argument("results", type=Path, help="output folder of a run, like results")
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    add_config(parser)
    run_command(parser, _build, line)


def _build(arguments: argparse.Namespace) -> None:
    results, output = arguments.results, arguments.output
    corpus = load_corpus(results / "source")
    build_dataset(
        corpus.clips,
        corpus.invalid_rows,
        {clip: results / f"clips/{clip}.wav" for clip in corpus.clips},
        results / "measurements.tsv",
        results / "text",
        results / "speakers/assignments.tsv",
        results / "speakers/excluded.tsv",
        DatasetSettings(**read_config(arguments.config)["dataset"]),
        # The record of the run's own split is not changed.
        output / "split.tsv",
        results / "state/transcripts.tsv",
        dataset=output / "dataset",
        manifest=output / "manifest.tsv",
        rejected=output / "rejected.tsv",
    )


if __name__ == "__main__":
    main()
