"""Candidates for the dataset, and rejections."""

from dataclasses import dataclass

from lib.audio.measurement import Measurement
from lib.speakers.tables import Assignment
from lib.text.normalise import text_key


@dataclass(frozen=True, slots=True)
class Rejection:
    """The reason why a row of the source is not in the dataset.

    Attributes
    ----------
    clip
        Id of the clip; None for a row that has none.
    origin
        Place of the row in the source.
    stage
        The part of the workflow that rejects it: `source`, `audio`, `text` or `dataset`; or `user`.
    reason
        The reason in one word.
    value
        The measured value that led to the rejection; None if there is none.
    detail
        The reason in a sentence.
    """

    clip: str | None
    origin: str
    stage: str
    reason: str
    value: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A clip with all properties that the quality filters use.

    Attributes
    ----------
    transcript
        Transcript of the source, normalised.
    text
        The text that is trained.
    content_hash
        Digest of the recording's bytes.
    previously_accepted
        Whether it was in an earlier dataset; of equal clips these are kept.
    non_verbalised
        Digits and symbols of the transcript for which no reading is given.
    annotations
        Parts of the transcript that are probably not spoken, as `[laughter]`.
    transcript_score
        What an earlier run has found of transcript and recording, see
        `lib.evaluation.transcripts`; None where it has not judged the two.
    """

    clip: str
    origin: str
    transcript: str
    text: str
    content_hash: str
    measured: Measurement
    speaker: Assignment
    previously_accepted: bool = False
    non_verbalised: str = ""
    annotations: tuple[str, ...] = ()
    transcript_score: float | None = None

    @property
    def duration(self) -> float:
        """Duration in seconds."""
        return self.measured.duration

    @property
    def speaker_id(self) -> str:
        """Id of the speaker."""
        return self.speaker.speaker_id

    @property
    def characters(self) -> int:
        """Number of characters of the transcript, without spaces and punctuation."""
        return len(text_key(self.transcript).replace(" ", ""))

    @property
    def rate(self) -> float:
        """Characters per second."""
        return self.characters / self.duration

    def reject(self, reason: str, value: float, detail: str) -> Rejection:
        """Return the rejection of this clip by a quality filter."""
        return Rejection(self.clip, self.origin, "dataset", reason, value, detail)
