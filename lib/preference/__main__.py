"""Count votes for checkpoints: ``python -m lib.preference results/training.json VOTES``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from lib.commands import make_parser, run_command
from lib.preference.count import count_votes
from lib.preference.vote_file import USUAL_PLACE


def main(line: Sequence[str] | None = None) -> None:
    """Count votes for the checkpoints of a training, and write what they say."""
    parser = make_parser("preference", main.__doc__)
    parser.add_argument("training", type=Path, help="training.json of the run")
    parser.add_argument(
        "votes", type=Path, nargs="?", default=Path(USUAL_PLACE), help="by default %(default)s"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("standings.json"),
        help="file to write, by default %(default)s",
    )
    run_command(parser, _count, line)


def _count(arguments: argparse.Namespace) -> None:
    count_votes(arguments.votes, arguments.training, arguments.output)


if __name__ == "__main__":
    main()
