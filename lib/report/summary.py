"""What a finished run has made, and how to use it: ``python -m lib.report.summary RESULTS``."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.files import read_json
from lib.report.timing import read_stages

_MEANINGS = {
    "recordings": "the recordings",
    "before": "before the training",
    "after": "the new voice",
}


def describe_results(results: Path) -> str:
    """Say where everything is, and give the one line that speaks.

    Raises
    ------
    ValueError
        If the run is not finished.
    """
    places = {
        "model": results / "model",
        "samples": results / "samples",
        "TensorBoard": results / "tensorboard",
        "report": results / "report/report.html",
        "speakers": results / "speakers/audition.html",
    }
    for path in places.values():
        if not path.exists():
            raise ValueError(f"{path} does not exist: the run is not finished; run it again")
    lines = ["", "The voice is ready:"]
    lines += [f"  {name:<12} {path}" for name, path in places.items()]
    lines += ["", *describe_understanding(results), "Time:"]
    lines += [f"  {stage.name:<20} {stage.seconds:7.1f} s" for stage in read_stages(results)]
    lines += ["", "Let it speak:", f"  {speaking_command(results)}", ""]
    return "\n".join(lines)


def describe_understanding(results: Path) -> list[str]:
    """Say how many of the sentences that were held out a recogniser understood, if one listened."""
    measured = {}
    for what in ("recordings", "before", "after"):
        path = results / f"quality/{what}.json"
        measured[what] = list(read_json(path).values()) if path.is_file() else []
    asked = sum(quality["asked"] for quality in measured["after"])
    if not asked:
        return []
    lines = [f"Understood of {asked} sentences that were held out (one of 20; one word of 20):"]
    for what, qualities in measured.items():
        sentences, words = (
            sum(quality[key] for quality in qualities) for key in ("heard_sentences", "heard_words")
        )
        lines.append(f"  {_MEANINGS[what]:<20} {sentences:3d} {words:3d}")
    return [*lines, ""]


def speaking_command(results: Path) -> str:
    """Return a command for a shell that says the first sample's sentence as the first speaker."""
    speaker = next(iter(read_json(results / "model/speakers.json")))
    text = next(iter(read_json(results / "samples/texts.json").values()))
    command = [_python(), "-m", "lib.synthesis", str(results / "model"), text]
    return shlex.join([*command, "--speaker", speaker, "--output", "hello.wav"])


def _python() -> str:
    """Return how to call this interpreter from here."""
    # Not resolved: in an environment it is a link, and the link is what knows the environment.
    path = Path(sys.executable)
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def main(line: Sequence[str] | None = None) -> None:
    """Say where a finished run has put everything, and how to let the voice speak."""
    parser = argparse.ArgumentParser(prog="python -m lib.report.summary", description=main.__doc__)
    parser.add_argument("results", type=Path, help="the output folder of a finished run")
    try:
        sys.stdout.write(describe_results(parser.parse_args(line).results))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
