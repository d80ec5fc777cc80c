"""Section `dataset`: quality filters and split."""

from dataclasses import dataclass
from typing import Annotated, Literal

from lib.config.keys import STRICT, Share, bounds

Mode = Literal["reject", "flag", "off"]


@dataclass(frozen=True)
class DatasetSettings:
    """Quality filters and split.

    A filter is one of reject (the clip is left out), flag (it stays, and manifest.tsv says so) and
    off. By default a clip is left out only where it cannot be right, or is there already. Start
    so, listen to flagged clips, then choose. config/README.md has a table of all filters.
    """

    __pydantic_config__ = STRICT

    validation_share: Annotated[float, bounds(ge=0, le=0.5)] = 0.1
    """Share of each speaker's clips that is held out to watch the training."""
    max_rejected_share: Share = 0.3
    """Share of rejected clips above which the run stops.

    Then it is not the clips that are wrong.
    """
    speech_rate: Mode = "reject"
    """Filter: far more or fewer characters a second than usual for the speaker.

    A sign of a transcript that belongs to another recording.
    """
    speech_rate_factor: Annotated[float, bounds(gt=1)] = 3.0
    """How many times the speaker's usual rate is implausible.

    Where rates vary much anyway, more is allowed.
    """
    non_verbalised_symbols: Mode = "flag"
    """Filter: digits and symbols (5, %, +) that the section text does not write out.

    Nothing says how they are read. off, where they are letters of the spelling, such as tones
    written as digits.
    """
    annotations: Mode = "flag"
    """Filter: notes, markup and escapes in the transcript, which nobody speaks.

    [laughter], (music), <noise>, *coughs*, &amp;, a literal \\n. They are learnt as words where
    they stay.
    """
    clipped: Mode = "flag"
    """Filter: recordings whose tops were cut off by the recorder."""
    max_clipped_share: Share = 0.001
    """Share of samples in tops cut off above which a recording is clipped.

    0.001 is some tops a second.
    """
    noisy: Mode = "flag"
    """Filter: recordings with a loud background, which a voice learns as well."""
    min_snr: float = 15.0
    """Signal-to-noise ratio in dB below which a recording is noisy.

    Clean recordings have 25 and more.
    """
    mixed_speakers: Mode = "flag"
    """Filter: clips that begin with one speaker and end with another.

    Finds two in three of those with 3.5 s of speech or more.
    """
    min_intra_clip_similarity: Share = 0.7
    """Similarity of a clip's two parts below which they are by two speakers."""
    uncertain_speaker: Mode = "flag"
    """Filter: clips whose speaker is uncertain."""
    min_confidence: Share = 0.1
    """Confidence below which a clip's speaker is uncertain."""
    wrong_transcript: Mode = "flag"
    """Filter: clips that their text explains no better than texts of other clips do.

    Known once a run has checked the transcripts (evaluation.transcripts): results/transcripts has a
    page to listen to them, the worst first. With reject the next run leaves them out and trains on.
    """
    min_transcript_score: float = 0.5
    """Score below which a transcript is wrong.

    A text of another clip scores 0 on the average, with a standard deviation of 1.
    """
    duplicate_audio: Mode = "reject"
    """Filter: the same recording twice, also in another format, at another level or sample rate.

    The one that was there first stays.
    """
    duplicate_text: Mode = "flag"
    """Filter: the same text by the same speaker too often.

    Takes differ, and some do no harm; fifty teach that sentence alone, or come from a table with a
    cell copied down.
    """
    max_text_repeats: Annotated[int, bounds(ge=1)] = 5
    """How often a speaker may say a text."""
