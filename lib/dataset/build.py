"""Build the dataset from converted clips, with a manifest and a table of rejected rows."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from lib.audio.table import read_measurements
from lib.config.dataset import DatasetSettings
from lib.dataset.assemble import Record, write_dataset
from lib.dataset.candidate import Candidate
from lib.dataset.select import Selection, check_rejected_share, select_clips
from lib.dataset.split import (
    TRAIN,
    VALIDATION,
    Decision,
    Utterance,
    read_decisions,
    split_texts,
    standing_splits,
    write_decisions,
)
from lib.dataset.transcript_scores import read_scores
from lib.speakers.tables import read_assignments, read_excluded
from lib.tables import one_line, write_table
from lib.text.normalise import hash_text, normalise_text
from lib.text.planned import read_planned_texts

logger = logging.getLogger(__name__)

MANIFEST_COLUMNS = (
    "clip",
    "status",
    "split",
    "speaker_id",
    "confidence",
    "duration",
    "transcript_score",
    "reason",
    "flags",
    "transcript",
    "text",
    "origin",
)
REJECTED_COLUMNS = ("clip", "origin", "stage", "reason", "value", "detail")


class ClipLike(Protocol):
    """The fields of a clip of the source that are used here."""

    id: str
    text: str
    content_hash: str
    origin: str


class InvalidRowLike(Protocol):
    """The fields of an invalid row of the source that are used here."""

    clip: str | None
    origin: str
    reason: str
    detail: str


def build_dataset(
    clips: Mapping[str, ClipLike],
    invalid_rows: Iterable[InvalidRowLike],
    wavs: Mapping[str, Path],
    measurements: Path,
    text: Path,
    assignments: Path,
    excluded: Path,
    settings: DatasetSettings,
    state: Path,
    transcript_scores: Path | None = None,
    *,
    dataset: Path,
    manifest: Path,
    rejected: Path,
) -> None:
    """Select the clips, divide them and write the dataset with its manifest.

    Parameters
    ----------
    clips
        Every clip of the source, by id.
    invalid_rows
        Rows of the source that cannot become clips.
    wavs
        Converted file of each clip.
    measurements
        Table of all clips' measurements.
    text
        Folder of the text plan.
    assignments
        Table of the speakers.
    excluded
        Table of the clips that the user excludes.
    settings
        See `DatasetSettings`.
    state
        Durable record of the split, updated.
    transcript_scores
        Durable record of what earlier runs have found of transcripts; it need not be there.
    dataset
        Directory of the `DatasetDict` to write.
    manifest
        Table to write, with status and texts of every clip.
    rejected
        Table to write, with the reason for every row that is not in the dataset.

    Raises
    ------
    ValueError
        If too many rows are rejected, or a clip is missing in a table.
    """
    decisions = read_decisions(state)
    selection = select_clips(
        clips,
        invalid_rows,
        read_measurements(measurements),
        read_planned_texts(text),
        read_assignments(assignments),
        settings,
        read_excluded(excluded),
        previously_accepted=decisions.keys(),
        scores={row.clip: row for row in read_scores(transcript_scores)},
    )
    check_rejected_share(selection, settings)
    made = _decide(selection.accepted.values(), decisions, settings.validation_share)
    _report_split(made)
    # The record is written first, so that the next run splits the clips in the same way if this one
    # is killed here.
    write_decisions(state, decisions | made)
    write_dataset(_collect_records(selection, made, wavs), dataset)
    _write_manifest(manifest, clips, selection, made)
    _write_rejected(rejected, selection)


def _decide(
    accepted: Iterable[Candidate], decisions: Mapping[str, Decision], share: float
) -> dict[str, Decision]:
    utterances = [Utterance(c.clip, hash_text(c.transcript), c.speaker_id) for c in accepted]
    splits = split_texts(utterances, share, standing_splits(decisions, share))
    return {u.clip: Decision(u.key, splits[u.key], share) for u in utterances}


def _report_split(made: Mapping[str, Decision]) -> None:
    sizes = Counter(decision.split for decision in made.values())
    logger.info("%d clips for training, %d for validation", sizes[TRAIN], sizes[VALIDATION])
    if not sizes[VALIDATION]:
        logger.warning(
            "no clip is for validation: %d clips are too few to spare one, so nothing will tell "
            "how the training goes on held-out speech",
            len(made),
        )


def _collect_records(
    selection: Selection, made: Mapping[str, Decision], wavs: Mapping[str, Path]
) -> dict[str, list[Record]]:
    records: dict[str, list[Record]] = {TRAIN: [], VALIDATION: []}
    for clip, candidate in sorted(selection.accepted.items()):
        records[made[clip].split].append(
            Record(
                clip,
                wavs[clip],
                candidate.text,
                candidate.transcript,
                candidate.speaker_id,
                candidate.duration,
            )
        )
    return records


def _write_rejected(path: Path, selection: Selection) -> None:
    rows = [(r.clip, r.origin, r.stage, r.reason, r.value, r.detail) for r in selection.rejections]
    rows.sort(key=lambda row: (row[0] or "", row[1]))
    write_table(path, REJECTED_COLUMNS, (map(one_line, row) for row in rows))


def _write_manifest(
    path: Path,
    clips: Mapping[str, ClipLike],
    selection: Selection,
    made: Mapping[str, Decision],
) -> None:
    reasons = {r.clip: r.reason for r in selection.rejections if r.stage != "source"}
    rows = []
    for clip in sorted(clips):
        candidate = selection.accepted.get(clip)
        transcript = normalise_text(clips[clip].text)
        origin = clips[clip].origin
        if candidate is None:
            outcome = ("rejected", None, None, None, None, None, reasons[clip], None)
            text = None
        else:
            split, flags = made[clip].split, ",".join(selection.flags.get(clip, ()))
            score = candidate.transcript_score
            figures = (f"{candidate.speaker.confidence:.4f}", f"{candidate.duration:.3f}", score)
            outcome = ("accepted", split, candidate.speaker_id, *figures, None, flags)
            text = candidate.text
        rows.append((clip, *outcome, transcript, text, origin))
    write_table(path, MANIFEST_COLUMNS, (map(one_line, row) for row in rows))
