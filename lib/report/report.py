"""One page that shows a run: voices to listen to, figures, tables. It needs nothing beside it."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.files import atomic_path, read_json
from lib.report.page import STYLE, TEMPLATE, make_template
from lib.report.players import embed_sound
from lib.report.plot_style import printable, read_description
from lib.report.tables import (
    Example,
    collect_examples,
    describe_doubt,
    describe_place,
    format_duration,
    label_speaker,
)
from lib.tables import read_table

MAX_ROWS = 200
# What a page can hold: some 30 kB for each sentence.
MAX_VOICES = 100
MAX_SENTENCES = 3
_LICENCE = (
    "The weights derive from Meta's MMS-TTS, which are licensed CC BY-NC 4.0: no commercial use."
)


@dataclass(frozen=True)
class ReportPaths:
    """What the report is made from; the names are those of the run's files."""

    manifest: Path
    rejected: Path
    registry: Path
    base_model: Path
    training: Path
    samples: Path
    clips: Path
    quality: Sequence[Path]
    """Measured by lib.evaluation.quality: the recordings, the voice before and after training."""
    figures: Mapping[str, Path]
    """Directories with figures, by section."""


@dataclass(frozen=True)
class Table:
    """Rows for the page, and how many there is no room for."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    nothing: str
    file: str
    omitted: int = 0

    @classmethod
    def cut(
        cls, columns: Sequence[str], rows: Sequence[Sequence[Any]], nothing: str, file: str
    ) -> "Table":
        """Keep the first rows."""
        return cls(columns, rows[:MAX_ROWS], nothing, file, max(0, len(rows) - MAX_ROWS))


def write_report(
    paths: ReportPaths, title: str, language: str, file: str | None, output: Path
) -> None:
    """Write the page.

    Parameters
    ----------
    title
        What the recordings are called.
    language
        ISO 639 code of the transcripts, for those who let the page be read aloud.
    file
        Where the user's word about speakers is read from; None, where it is not.
    """
    place, hint = describe_place(file)
    manifest, rejected = read_table(paths.manifest), read_table(paths.rejected)
    registry = read_json(paths.registry)
    names = {key: entry["name"] for key, entry in registry["speakers"].items()}
    base = read_json(paths.base_model / "base.json")
    training = read_json(paths.training)
    vocabulary = read_table(paths.base_model.parent / "text/vocabulary.tsv")
    examples = collect_examples(paths.samples, paths.manifest)
    accepted = [row for row in manifest if row["status"] == "accepted"]
    values = {
        "title": title,
        "language": language,
        "style": STYLE,
        "file": place,
        "hint": hint,
        "facts": _collect_facts(accepted, rejected, base, training),
        "notes": _collect_notes(accepted, base, training),
        "voices": [_show_voice(e, names, paths.clips) for e in examples[:MAX_VOICES]],
        "voices_omitted": max(0, len(examples) - MAX_VOICES),
        "quality": _list_quality(paths.quality, names),
        "figures": {name: _embed_figures(folder) for name, folder in paths.figures.items()},
        "rejected": _list_rejected(rejected, paths.rejected),
        "excluded": Table.cut(
            ("clip", "reason"),
            sorted(base["excluded"].items()),
            "None: the base model can learn from every accepted clip.",
            "base_model/base.json",
        ),
        "speakers": _list_speakers(accepted, registry),
        "doubts": [(describe_doubt(d, names), d["lines"]) for d in registry["doubts"]],
        "vocabulary": _list_characters(vocabulary),
        "vocabulary_summary": _sum_up_characters(vocabulary),
    }
    page = make_template(TEMPLATE)
    with atomic_path(output) as temporary:
        temporary.write_text(page.render(values).strip() + "\n", "utf-8")


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
        ("Left out of training", f"{len(base['excluded']):,}", None),
    )
    return [{"name": name, "value": value, "more": more} for name, value, more in facts]


def _describe_best(training: Mapping[str, Any]) -> str:
    """Say which epoch is the best, and what that rests on."""
    losses = training["best_losses"] or {}
    total = sum(losses.values())
    told = f"best: epoch {training['best_epoch']:,}"
    if "mel" in losses and total:
        told += f", by a score that is {losses['mel'] / total:.0%} mel loss"
    return told


def _count_skipped(steps: int) -> str | None:
    return f"{steps:,} skipped: no finite gradient" if steps else None


def _collect_notes(
    accepted: Sequence[Mapping[str, str]], base: Mapping[str, Any], training: Mapping[str, Any]
) -> list[str]:
    """Return what a reader should know before anything else."""
    flags = Counter(flag for row in accepted for flag in row["flags"].split(",") if flag)
    notes = [
        f"{number:,} clips in the dataset are marked as {flag.replace('_', ' ')}: "
        "see the column flags of manifest.tsv."
        for flag, number in sorted(flags.items())
    ]
    if base["source"] == "tiny":
        notes.append(
            "The base is the tiny random model, which shows that everything runs: it hums, it "
            "does not speak. For a voice, give base_model.source a real one."
        )
    code = training["code"]
    if code["is_other"]:
        notes.append(
            "The code of the training has changed since these weights were trained (from "
            f"{code['trained_by'][-1]['code']} to {code['now']}): they are as they were. "
            "training.resume: false trains anew."
        )
    if "mms-tts" in base["source"]:
        notes.append(_LICENCE)
    return notes


def _show_voice(example: Example, names: Mapping[str, str], clips: Path) -> dict[str, Any]:
    """Return a speaker's players."""
    recording, clip = None, None
    if example.recording is not None:
        clip = example.recording["clip"]
        recording = (example.recording["text"], embed_sound(clips / f"{clip}.wav"))
    sentences = [(text, embed_sound(wav)) for text, wav in example.sentences[:MAX_SENTENCES]]
    name = label_speaker(example.speaker, names)
    return {"name": name, "sentences": sentences, "recording": recording, "clip": clip}


