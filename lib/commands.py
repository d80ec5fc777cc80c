"""What the commands of all rooms share: ``python -m lib.ROOM --help``."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lib.errors import ExpectedStop
from lib.logs import hide_loading_bars

CONFIG_HELP = "configuration file, like config/mine.yaml; by default every key's default"


def make_parser(room: str, purpose: str | None) -> argparse.ArgumentParser:
    """Make the parser of a room's command.

    Parameters
    ----------
    purpose
        What it does, in a sentence.
    """
    return argparse.ArgumentParser(prog=f"python -m lib.{room}", description=purpose)


def add_config(parser: argparse.ArgumentParser) -> None:
    """Let a command take a configuration file."""
    parser.add_argument("--config", type=Path, help=CONFIG_HELP)


def run_command(
    parser: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], None],
    line: Sequence[str] | None,
) -> None:
    """Parse a command line and run it; what the user can mend is said without a traceback."""
    arguments = parser.parse_args(line)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    hide_loading_bars()
    try:
        run(arguments)
    except (OSError, ValueError, ExpectedStop, MemoryError) as error:
        sys.exit(str(error))
