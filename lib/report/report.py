"""One page that shows a run: voices to listen to, figures and tables. It loads no other file."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.files import read_json
from lib.report.players import embed_sound
from lib.report.plot_style import printable, read_description
from lib.report.tables import (
    Example,
    choose_suggestions,
    collect_examples,
    describe_sessions,
    describe_suggestion,
    describe_transcripts,
    find_overrides_file,
    format_duration,
    format_quality,
    label_speaker,
    list_checkpoint_rows,
    require_files,
)
from lib.report.template import write_page
from lib.tables import read_table

TEMPLATE = Path(__file__).with_name("templates") / "report.html"
MAX_ROWS = 200
# A sentence takes some 30 kB of the page.
MAX_SPEAKERS = 100
MAX_SENTENCES = 3
# What lib.evaluation.quality measures, in the order of the table.
MEASURED = ("recordings", "before", "after")
_LICENCE = (
    "The weights derive from Meta's MMS-TTS, which are licensed CC BY-NC 4.0: no commercial use."
)


@dataclass(frozen=True)
class ReportPaths:
    """Files and folders of a run that the report is made from.

    Attributes
    ----------
    quality
        JSON files of lib.evaluation.quality: the recordings, before and after the training.
    figures
        Folders with SVG figures, by section of the page.
    checkpoints
        Table of lib.evaluation.checkpoints; None if they were not measured.
    transcripts
        JSON file of lib.evaluation.transcript_files; None if they were not checked.
    """

    manifest: Path
    rejected: Path
    registry: Path
    text: Path
    base_model: Path
    training: Path
    samples: Path
    clips: Path
    quality: Sequence[Path]
    figures: Mapping[str, Path]
    checkpoints: Path | None = None
    transcripts: Path | None = None

    @classmethod
    def from_results(cls, results: Path) -> "ReportPaths":
        """Return the paths within the output folder of a finished run.

        Raises
        ------
        ValueError
            If a file or folder is missing.
        """
        quality = (results / f"quality/{what}.json" for what in MEASURED)
        sections = ("voices", "training", "corpus", "speakers")
        paths = cls(
            manifest=results / "manifest.tsv",
            rejected=results / "rejected.tsv",
            registry=results / "speakers/registry.json",
            text=results / "text",
            base_model=results / "base_model",
            training=results / "training.json",
            samples=results / "samples",
            clips=results / "clips",
            quality=[path for path in quality if path.is_file()],
            figures={section: results / "report" / section for section in sections},
            checkpoints=_if_there(results / "quality/checkpoints.tsv"),
            transcripts=_if_there(results / "transcripts/after.json"),
        )
        require_files(path for path in vars(paths).values() if isinstance(path, Path))
        require_files(paths.figures.values())
        return paths


def _if_there(path: Path) -> Path | None:
    return path if path.is_file() else None


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes
    ----------
    nothing
        What the page says where there are no rows.
    file
        The file that has all rows.
    omitted
        Number of rows that the page does not show.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    nothing: str
    file: str
    omitted: int = 0

    @classmethod
    def cut(
        cls, columns: Sequence[str], rows: Sequence[Sequence[Any]], nothing: str, file: str
    ) -> "Table":
        """Return a table of the first rows, at most `MAX_ROWS`."""
        return cls(columns, rows[:MAX_ROWS], nothing, file, max(0, len(rows) - MAX_ROWS))


def write_report(
    paths: ReportPaths, title: str, language: str, overrides_file: str | None, output: Path
) -> None:
    """Write the page.

    Parameters
    ----------
    title
        Name of the recordings.
    language
        ISO 639 code of the transcripts; a screen reader needs it.
    overrides_file
        File with the user's speaker overrides; None if the run reads none.
    output
        HTML file to write.
    """
    file, hint = find_overrides_file(overrides_file)
    manifest, rejected = read_table(paths.manifest), read_table(paths.rejected)
    registry = read_json(paths.registry)
    names = {key: entry["name"] for key, entry in registry["speakers"].items()}
    base = read_json(paths.base_model / "base.json")
    training = read_json(paths.training)
    characters = read_table(paths.text / "vocabulary.tsv")
    examples = collect_examples(paths.samples, paths.manifest)
    accepted = [row for row in manifest if row["status"] == "accepted"]
    values = {
        "title": title,
        "language": language,
        "overrides_file": file,
        "hint": hint,
        "facts": _collect_facts(accepted, rejected, base, training),
        "notes": _collect_notes(accepted, base, training) + describe_transcripts(paths.transcripts),
        "speaker_players": [_embed_players(e, names, paths.clips) for e in examples[:MAX_SPEAKERS]],
        "speakers_omitted": max(0, len(examples) - MAX_SPEAKERS),
        "quality": _list_quality(paths.quality, names),
        "checkpoints": Table.cut(*list_checkpoint_rows(paths.checkpoints)),
        "figures": {name: _embed_figures(folder) for name, folder in paths.figures.items()},
        "rejected": _list_rejected(rejected, paths.rejected),
        "speakers": _list_speakers(accepted, registry),
        "suggestions": [
            {
                "text": describe_suggestion(row, names),
                "lines": row["lines"],
                "settle": row.get("settle", ""),
            }
            for row in choose_suggestions(registry)[0]
        ],
        "doubts_omitted": choose_suggestions(registry)[1],
        "sessions": describe_sessions(registry),
        "characters": _list_characters(characters),
        "characters_summary": _summarise_characters(characters),
    }
    write_page(TEMPLATE, values, output)


def _collect_facts(
    accepted: Sequence[Mapping[str, str]],
    rejected: Sequence[Mapping[str, str]],
    base: Mapping[str, Any],
    training: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return the numbers at the top of the page."""
    splits = Counter(row["split"] for row in accepted)
    best = training["best_epoch"]
    facts = (
        (
            "Clips in the dataset",
            f"{len(accepted):,}",
            f"{splits['train']:,} train, {splits['validation']:,} validation",
        ),
        ("Clips rejected", f"{len(rejected):,}", None),
        ("Speech", format_duration(sum(float(row["duration"]) for row in accepted)), None),
        ("Speakers", f"{len({row['speaker_id'] for row in accepted}):,}", None),
        ("Base model", base["source"], None),
        ("Discriminator at the start", base["discriminator_origin"], None),
        (
            "Epochs",
            f"{training['epoch']:,}",
            "nothing to validate on" if best is None else _describe_best(training),
        ),
        ("Steps", f"{training['step']:,}", _count_skipped(training["skipped_steps"])),
    )
    return [{"name": name, "value": value, "more": more} for name, value, more in facts]