def _list_quality(paths: Sequence[Path], names: Mapping[str, str]) -> Table:
    """Return what was measured of every speaker: recordings, before and after the training."""
    measured = {path.stem: read_json(path) for path in paths}
    speakers = sorted({speaker for found in measured.values() for speaker in found})
    rows = [
        (label_speaker(speaker, names), what, *_describe_quality(found[speaker]))
        for speaker in speakers
        for what, found in measured.items()
        if speaker in found
    ]
    columns = ("speaker", "what is heard", "right of 20", "right word of 20")
    columns += ("own voice", "another's", "distortion", "length")
    nothing = "Nothing was held out of the training, or evaluation.clips is 0."
    return Table.cut(columns, rows, nothing, "quality/")


def _describe_quality(quality: Mapping[str, Any]) -> list[str]:
    def share(count: int | None) -> str:
        return "" if count is None else f"{count} of {quality['asked']}"

    other = quality["other_similarity"]
    return [
        share(quality["heard_sentences"]),
        share(quality["heard_words"]),
        f"{quality['own_similarity']:.2f}",
        "" if other is None else f"{other:.2f}",
        f"{quality['distortion']:.1f} dB",
        f"{quality['length_ratio']:.2f}",
    ]


def _embed_figures(folder: Path) -> list[dict[str, str]]:
    """Turn the figures of a directory into data URIs with their titles and descriptions."""
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
    columns = ("clip", "reason", "detail", "value", "where it came from")
    return Table.cut(columns, rows, "No clip was rejected.", file.name)


def _list_speakers(accepted: Sequence[Mapping[str, str]], registry: Mapping[str, Any]) -> Table:
    """Return clips and durations of every speaker, and the model's name for it."""
    clips, seconds = Counter(), Counter()
    for row in accepted:
        clips[row["speaker_id"], row["split"]] += 1
        seconds[row["speaker_id"]] += float(row["duration"])
    rows = [
        (
            speaker,
            entry["name"],
            "the source" if entry["label"] is not None else "the voice",
            clips[speaker, "train"],
            clips[speaker, "validation"],
            format_duration(seconds[speaker]),
        )
        for speaker, entry in registry["speakers"].items()
    ]
    columns = ("id", "name", "known from", "train", "validation", "speech")
    return Table.cut(columns, rows, "There are no speakers.", "speakers/registry.json")


def _list_characters(vocabulary: Sequence[Mapping[str, str]]) -> Table:
    rows = [
        (printable(row["character"]), row["name"], row["count"], row["clips"], row["status"])
        for row in vocabulary
        if row["status"] != "known"
    ]
    columns = ("character", "name", "times", "clips", "what became of it")
    nothing = "The base model knew every character."
    return Table.cut(columns, rows, nothing, "text/vocabulary.tsv")


def _sum_up_characters(vocabulary: Sequence[Mapping[str, str]]) -> str:
    unknown = sum(row["status"] != "known" for row in vocabulary)
    return (
        f"The transcripts use {len(vocabulary):,} different characters; "
        f"{unknown:,} of them the base model did not know as they are."
    )
