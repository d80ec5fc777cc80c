"""Speak a sentence: ``python -m lib.synthesis MODEL TEXT --speaker ID --output hello.wav``."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import soundfile

from lib.commands import make_parser, run_command
from lib.files import atomic_path
from lib.synthesis.synthesizer import Synthesizer


def main(line: Sequence[str] | None = None) -> None:
    """Let a trained voice say a sentence, and write it as a WAV file."""
    parser = make_parser("synthesis", main.__doc__)
    parser.add_argument("model", type=Path, help="folder of a trained voice, like results/model")
    parser.add_argument("text", help="what to say")
    parser.add_argument("--speaker", help="id or name; the first one by default")
    parser.add_argument("--output", type=Path, default=Path("speech.wav"), help="WAV to write")
    run_command(parser, _speak, line)


def _speak(arguments: argparse.Namespace) -> None:
    voice = Synthesizer(arguments.model)
    speaker = arguments.speaker or next(iter(voice.speakers))
    waveform = voice.synthesize(arguments.text, speaker)
    try:
        with atomic_path(arguments.output) as temporary:
            soundfile.write(
                temporary, waveform.numpy(), voice.sample_rate, subtype="PCM_16", format="WAV"
            )
    except (OSError, soundfile.LibsndfileError) as error:
        raise ValueError(f"{arguments.output} cannot be written: {error}") from None
    seconds = len(waveform) / voice.sample_rate
    logging.info("%s says it in %.1f s: %s", speaker, seconds, arguments.output)


if __name__ == "__main__":
    main()
