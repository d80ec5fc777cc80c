"""Reads the tables of a run for the figures and the pages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.files import read_json
from lib.speakers.tables import DOUBTS
from lib.tables import read_table

# The one that decides comes first.
ENCODER_NAMES = {"campplus": "CAM++", "resemblyzer": "resemblyzer"}


def read_names(registry: Path) -> dict[str, str]:
    """Read the name of every speaker from registry.json."""
    return {key: entry["name"] for key, entry in read_json(registry)["speakers"].items()}


# The default of `speakers.overrides` in config/config.yaml.
DEFAULT_OVERRIDES = "config/speakers.yaml"


def find_overrides_file(configured: str | None) -> tuple[str, str]:
    """Return the file for speaker overrides, and what to do so that the run reads it.

    Parameters
    ----------
    configured
        `speakers.overrides` of the configuration; None if the run reads no such file.

    Returns
    -------
    tuple of str
        The file, and a hint for the user. The hint is empty where nothing has to be done.
    """
    if configured is not None:
        return configured, ""
    hint = (
        "This run reads no such file yet: make it, and set speakers.overrides to its name in the "
        "run's configuration."
    )
    return DEFAULT_OVERRIDES, hint


def require_files(paths: Iterable[Path]) -> None:
    """Check that a run has left these files and folders.

    Raises
    ------
    ValueError
        If one is missing; the message names it.
    """
    for path in paths:
        if not path.exists():
            raise ValueError(f"{path} does not exist: the run is not finished; run it again")


def format_quality(quality: Mapping[str, Any]) -> list[str]:
    """Return the figures of one speaker as the report shows them."""

    def share(count: int | None) -> str:
        return "" if count is None else f"{count} of {quality['sentences_tested']}"

    other = quality["other_similarity"]
    return [
        share(quality["sentences_understood"]),
        share(quality["words_understood"]),
        f"{quality['own_similarity']:.2f}",
        _number(other),
        f"{quality['distortion']:.1f} dB",
        f"{quality['length_ratio']:.2f}",
        _number(quality["pitch_ratio"]),
        _number(quality["naturalness"]),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


# Columns of the table of checkpoints that the report shows: heading, name, and format.
_CHECKPOINT_COLUMNS = (
    ("sentences", "sentences", "{:.0%}"),
    ("words", "words", "{:.0%}"),
    ("sentences, recogniser", "recogniser_sentences", "{:.0%}"),
    ("words, recogniser", "recogniser_words", "{:.0%}"),
    ("own similarity", "own_similarity", "{:.2f}"),
    ("other similarity", "other_similarity", "{:.2f}"),
    ("distortion", "distortion", "{:.1f} dB"),
    ("pitch ratio", "pitch_ratio", "{:.2f}"),
    ("pitch spread", "pitch_spread_ratio", "{:.2f}"),
    ("length ratio", "length_ratio", "{:.2f}"),
    ("naturalness", "naturalness", "{:.2f}"),
    ("likelihood, training", "likelihood_train", "{:.3f}"),
    ("likelihood, held out", "likelihood_validation", "{:.3f}"),
    ("composite", "composite", "{:.3f}"),
)


def list_checkpoint_rows(table: Path | None) -> tuple[list[str], list[list[str]], str, str]:
    """Return columns and rows of the table of checkpoints as the report shows it.

    Returns
    -------
    tuple
        Columns, rows, what is said where there are none, and the file that has more. A column of
        what was not measured is left out.
    """
    found = read_table(table) if table else []
    shown = [column for column in _CHECKPOINT_COLUMNS if any(row[column[1]] for row in found)]
    columns = ["what", *(heading for heading, _, _ in shown), "heard by"]
    rows = [
        [
            row["what"],
            *(shape.format(float(row[name])) if row[name] else "" for _, name, shape in shown),
            row["judge"],
        ]
        for row in found
    ]
    return columns, rows, "No checkpoint was measured.", "quality/checkpoints.tsv"


def describe_transcripts(summary: Path | None) -> list[str]:
    """Return what the check of the transcripts has to say at the top of the page."""
    found = read_json(summary) if summary else {"shifts": []}
    rows = sum(shift["rows"] for shift in found["shifts"])
    if not rows:
        return []
    return [
        f"{rows:,} rows of your table seem to have slipped: the text of a neighbour "
        "explains their recordings better. transcripts/after.html plays them."
    ]


def label_speaker(speaker: str, names: Mapping[str, str]) -> str:
    """Return the speaker's id, with the name where that is another."""
    name = names.get(speaker, speaker)
    return speaker if name == speaker else f"{speaker} · {name}"


def accepted_clips(manifest: Path) -> list[dict[str, str]]:
    """Read the rows of manifest.tsv that are in the dataset."""
    return [row for row in read_table(manifest) if row["status"] == "accepted"]


