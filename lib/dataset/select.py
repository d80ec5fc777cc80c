"""Select the clips of the dataset; each other row gets a rejection with its reason."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lib.audio.measurement import Measurement
from lib.config.dataset import DatasetSettings
from lib.dataset.candidate import Candidate, Rejection
from lib.dataset.filters import FILTERS
from lib.dataset.transcript_scores import ScoredTranscript
from lib.mms import HOP_LENGTH, SAMPLE_RATE
from lib.speakers.tables import Assignment
from lib.text.annotations import find_annotations
from lib.text.normalise import normalise_text
from lib.text.planned import PlannedText

logger = logging.getLogger(__name__)

# Reason of a clip that the user excludes. It does not count as a fault of the recordings.
EXCLUDED = "excluded_by_user"


@dataclass(slots=True)
class Selection:
    """The accepted clips, the flags of some of them, and the rejections of all others."""

    accepted: dict[str, Candidate] = field(default_factory=dict)
    flags: dict[str, list[str]] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)

    def apply(self, mode: str, rejections: Iterable[Rejection]) -> None:
        """Leave out the clips that a filter rejects, or flag them, by the filter's mode."""
        for rejection in rejections:
            if mode == "reject":
                self.rejections.append(rejection)
                del self.accepted[rejection.clip]
            else:
                self.flags.setdefault(rejection.clip, []).append(rejection.reason)
                logger.info(
                    "flagged: %s: %s: %s", rejection.clip, rejection.reason, rejection.detail
                )


def select_clips(
    clips: Mapping[str, object],
    invalid_rows: Iterable[object],
    measurements: Mapping[str, Measurement],
    texts: Mapping[str, PlannedText],
    assignments: Mapping[str, Assignment],
    settings: DatasetSettings,
    excluded: Mapping[str, str],
    previously_accepted: Collection[str] = (),
    scores: Mapping[str, ScoredTranscript] = MappingProxyType({}),
) -> Selection:
    """Pass every clip through the quality filters, one after the other.

    Parameters
    ----------
    clips
        Records with `id`, `text`, `content_hash` and `origin`, by id.
    invalid_rows
        Rows of the source that cannot become clips: records with `clip`, `origin`, `reason` and
        `detail`.
    measurements
        Measurements of every clip, by id.
    texts
        Planned text of every transcript, by id.
    assignments
        Speaker of every converted clip, by id.
    settings
        See `DatasetSettings`.
    excluded
        The line of the overrides by which a clip is excluded, by id.
    previously_accepted
        Clips of an earlier dataset; of equal recordings these are kept.
    scores
        What an earlier run has found of transcripts, by clip.

    Raises
    ------
    ValueError
        If a clip has no measurements, no planned text or no speaker.
    """
    selection = Selection()
    for row in invalid_rows:
        selection.rejections.append(
            Rejection(row.clip, row.origin, "source", row.reason, None, row.detail)
        )
    for clip in sorted(clips):
        outcome = _exclude(clips[clip], excluded) or _admit(
            clips[clip],
            measurements.get(clip),
            texts.get(clip),
            assignments.get(clip),
            previously_accepted=clip in previously_accepted,
            scored=scores.get(clip),
        )
        if isinstance(outcome, Rejection):
            selection.rejections.append(outcome)
        else:
            selection.accepted[clip] = outcome
    for name, find in FILTERS.items():
        if (mode := getattr(settings, name)) != "off":
            selection.apply(mode, list(find(selection.accepted.values(), settings)))
    return selection


def _exclude(clip, excluded: Mapping[str, str]) -> Rejection | None:
    """Return the rejection of a clip that the user excludes; None for others."""
    line = excluded.get(clip.id)
    return line and Rejection(clip.id, clip.origin, "user", EXCLUDED, None, line)


def _admit(
    clip,
    measured: Measurement | None,
    planned: PlannedText | None,
    speaker: Assignment | None,
    *,
    previously_accepted: bool,
    scored: ScoredTranscript | None,
) -> Candidate | Rejection:
    """Return a clip with its properties, or its rejection if it cannot be trained."""
    if measured is None:
        raise ValueError(
            f"clip {clip.id} ({clip.origin}) has no row in the table of measurements: "
            "delete the table and run again"
        )
    if measured.status != "ok":
        detail = measured.detail or ""
        return Rejection(
            clip.id, clip.origin, "audio", measured.reason or "rejected", measured.value, detail
        )
    if planned is None:
        raise ValueError(
            f"clip {clip.id} ({clip.origin}) has no row in the text plan: "
            "delete the folder text/ of the results and run again"
        )
    if planned.reason:
        return Rejection(clip.id, clip.origin, "text", planned.reason, None, planned.detail)
    frames = count_frames(measured.duration)
    if planned.tokens > frames:
        detail = (
            f"its text has {planned.tokens} tokens, and {measured.duration:.2f} s have only "
            f"{frames} frames: does the transcript belong to this recording?"
        )
        return Rejection(clip.id, clip.origin, "text", "too_much_text", planned.tokens, detail)
    if speaker is None:
        raise ValueError(
            f"clip {clip.id} ({clip.origin}) was converted but has no speaker: "
            "delete the embeddings and the speakers of the results and run again"
        )
    transcript = normalise_text(clip.text)
    holds = scored is not None and scored.holds_for(transcript, measured.duration)
    return Candidate(
        clip.id,
        clip.origin,
        transcript,
        planned.text,
        clip.content_hash,
        measured,
        speaker,
        previously_accepted,
        non_verbalised=planned.non_verbalised,
        annotations=tuple(find_annotations(transcript)),
        transcript_score=scored.score if holds else None,
    )


def count_frames(duration: float) -> int:
    """Return the number of spectrogram frames of a clip, for its duration in seconds.

    A monotonic alignment gives every token at least one frame. A text with more tokens than frames
    has no alignment.
    """
    return round(duration * SAMPLE_RATE) // HOP_LENGTH


def check_rejected_share(selection: Selection, settings: DatasetSettings) -> None:
    """Stop if too many rows are rejected, with a count of the reasons and the first row of each.

    All rejections are logged, because Snakemake removes the tables of a run that stops.

    Raises
    ------
    ValueError
        If more than `max_rejected_share` of the rows are rejected, or no clip is left.
    """
    rejected = sum(rejection.reason != EXCLUDED for rejection in selection.rejections)
    rows = rejected + len(selection.accepted)
    if selection.accepted and rejected <= settings.max_rejected_share * rows:
        return
    counts = Counter(f"{r.stage}/{r.reason}" for r in selection.rejections)
    first: dict[str, Rejection] = {}
    for rejection in selection.rejections:
        first.setdefault(f"{rejection.stage}/{rejection.reason}", rejection)
        # These lines are for the log file. In the terminal they would hide the message.
        logger.info(
            "rejected: %s (%s): %s: %s",
            rejection.origin,
            rejection.clip or "no clip",
            rejection.reason,
            rejection.detail,
        )
    reasons = "; ".join(
        f"{count} {reason} (first: {first[reason].origin}: {first[reason].detail})"
        for reason, count in counts.most_common()
    )
    if not selection.accepted:
        rows = len(selection.rejections)
        raise ValueError(f"no clip is left for the dataset: of {rows} rows {reasons or 'none'}")
    raise ValueError(
        f"{rejected} of {rows} rows were rejected, more than dataset.max_rejected_share "
        f"({settings.max_rejected_share:.0%}) allows: {reasons}. The log names every one; mend "
        "the source, or raise the share if this is how the recordings are"
    )
