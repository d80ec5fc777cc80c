"""Talk with a voice in the browser: ``python -m lib.talk results``."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from lib.commands import make_parser, run_command
from lib.talk.catalogue import Voices
from lib.talk.server import HOST, start_server

PORT = 7860


def main(line: Sequence[str] | None = None) -> None:
    """Serve a page to talk with a voice, on this machine alone."""
    parser = make_parser("talk", main.__doc__)
    parser.add_argument("results", type=Path, help="output folder of a run, or folder of a voice")
    parser.add_argument("--port", type=int, default=PORT, help="by default %(default)s")
    run_command(parser, _serve, line)


def _serve(arguments: argparse.Namespace) -> None:
    server = start_server(Voices(arguments.results), arguments.port)
    logging.info("Open http://%s:%d in a browser here; Ctrl+C ends it", HOST, server.port)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
