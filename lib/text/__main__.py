"""Say what is trained of a text: ``python -m lib.text results/fetched_base "5 cafés & more"``."""

import argparse
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lib.commands import add_config, make_parser, run_command
from lib.config.read import read_config
from lib.text.plan import plan_text
from lib.text.planned import read_new_letters, read_planned_texts


def main(line: Sequence[str] | None = None) -> None:
    """Say what a base model is trained on of a text, and which letters would be new to it."""
    parser = make_parser("text", main.__doc__)
    parser.add_argument("base", type=Path, help="folder of a base model with its tokenizer")
    parser.add_argument("texts", nargs="+", metavar="text", help="transcript")
    parser.add_argument("--language", default="", help="ISO 639 code of the language spoken")
    add_config(parser)
    run_command(parser, _plan, line)


def _plan(arguments: argparse.Namespace) -> None:
    if not (arguments.base / "vocab.json").is_file():
        raise ValueError(f"{arguments.base} has no vocab.json; expected the folder of a base model")
    transcripts = {f"{number:06d}": text for number, text in enumerate(arguments.texts)}
    policy = read_config(arguments.config)["text"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "text"
        plan_text(transcripts, arguments.base, policy, arguments.language, folder)
        for planned in read_planned_texts(folder).values():
            logging.info("%s", planned.text or f"nothing: {planned.detail}")
        for letter, known in read_new_letters(folder).items():
            logging.info("new letter %s, starting from %s", letter, " ".join(known) or "nothing")


if __name__ == "__main__":
    main()
