"""Summary of a finished run and how to use it: ``python -m lib.report.summary RESULTS``."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lib.files import read_json
from lib.report.tables import require_files
from lib.report.timing import read_stages

_MEANINGS = {
    "recordings": "the recordings",
    "before": "before the training",
    "after": "the new voice",
}


def describe_results(results: Path) -> str:
    """Return where everything is, the time of every stage, and commands that speak.

    Raises
    ------
    ValueError
        If the run is not finished.
    """
    places = {
        "model": results / "model",
        "samples": results / "samples",
        "packs": results / "export",
        "TensorBoard": results / "tensorboard",
        "report": results / "report/report.html",
        "speakers": results / "speakers/review.html",
    }
    require_files(places.values())
    lines = ["", "The voice is ready:"]
    lines += [f"  {name:<12} {path}" for name, path in places.items()]
    lines += ["", *describe_intelligibility(results), "Time:"]
    lines += [f"  {stage.name:<20} {stage.seconds:7.1f} s" for stage in read_stages(results)]
    if pack := find_pack(results):
        lines += ["", "Let other programs speak with it, here sherpa-onnx:"]
        lines += [f"  {sherpa_command(results, pack)}"]
        lines += [f"  In Python, on a phone, with a screen reader: {pack / 'README.md'}"]
    lines += ["", "Let it speak:", f"  {speaking_command(results)}", ""]
    return "\n".join(lines)


def describe_intelligibility(results: Path) -> list[str]:
    """Return how many held-out sentences a recogniser understood; nothing if that was not measured.

    The intelligibility is measured on a closed set: the recogniser chooses one of 20.
    """
    measured = {}
    for what in _MEANINGS:
        path = results / f"quality/{what}.json"
        measured[what] = list(read_json(path).values()) if path.is_file() else []
    tested = sum(quality["sentences_tested"] for quality in measured["after"])
    if not tested:
        return []
    lines = [f"Understood of {tested} held-out sentences (one of 20; one word of 20):"]
    for what, qualities in measured.items():
        sentences, words = (
            sum(quality[key] for quality in qualities)
            for key in ("sentences_understood", "words_understood")
        )
        lines.append(f"  {_MEANINGS[what]:<20} {sentences:3d} {words:3d}")
    return [*lines, ""]


def find_pack(results: Path) -> Path | None:
    """Return the folder of the pack for sherpa-onnx; None if there is none."""
    return next((path.parent for path in sorted(results.glob("export/*/tokens.txt"))), None)


def sherpa_command(results: Path, pack: Path) -> str:
    """Return a shell command by which sherpa-onnx says what `speaking_command` says."""
    (_, entry), text = _choose_speech(results)
    files = [f"--vits-model={pack / 'model.onnx'}", f"--vits-tokens={pack / 'tokens.txt'}"]
    speaker = [f"--sid={entry['index']}", "--output-filename=hello.wav"]
    return shlex.join(["sherpa-onnx-offline-tts", *files, *speaker, text])


def _choose_speech(results: Path) -> tuple[tuple[str, dict[str, Any]], str]:
    """Return the first speaker with its entry, and the first sample's sentence."""
    speaker = next(iter(read_json(results / "model/speakers.json").items()))
    return speaker, next(iter(read_json(results / "samples/texts.json").values()))


def speaking_command(results: Path) -> str:
    """Return a shell command that says the first sample's sentence as the first speaker."""
    (speaker, _), text = _choose_speech(results)
    command = [_python(), "-m", "lib.synthesis", str(results / "model"), text]
    return shlex.join([*command, "--speaker", speaker, "--output", "hello.wav"])


def _python() -> str:
    """Return the path of this interpreter, relative where it is below the current folder."""
    # The path is not resolved: the link in an environment is what makes Python find its packages.
    path = Path(sys.executable)
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def main(line: Sequence[str] | None = None) -> None:
    """Print where a finished run has put everything, and how to let the voice speak."""
    parser = argparse.ArgumentParser(prog="python -m lib.report.summary", description=main.__doc__)
    parser.add_argument("results", type=Path, help="the output folder of a finished run")
    try:
        sys.stdout.write(describe_results(parser.parse_args(line).results))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
