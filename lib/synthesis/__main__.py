"""Synthesize speech: ``python -m lib.synthesis MODEL TEXT --speaker ID --output hello.wav``.

A table of texts: ``python -m lib.synthesis table MODEL TABLE FOLDER``.
"""

import argparse
import dataclasses
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.commands import make_parser, run_command
from lib.config.audio import AudioSettings
from lib.config.outcome import SPEEDS, SpeechSettings
from lib.synthesis.audio_file import write_speech
from lib.synthesis.sound import Sound
from lib.synthesis.synthesizer import find_fastest, load_fastest

_DEFAULTS = SpeechSettings()


def main(line: Sequence[str] | None = None) -> None:
    """Synthesize a text with a trained voice, or a table of texts (`table`)."""
    line = sys.argv[1:] if line is None else list(line)
    if line[:1] == ["table"]:
        _speak_table(line[1:])
    else:
        _speak(line)


def _speak(line: Sequence[str]) -> None:
    parser = make_parser("synthesis", main.__doc__)
    parser.epilog = "python -m lib.synthesis table --help says how a table of texts is read out"
    parser.add_argument("model", type=Path, help="folder of a trained voice, like results/model")
    parser.add_argument("text", help="text of any length; - reads it from the standard input")
    parser.add_argument("--speaker", help="id or name; the first one by default")
    parser.add_argument(
        "--output", type=Path, default=Path("speech.wav"), help="WAV, FLAC, webm or mp3 to write"
    )
    add_options(parser)
    run_command(parser, _synthesize, line)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let a command take how the voice speaks: the keys of section `speech`, and loudness."""
    parser.add_argument(
        "--speed", type=float, default=1.0, help="multiple of the voice's own speed, like 0.8"
    )
    for name, what in (("noise", "sound"), ("duration-noise", "rhythm")):
        parser.add_argument(f"--{name}", type=float, help=f"variation of the {what}; 0 has none")
    parser.add_argument("--seed", type=int, default=0, help="another one gives another variation")
    for what in ("sentence", "clause", "line"):
        default = getattr(_DEFAULTS, f"{what}_pause")
        parser.add_argument(
            f"--{what}-pause", type=float, default=default, help=f"seconds, by default {default}"
        )
    loudness = AudioSettings().loudness
    parser.add_argument(
        "--loudness", type=float, default=loudness, help=f"LUFS, by default {loudness:g}"
    )


def read_options(arguments: argparse.Namespace) -> SpeechSettings:
    """Return the settings of a command line.

    Raises
    ------
    ValueError
        If a number is outside of its bounds.
    """
    given = vars(arguments)
    names = [f.name for f in dataclasses.fields(SpeechSettings) if f.name in given]
    slowest, fastest = SPEEDS
    if not slowest <= arguments.speed <= fastest:
        raise ValueError(f"--speed is {arguments.speed:g}, expected {slowest:g} to {fastest:g}")
    for name in names:
        if isinstance(given[name], int | float) and given[name] < 0:
            raise ValueError(f"--{name.replace('_', '-')} is {given[name]:g}, expected 0 or more")
    return SpeechSettings(**{name: given[name] for name in names})


def _synthesize(arguments: argparse.Namespace) -> None:
    settings = read_options(arguments)
    synthesizer = load_fastest(arguments.model)
    row = synthesizer.row(arguments.speaker)
    text = sys.stdin.read() if arguments.text == "-" else arguments.text
    planned = synthesizer.plan(text, settings)
    speech = synthesizer.stream(planned, row, Sound.from_settings(settings))
    spoken = write_speech(arguments.output, speech, synthesizer.sample_rate, arguments.loudness)
    speaker = arguments.speaker or next(iter(synthesizer.speakers))
    logging.info("%s: %.1f s of speech by %s", arguments.output, spoken.duration, speaker)


def _speak_table(line: Sequence[str]) -> None:
    parser = make_parser("synthesis table", "Read out a table of texts, one file a row.")
    parser.add_argument("model", type=Path, help="folder of a trained voice, like results/model")
    parser.add_argument(
        "table", type=Path, help="columns id and text; speaker and speed if need be"
    )
    parser.add_argument("output", type=Path, help="folder to write; what is there is kept")
    parser.add_argument("--format", choices=("webm", "mp3", "flac", "wav"), default="webm")
    parser.add_argument("--speaker", help="where the table names none; the first by default")
    parser.add_argument("--threads", type=int, default=0, help="0 takes one for every core")
    add_options(parser)
    run_command(parser, _synthesize_table, line)


def _synthesize_table(arguments: argparse.Namespace) -> None:
    from lib.synthesis.table import speak_table

    speak_table(
        find_fastest(arguments.model),
        arguments.table,
        arguments.output,
        read_options(arguments),
        arguments.loudness,
        threads=arguments.threads,
    )


if __name__ == "__main__":
    main()
