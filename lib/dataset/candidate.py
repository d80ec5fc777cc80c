"""What is known of a clip that may come into the dataset, and why one does not."""

from dataclasses import dataclass

from lib.audio.measurement import Measurement
from lib.speakers.tables import Assignment
from lib.text.normalise import text_key


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
    """A clip with all that the quality filters ask for.

    Attributes
    ----------
    transcript
        As it was given, normalised.
    text
        What is trained of it.
    content_hash
        Digest of the recording's bytes.
    previously_accepted
        Whether it was in an earlier dataset: of equal clips these stay.
    non_verbalised
        Digits and symbols of the transcript that nobody said how to read.
    annotations
        Parts of the transcript that are probably not spoken, as `[laughter]`.
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

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.measured.duration

    @property
    def speaker_id(self) -> str:
        """Whose voice it is."""
        return self.speaker.speaker_id

    @property
    def characters(self) -> int:
        """Characters of the transcript, without spaces and punctuation."""
        return len(text_key(self.transcript).replace(" ", ""))

    @property
    def rate(self) -> float:
        """Characters a second."""
        return self.characters / self.duration

    def reject(self, reason: str, value: float, detail: str) -> Rejection:
        """Say why a quality filter rejects it."""
        return Rejection(self.clip, self.origin, "dataset", reason, value, detail)