def format_duration(seconds: float) -> str:
    """Write a duration with the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.2f} h"


# Doubts that a page shows; speakers/doubts.tsv has them all.
MAX_DOUBTS = 12


def choose_suggestions(registry: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """Return the review suggestions that a page shows, doubts first, and how many it leaves out."""
    rows = registry["review_suggestions"]
    doubts = [row for row in rows if row["reason"] in DOUBTS]
    others = [row for row in rows if row["reason"] not in DOUBTS]
    return [*doubts[:MAX_DOUBTS], *others], max(0, len(doubts) - MAX_DOUBTS)


def describe_suggestion(suggestion: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """Return a review suggestion of registry.json as sentences.

    Parameters
    ----------
    suggestion
        With `reason`, `speakers` and `groups` of clip ids.
    names
        Name of every speaker, by id.
    """
    concerned = " and ".join(label_speaker(speaker, names) for speaker in suggestion["speakers"])
    if suggestion["reason"] in DOUBTS:
        return _describe_doubt(suggestion, concerned)
    sizes = " and ".join(f"{len(group):,}" for group in suggestion["groups"])
    clips = "; ".join(", ".join(group[:3]) for group in suggestion["groups"])
    texts = {
        "several_speakers": f"{concerned} may be more than one speaker",
        "one_speaker": f"{concerned} may be the same speaker",
    }
    text = texts.get(suggestion["reason"], f"{concerned}: {suggestion['reason']}")
    return f"{text}: groups of {sizes} clips, for example {clips}. Speaker ids do not change."


def describe_sessions(registry: Mapping[str, Any]) -> str | None:
    """Say what the column of sessions counts; None where nothing is known of them."""
    sessions = registry.get("sessions") or {}
    if sessions.get("kind") == "session":
        return f"The source names {sessions['count']:,} sessions."
    what = {"folder": "folders of its files", "prefix": "beginnings of its clips' names"}
    if sessions.get("kind") not in what:
        return None
    return (
        f"The source names no sessions. The {sessions['count']:,} {what[sessions['kind']]} may be "
        "some: they are counted here, and decide nothing. If they are sessions, give them a column "
        "and name it in source.columns.session."
    )


def _describe_doubt(doubt: Mapping[str, Any], concerned: str) -> str:
    """Return a doubt as sentences; `concerned` are the names of the speakers."""
    question = {
        "unsettled_pair": f"Are {concerned} one person?",
        "unsettled_speaker": f"Is {concerned} two people?",
    }[doubt["reason"]]
    encoders = {key: name for key, name in ENCODER_NAMES.items() if key in doubt["similarities"]}
    figures = " and ".join(
        f"{doubt['similarities'][key]:.2f} ({name})" for key, name in encoders.items()
    )
    decisive = next(iter(encoders.values()))
    text = f"{question} Their similarity is {figures}; one person is from {doubt['threshold']:.2f} "
    text += f"on by {decisive}."
    if doubt["share_session"] is False:
        text += " No session has clips of both: another day or microphone may be all that differs."
    return text


@dataclass(frozen=True, slots=True)
class Example:
    """Sentences that the new voice of a speaker says, and a recording of that speaker.

    Attributes
    ----------
    speaker
        Speaker id.
    sentences
        Each text with the WAV file in which the new voice says it.
    recording
        Row of manifest.tsv of an original clip; None for a speaker without clips.
    """

    speaker: str
    sentences: list[tuple[str, Path]]
    recording: dict[str, str] | None


def collect_examples(samples: Path, manifest: Path) -> list[Example]:
    """Return every speaker's samples, with an original clip to compare them with."""
    texts = read_json(samples / "texts.json")
    rows: dict[str, list[dict[str, str]]] = {}
    for row in accepted_clips(manifest):
        rows.setdefault(row["speaker_id"], []).append(row)
    return [
        Example(
            speaker=folder.name,
            sentences=[(text, folder / f"{number}.wav") for number, text in texts.items()],
            recording=_choose_recording(rows.get(folder.name, ()), texts.values()),
        )
        for folder in sorted(path for path in samples.iterdir() if path.is_dir())
    ]


def _choose_recording(
    rows: Iterable[dict[str, str]], texts: Iterable[str]
) -> dict[str, str] | None:
    """Return the best clip to compare with.

    A clip with a text that the new voice says too comes first, then one that was held out of the
    training, then one of about four seconds.
    """
    spoken = set(texts)
    ranked = sorted(
        rows,
        key=lambda row: (
            row["transcript"] not in spoken,
            row["split"] != "validation",
            abs(float(row["duration"]) - 4.0),
            row["clip"],
        ),
    )
    return ranked[0] if ranked else None
