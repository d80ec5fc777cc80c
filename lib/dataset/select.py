"""Which clips are good enough to learn from: one reason and one number for each that is not."""

import logging
import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from lib.audio.measurement import Measurement
from lib.dataset.settings import DatasetSettings
from lib.speakers.tables import Assignment
from lib.text.normalise import normalise_text, text_key

logger = logging.getLogger(__name__)

# Rates of fewer clips say little about what is usual for a speaker; then all clips are asked.
ENOUGH_RATES = 20

# Seconds of silence around a word that make a clip slow, but not wrong.
HARMLESS_SILENCE = 2.0

# Median absolute deviations (as standard deviations of a normal distribution) that are too far.
TOO_MANY_DEVIATIONS = 5.0
DEVIATION_SCALE = 1.4826


# Reason of a clip that the user leaves out. It says nothing about the recordings.
EXCLUDED = "excluded_by_user"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a row of the source is not in the dataset.

    Attributes
    ----------
    clip
        Its id; None for a row that has none.
    origin
        Where the source has it.
    stage
        Which part of the workflow found it: `source`, `audio`, `text` or `dataset`; or `user`.
    reason
        In one word.
    value
        The number behind the reason, where there is one.
    detail
        In a sentence.
    """

    clip: str | None
    origin: str
    stage: str
    reason: str
    value: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A clip with all that the gates ask for."""

    clip: str
    origin: str
    text: str
    fingerprint: str
    duration: float
    speaker_id: str
    confidence: float

    @property
    def characters(self) -> int:
        """Number of characters, without spaces and punctuation."""
        return len(text_key(self.text).replace(" ", ""))

    @property
    def rate(self) -> float:
        """Characters a second."""
        return self.characters / self.duration


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


def select_clips(
    clips: Mapping[str, object],
    problems: Iterable[object],
    measurements: Mapping[str, Measurement],
    assignments: Mapping[str, Assignment],
    settings: DatasetSettings,
    excluded: Mapping[str, str],
    seniors: Collection[str] = (),
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
    """
    selection = Selection()
    for row in problems:
        selection.rejections.append(
            Rejection(row.clip, row.origin, "source", row.reason, None, row.detail)
        )
    for clip in sorted(clips):
        outcome = _exclude(clips[clip], excluded) or _admit(clips[clip], measurements, assignments)
        if isinstance(outcome, Rejection):
            selection.rejections.append(outcome)
        else:
            selection.accepted[clip] = outcome
    for mode, gate in (
        (settings.speech_rate, _implausible_rates(selection.accepted, settings)),
        (settings.uncertain_speaker, _uncertain_speakers(selection.accepted, settings)),
        (settings.duplicate_audio, _duplicates(selection.accepted, seniors)),
    ):
        if mode != "off":
            selection.judge(mode, list(gate))
    return selection


def _exclude(clip, excluded: Mapping[str, str]) -> Rejection | None:
    """Leave out what the user leaves out."""
    line = excluded.get(clip.id)
    return line and Rejection(clip.id, clip.origin, "user", EXCLUDED, None, line)


def _admit(
    clip, measurements: Mapping[str, Measurement], assignments: Mapping[str, Assignment]
) -> Candidate | Rejection:
    """Bring together what is known of a clip; what is not sound or has no text stays out."""
    measured = measurements.get(clip.id)
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
    speaker = assignments.get(clip.id)
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
        measured.duration,
        speaker.speaker_id,
        speaker.confidence,
    )


def _implausible_rates(
    accepted: Mapping[str, Candidate], settings: DatasetSettings
) -> Iterator[Rejection]:
    rates: dict[str, list[float]] = {}
    for candidate in accepted.values():
        rates.setdefault(candidate.speaker_id, []).append(candidate.rate)
    everyone = [rate for values in rates.values() for rate in values]
    if len(everyone) < ENOUGH_RATES:
        return
    usual = {
        speaker: _usual_rate(values if len(values) >= ENOUGH_RATES else everyone, settings)
        for speaker, values in rates.items()
    }
    for candidate in accepted.values():
        middle, factor = usual[candidate.speaker_id]
        silent = candidate.duration - candidate.characters * factor / middle
        if candidate.rate > middle * factor or silent > HARMLESS_SILENCE:
            yield Rejection(
                candidate.clip,
                candidate.origin,
                "dataset",
                "speech_rate",
                round(candidate.rate, 2),
                f"{candidate.rate:.1f} characters a second where {middle:.1f} are usual, and "
                f"{factor:.1f} times more or fewer implausible: does the transcript belong to "
                "this recording?",
            )


def _usual_rate(rates: Sequence[float], settings: DatasetSettings) -> tuple[float, float]:
    """Return the median rate, and by what factor a clip may differ from it."""
    middle = median(rates)
    deviation = median(abs(math.log(rate / middle)) for rate in rates) * DEVIATION_SCALE
    return middle, max(settings.speech_rate_factor, math.exp(TOO_MANY_DEVIATIONS * deviation))


def _uncertain_speakers(
    accepted: Mapping[str, Candidate], settings: DatasetSettings
) -> Iterator[Rejection]:
    for candidate in accepted.values():
        if candidate.confidence < settings.min_confidence:
            yield Rejection(
                candidate.clip,
                candidate.origin,
                "dataset",
                "uncertain_speaker",
                candidate.confidence,
                f"may not be {candidate.speaker_id}: another voice is as near",
            )


def _duplicates(accepted: Mapping[str, Candidate], seniors: Collection[str]) -> Iterator[Rejection]:
    first: dict[str, str] = {}
    for candidate in sorted(accepted.values(), key=lambda c: (c.clip not in seniors, c.clip)):
        original = first.setdefault(candidate.fingerprint, candidate.clip)
        if original != candidate.clip:
            yield Rejection(
                candidate.clip,
                candidate.origin,
                "dataset",
                "duplicate_audio",
                None,
                f"the same recording as {original}",
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
        logger.error("rejected: %s", rejection)
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
