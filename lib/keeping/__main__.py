"""See what is kept: ``python -m lib.keeping PLACE``, and bring it: ``... PLACE NAME FOLDER``."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from lib.commands import make_parser, run_command
from lib.files import atomic_directory
from lib.keeping.keeper import CHECKPOINTS
from lib.keeping.storage import StorageError, open_storage

logger = logging.getLogger(__name__)


def main(line: Sequence[str] | None = None) -> None:
    """List the trainings that are kept at a place, or copy one from there."""
    parser = make_parser("keeping", main.__doc__)
    parser.add_argument("place", help="folder or rsync target, as in training.keep_at")
    parser.add_argument("name", nargs="?", help="training to copy; without it all are listed")
    parser.add_argument("folder", nargs="?", type=Path, help="new folder to copy it to")
    run_command(parser, _run, line)


def _run(arguments: argparse.Namespace) -> None:
    storage = open_storage(arguments.place)
    names = storage.list()
    if arguments.name is None:
        for name in names:
            checkpoints = ", ".join(storage.list(f"{name}/{CHECKPOINTS}")) or "no checkpoint"
            logger.info("%s: %s", name, checkpoints)
        return
    if arguments.name not in names:
        raise StorageError(
            f"{arguments.place} has no {arguments.name}; it has {', '.join(names) or 'nothing'}"
        )
    if arguments.folder is None or arguments.folder.exists():
        raise StorageError(f"name a folder that does not exist yet, got {arguments.folder}")
    with atomic_directory(arguments.folder.absolute()) as temporary:
        storage.get(arguments.name, temporary)


if __name__ == "__main__":
    main()
