"""Synthesize a sentence: ``python -m lib.synthesis MODEL TEXT --speaker ID --output hello.wav``."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import soundfile

from lib.commands import make_parser, run_command
from lib.files import atomic_path
from lib.synthesis.synthesizer import Synthesizer


def main(line: Sequence[str] | None = None) -> None:
    """Synthesize a sentence with a trained voice, and write it as a WAV file."""
    parser = make_parser("synthesis", main.__doc__)
    parser.add_argument("model", type=Path, help="folder of a trained voice, like results/model")
    parser.add_argument("text", help="sentence to synthesize")
    parser.add_argument("--speaker", help="id or name; the first one by default")
    parser.add_argument("--output", type=Path, default=Path("speech.wav"), help="WAV to write")
    run_command(parser, _synthesize, line)


def _synthesize(arguments: argparse.Namespace) -> None:
    synthesizer = Synthesizer(arguments.model)
    speaker = arguments.speaker or next(iter(synthesizer.speakers))
    waveform = synthesizer.synthesize(arguments.text, speaker)
    try:
        with atomic_path(arguments.output) as temporary:
            soundfile.write(
                temporary, waveform.numpy(), synthesizer.sample_rate, subtype="PCM_16", format="WAV"
            )
    except (OSError, soundfile.LibsndfileError) as error:
        raise ValueError(f"{arguments.output} cannot be written: {error}") from None
    seconds = len(waveform) / synthesizer.sample_rate
    logging.info("%s: %.1f s of speech by %s", arguments.output, seconds, speaker)


if __name__ == "__main__":
    main()