def _describe_best(training: Mapping[str, Any]) -> str:
    """Say which epoch is the best, and how much of its score is the mel loss."""
    losses = training["best_losses"] or {}
    total = sum(losses.values())
    text = f"best: epoch {training['best_epoch']:,}"
    if "mel" in losses and total:
        text += f", by a score that is {losses['mel'] / total:.0%} mel loss"
    return text


def _count_skipped(steps: int) -> str | None:
    return f"{steps:,} skipped: no finite gradient" if steps else None


def _collect_notes(
    accepted: Sequence[Mapping[str, str]], base: Mapping[str, Any], training: Mapping[str, Any]
) -> list[str]:
    """Return the notes at the top of the page."""
    flags = Counter(flag for row in accepted for flag in row["flags"].split(",") if flag)
    notes = [
        f"{number:,} clips in the dataset are flagged as {flag.replace('_', ' ')}. "
        "The column flags of manifest.tsv shows which."
        for flag, number in sorted(flags.items())
    ]
    if base["source"] == "tiny":
        notes.append(
            "The base model is the tiny random model. It shows that every step runs, but its "
            "voices only hum. For speech, set base_model.source to a real base model."
        )
    code = training["code"]
    if code["is_other"]:
        notes.append(
            "The training code has changed since these weights were trained (from "
            f"{code['trained_by'][-1]['code']} to {code['now']}). The weights are kept. To train "
            "again with the new code, set training.resume: false."
        )
    if "mms-tts" in base["source"]:
        notes.append(_LICENCE)
    return notes


