"""Write the speaker review page of a run: ``python -m lib.review RESULTS --output review.html``.

What to record next: ``python -m lib.review prompts RESULTS SENTENCES --output prompts``.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.commands import make_parser, run_command
from lib.config.dataset import DatasetSettings
from lib.corpus import load_corpus
from lib.report.tables import DEFAULT_OVERRIDES
from lib.review.prompts import write_prompts
from lib.review.speaker_review import ReviewPaths, write_speaker_review


def main(line: Sequence[str] | None = None) -> None:
    """Write the speaker review page of a run, or the list of what to record next (`prompts`)."""
    line = sys.argv[1:] if line is None else list(line)
    if line[:1] == ["prompts"]:
        _choose(line[1:])
    else:
        _review(line)


def _review(line: Sequence[str]) -> None:
    defaults = DatasetSettings()
    parser = make_parser("review", main.__doc__)
    parser.epilog = "python -m lib.review prompts --help says how sentences to record are chosen"
    parser.add_argument("results", type=Path, help="output folder of the run, like results/demo")
    parser.add_argument("--output", type=Path, default=Path("review.html"), help="page to write")
    parser.add_argument("--title", help="name of the recordings; by default the results folder")
    parser.add_argument("--language", default="und", help="ISO 639 code of the transcripts")
    parser.add_argument(
        "--overrides",
        default=DEFAULT_OVERRIDES,
        help="file with the speaker overrides of the run; by default %(default)s",
    )
    parser.add_argument(
        "--min-confidence",
        type=float,
        default=defaults.min_confidence,
        help="review clips whose speaker has a lower confidence; by default %(default)s",
    )
    parser.add_argument(
        "--min-intra-clip-similarity",
        type=float,
        default=defaults.min_intra_clip_similarity,
        help="review clips whose beginning and end have a lower cosine similarity; by default "
        "%(default)s",
    )
    run_command(parser, _write, line)


def _write(arguments: argparse.Namespace) -> None:
    corpus = load_corpus(arguments.results / "source")
    write_speaker_review(
        ReviewPaths.from_results(arguments.results),
        {clip.id: clip.text for clip in corpus.clips.values()},
        arguments.min_confidence,
        arguments.min_intra_clip_similarity,
        title=arguments.title or str(arguments.results),
        language=arguments.language,
        overrides_file=arguments.overrides,
        output=arguments.output,
    )
    logging.info("The speaker review page is %s", arguments.output)


def _choose(line: Sequence[str]) -> None:
    parser = make_parser("review prompts", "Choose the sentences that are best recorded next.")
    parser.add_argument("results", type=Path, help="output folder of the run, like results/demo")
    parser.add_argument(
        "sentences",
        type=Path,
        help="text file, a sentence a line; or a table, whose rows without a recording are taken",
    )
    parser.add_argument("--count", type=int, default=100, help="by default %(default)s")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("prompts"),
        help="folder of prompts.html and prompts.csv, by default %(default)s",
    )
    run_command(parser, _write_prompts, line)


def _write_prompts(arguments: argparse.Namespace) -> None:
    write_prompts(arguments.results, arguments.sentences, max(1, arguments.count), arguments.output)


if __name__ == "__main__":
    main()
