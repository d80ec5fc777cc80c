"""Which clips are good enough to learn from: one reason and one number for each that is not."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from lib.audio.measurement import Measurement
from lib.dataset.candidate import Candidate, Rejection
from lib.dataset.gates import GATES
from lib.dataset.settings import DatasetSettings
from lib.speakers.tables import Assignment
from lib.text.annotations import find_annotations
from lib.text.normalise import find_unspoken, normalise_text
from lib.text.numbers import NumberWriter

logger = logging.getLogger(__name__)

# Reason of a clip that the user leaves out. It says nothing about the recordings.
EXCLUDED = "excluded_by_user"
NO_NUMBERS = NumberWriter()


@dataclass(slots=True)
class Selection:
    """The clips that stay, with the gates that flag them, and those that do not."""

    accepted: dict[str, Candidate] = field(default_factory=dict)
    flags: dict[str, list[str]] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)

    def judge(self, mode: str, rejections: Iterable[Rejection]) -> None:
        """Let go of the clips a gate objects to, or flag them."""
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
    problems: Iterable[object],
    measurements: Mapping[str, Measurement],
    assignments: Mapping[str, Assignment],
    settings: DatasetSettings,
    excluded: Mapping[str, str],
    seniors: Collection[str] = (),
    replaced: Collection[str] = (),
    numbers: NumberWriter = NO_NUMBERS,
) -> Selection:
    """Pass every clip through the gates, one after the other.

    Parameters
    ----------
    clips
        Records with `id`, `text`, `fingerprint` and `origin`, by id.
    problems
        Rows of the source that are no clips: records with `clip`, `origin`, `reason`, `detail`.
    measurements
        Of every clip, by id.
    assignments
        Speaker of every converted clip, by id.
    settings
        See `DatasetSettings`.
    excluded
        The line by which the user leaves a clip out, by id.
    seniors
        Clips of an earlier dataset: of equal recordings these stay.
    replaced
        Characters that are written otherwise before the model reads them.
    numbers
        How numbers are written out before that.
    """
    selection = Selection()
    for row in problems:
        selection.rejections.append(
            Rejection(row.clip, row.origin, "source", row.reason, None, row.detail)
        )
    for clip in sorted(clips):
        outcome = _exclude(clips[clip], excluded) or _admit(
            clips[clip],
            measurements.get(clip),
            assignments.get(clip),
            senior=clip in seniors,
            find_unread=lambda text: find_unspoken(numbers.write(text), replaced),
        )
        if isinstance(outcome, Rejection):
            selection.rejections.append(outcome)
        else:
            selection.accepted[clip] = outcome
    for name, gate in GATES.items():
        if (mode := getattr(settings, name)) != "off":
            selection.judge(mode, list(gate(selection.accepted.values(), settings)))
    return selection


def _exclude(clip, excluded: Mapping[str, str]) -> Rejection | None:
    """Leave out what the user leaves out."""
    line = excluded.get(clip.id)
    return line and Rejection(clip.id, clip.origin, "user", EXCLUDED, None, line)


def _admit(
    clip,
    measured: Measurement | None,
    speaker: Assignment | None,
    *,
    senior: bool,
    find_unread: Callable[[str], str],
) -> Candidate | Rejection:
    """Bring together what is known of a clip; what is not sound or has no text stays out."""
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
    text = normalise_text(clip.text)
    if not any(c.isalnum() for c in text):
        detail = f"the transcript {clip.text!r} has no letter or digit"
        return Rejection(clip.id, clip.origin, "text", "missing_text", None, detail)
    if speaker is None:
        raise ValueError(
            f"clip {clip.id} ({clip.origin}) was converted but has no speaker: "
            "delete the embeddings and the speakers of the results and run again"
        )
    return Candidate(
        clip.id,
        clip.origin,
        text,
        clip.fingerprint,
        measured,
        speaker,
        senior,
        unspoken=find_unread(text),
        annotations=tuple(find_annotations(text)),
    )


def check_rejected_share(selection: Selection, settings: DatasetSettings) -> None:
    """Stop where too little is left, with a count of the reasons and the first of each.

    All rejections go to the log: the tables of a run that stops are removed by Snakemake.
    """
    rejected = sum(rejection.reason != EXCLUDED for rejection in selection.rejections)
    rows = rejected + len(selection.accepted)
    if selection.accepted and rejected <= settings.max_rejected_share * rows:
        return
    counts = Counter(f"{r.stage}/{r.reason}" for r in selection.rejections)
    first: dict[str, Rejection] = {}
    for rejection in selection.rejections:
        first.setdefault(f"{rejection.stage}/{rejection.reason}", rejection)
        # For the file alone: in the terminal thousands of them would hide the message.
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
