"""Speak a sentence: ``python -m lib.synthesis MODEL TEXT --speaker ID --output hello.wav``."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import soundfile

from lib.files import atomic_path
from lib.logs import hide_loading_bars
from lib.synthesis.synthesizer import Synthesizer


def main(line: Sequence[str] | None = None) -> None:
    """Let a trained voice say a sentence, and write it as a WAV file."""
    parser = argparse.ArgumentParser(prog="python -m lib.synthesis", description=main.__doc__)
    parser.add_argument("model", type=Path, help="folder of a trained voice, like results/model")
    parser.add_argument("text", help="what to say")
    parser.add_argument("--speaker", help="id or name; the first one by default")
    parser.add_argument("--output", type=Path, default=Path("speech.wav"), help="WAV to write")
    arguments = parser.parse_args(line)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    hide_loading_bars()
    try:
        voice = Synthesizer(arguments.model)
        speaker = arguments.speaker or next(iter(voice.speakers))
        waveform = voice.synthesize(arguments.text, speaker)
    except ValueError as error:
        sys.exit(str(error))
    try:
        with atomic_path(arguments.output) as temporary:
            soundfile.write(
                temporary, waveform.numpy(), voice.sample_rate, subtype="PCM_16", format="WAV"
            )
    except (OSError, soundfile.LibsndfileError) as error:
        sys.exit(f"{arguments.output} cannot be written: {error}")
    seconds = len(waveform) / voice.sample_rate
    logging.info("%s says it in %.1f s: %s", speaker, seconds, arguments.output)


if __name__ == "__main__":
    main()
