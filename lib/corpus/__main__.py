"""List the clips of a source: ``python -m lib.corpus data/recordings``."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from lib.commands import add_config, make_parser, run_command
from lib.config.read import read_config
from lib.corpus import Columns, read_corpus


def main(line: Sequence[str] | None = None) -> None:
    """Read recordings and transcripts, and list the rows that cannot be used."""
    parser = make_parser("corpus", main.__doc__)
    parser.add_argument("source", type=Path, help="folder or dataset, as source.path")
    add_config(parser)
    run_command(parser, _read, line)


def _read(arguments: argparse.Namespace) -> None:
    columns = Columns(**read_config(arguments.config)["source"]["columns"])
    corpus = read_corpus(arguments.source, columns, cache=None)
    for row in corpus.invalid_rows:
        logging.info("%s: %s: %s", row.origin, row.reason, row.detail)
    for note in corpus.notes:
        logging.info("%s: %s", note.origin, note.detail)
    logging.info(
        "%s: %d clips, %d rows that are not usable",
        arguments.source,
        len(corpus.clips),
        len(corpus.invalid_rows),
    )


if __name__ == "__main__":
    main()
