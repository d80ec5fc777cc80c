"""Convert recordings: ``python -m lib.audio one.webm two.mp3 --output clips``."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from lib.audio.convert import convert
from lib.commands import add_config, make_parser, run_command
from lib.config.audio import AudioSettings
from lib.config.read import read_config


def main(line: Sequence[str] | None = None) -> None:
    """Convert recordings to mono WAV files at one loudness, each with its measurements as JSON."""
    parser = make_parser("audio", main.__doc__)
    parser.add_argument("recordings", type=Path, nargs="+", help="files of any format")
    parser.add_argument("--output", type=Path, default=Path("clips"), help="folder to write")
    add_config(parser)
    run_command(parser, _convert, line)


def _convert(arguments: argparse.Namespace) -> None:
    settings = AudioSettings(**read_config(arguments.config)["audio"])
    names = [path.stem for path in arguments.recordings]
    if len(set(names)) < len(names):
        raise ValueError("two recordings have one name and would be written to one file")
    for path in arguments.recordings:
        wav = arguments.output / f"{path.stem}.wav"
        measured = convert(path.stem, path.read_bytes(), wav, wav.with_suffix(".json"), settings)
        logging.info("%s", measured.describe().strip())


if __name__ == "__main__":
    main()