def _embed_players(example: Example, names: Mapping[str, str], clips: Path) -> dict[str, Any]:
    """Return a speaker's sentences and recording, each with its sound."""
    recording, clip = None, None
    if example.recording is not None:
        clip = example.recording["clip"]
        recording = (example.recording["transcript"], embed_sound(clips / f"{clip}.wav"))
    sentences = [(text, embed_sound(wav)) for text, wav in example.sentences[:MAX_SENTENCES]]
    name = label_speaker(example.speaker, names)
    return {"name": name, "sentences": sentences, "recording": recording, "clip": clip}


def _list_quality(paths: Sequence[Path], names: Mapping[str, str]) -> Table:
    """Return the figures of every speaker: recordings, before and after the training."""
    measured = {path.stem: read_json(path) for path in paths}
    speakers = sorted({speaker for found in measured.values() for speaker in found})
    rows = [
        (label_speaker(speaker, names), what, *format_quality(found[speaker]))
        for speaker in speakers
        for what, found in measured.items()
        if speaker in found
    ]
    columns = ("speaker", "audio", "sentences", "words")
    columns += ("own similarity", "other similarity", "distortion", "length ratio")
    columns += ("pitch ratio", "naturalness")
    nothing = "No clip was held out of the training, or evaluation.clips is 0."
    return Table.cut(columns, rows, nothing, "quality/")


def _embed_figures(folder: Path) -> list[dict[str, str]]:
    """Return the figures of a folder as data URIs, with their titles and descriptions."""
    figures = []
    for path in sorted(folder.glob("*.svg")):
        title, description = read_description(path)
        encoded = base64.b64encode(path.read_bytes()).decode("ascii")
        source = f"data:image/svg+xml;base64,{encoded}"
        figures.append({"source": source, "title": title, "description": description})
    return figures


def _list_rejected(rejected: Sequence[Mapping[str, str]], file: Path) -> Table:
    rows = [
        (row["clip"], row["reason"].replace("_", " "), row["detail"], row["value"], row["origin"])
        for row in rejected
    ]
    columns = ("clip", "reason", "detail", "value", "origin")
    return Table.cut(columns, rows, "No clip was rejected.", file.name)


def _list_speakers(accepted: Sequence[Mapping[str, str]], registry: Mapping[str, Any]) -> Table:
    """Return the name, the clips and the duration of speech of every speaker."""
    clips, seconds = Counter(), Counter()
    counted = (registry.get("sessions") or {}).get("by_speaker")
    for row in accepted:
        clips[row["speaker_id"], row["split"]] += 1
        seconds[row["speaker_id"]] += float(row["duration"])
    rows = [
        (
            speaker,
            entry["name"],
            "source" if entry["label"] is not None else "clustering",
            clips[speaker, "train"],
            clips[speaker, "validation"],
            format_duration(seconds[speaker]),
            *([counted.get(speaker, 0)] if counted else []),
        )
        for speaker, entry in registry["speakers"].items()
    ]
    columns = ("id", "name", "assigned by", "train", "validation", "speech")
    columns += ("sessions",) if counted else ()
    return Table.cut(columns, rows, "There are no speakers.", "speakers/registry.json")


def _list_characters(characters: Sequence[Mapping[str, str]]) -> Table:
    rows = [
        (printable(row["character"]), row["name"], row["count"], row["clips"], row["status"])
        for row in characters
        if row["status"] != "known"
    ]
    columns = ("character", "name", "count", "clips", "status")
    nothing = "The base model knew every character."
    return Table.cut(columns, rows, nothing, "text/vocabulary.tsv")


def _summarise_characters(characters: Sequence[Mapping[str, str]]) -> str:
    unknown = sum(row["status"] != "known" for row in characters)
    return (
        f"The transcripts use {len(characters):,} different characters. The base model does not "
        f"know {unknown:,} of them as they are."
    )
