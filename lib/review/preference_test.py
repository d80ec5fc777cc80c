"""The page of the preference test: blind pairs of checkpoints to listen to and to vote on."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lib.files import read_json
from lib.preference.trials import Trial, plan_trials, read_spoken
from lib.preference.vote_file import COLUMNS, USUAL_PLACE, read_votes
from lib.report.players import embed_sound
from lib.report.template import write_page

TEMPLATE = Path(__file__).with_name("templates") / "preference_test.html"


def write_preference_test(
    speech: Path,
    standings: Path,
    votes: Path | None,
    clips: Path,
    votes_file: str | None,
    title: str,
    language: str,
    output: Path,
) -> None:
    """Write the page.

    Parameters
    ----------
    speech
        Folder of rule speak_preference_test.
    standings
        JSON file of rule rank_checkpoints.
    votes
        File of votes; None if there is none yet.
    clips
        Folder of the converted clips.
    votes_file
        `export.votes`; None if the run reads none.
    title
        Name of the recordings.
    language
        ISO 639 code of the transcripts.
    output
        HTML file to write.
    """
    texts, epochs = read_spoken(speech)
    trials = plan_trials(epochs, list(texts), read_votes(votes))
    found = read_json(standings)
    file, hint = _find_file(votes_file)
    values = {
        "title": title,
        "votes_file": file,
        "hint": hint,
        "count": len(trials),
        "checkpoints": len({name for trial in trials for name in (trial.a, trial.b)}),
        "found": found,
        "reason": found["reason"],
        "standings": [_show(row) for row in found["standings"]],
        "data": {
            "language": language,
            "votesFile": file,
            "hint": hint,
            "header": "" if votes else ",".join(COLUMNS) + "\n",
            "key": _digest(trials),
            **_embed(trials, texts, speech, clips),
        },
    }
    write_page(TEMPLATE, values, output)


def _find_file(configured: str | None) -> tuple[str, str]:
    """Return the file for votes, and what to do so that the run reads it."""
    if configured is not None:
        return configured, ""
    return USUAL_PLACE, f"This run reads no votes: set export.votes to {USUAL_PLACE}."


def _embed(
    trials: Sequence[Trial], texts: Mapping[str, str], speech: Path, clips: Path
) -> dict[str, Any]:
    """Return the trials and their sounds, each sound once."""
    sounds: dict[Path, int] = {}

    def number(path: Path) -> int:
        return sounds.setdefault(path, len(sounds))

    rows = [
        {
            "clip": trial.clip,
            "a": trial.a,
            "b": trial.b,
            "text": texts[trial.clip],
            "sounds": {
                "a": number(speech / trial.a / f"{trial.clip}.wav"),
                "b": number(speech / trial.b / f"{trial.clip}.wav"),
                "recording": number(clips / f"{trial.clip}.wav"),
            },
        }
        for trial in trials
    ]
    return {"trials": rows, "sounds": [embed_sound(path).source for path in sounds]}


def _show(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "strength": f"{row['strength']:+.2f} ± {row['deviation']:.2f}",
        "probability_best": f"{row['probability_best']:.0%}",
    }


def _digest(trials: Sequence[Trial]) -> str:
    """Return a name for the votes that a browser keeps until they are copied."""
    told = repr([(trial.clip, trial.a, trial.b) for trial in trials])
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
