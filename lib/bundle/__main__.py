"""Pack a training for another machine, and take it back: ``python -m lib.bundle --help``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from lib.bundle.pack import pack_bundle
from lib.commands import add_config, make_parser, run_command
from lib.config.read import read_config


def main(line: Sequence[str] | None = None) -> None:
    """Pack what a training needs into a folder, or take a training that came back."""
    parser = make_parser("bundle", main.__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    pack = commands.add_parser("pack", help="write a bundle")
    pack.add_argument("results", type=Path, help="folder of the run")
    pack.add_argument("folder", type=Path, help="folder of the bundle")
    pack.set_defaults(run=_pack)
    receive = commands.add_parser("receive", help="take a training that came back")
    receive.add_argument("folder", type=Path, help="folder of the bundle, or its trained/")
    receive.add_argument("results", type=Path, help="folder of the run")
    receive.add_argument(
        "--go-on",
        action="store_true",
        help="take the checkpoints of one that is not finished, or of earlier data",
    )
    receive.set_defaults(run=_receive)
    for command in (pack, receive):
        add_config(command)
    run_command(parser, lambda arguments: arguments.run(arguments), line)


def _pack(arguments: argparse.Namespace) -> None:
    pack_bundle(arguments.results, arguments.folder, read_config(arguments.config))


def _receive(arguments: argparse.Namespace) -> None:
    # It imports torch.
    from lib.bundle.receive import receive_training

    config = read_config(arguments.config)
    receive_training(arguments.folder, arguments.results, config, arguments.go_on)


if __name__ == "__main__":
    main()
