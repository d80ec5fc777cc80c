"""Section `source`: recordings and transcripts."""

from dataclasses import dataclass, field

from lib.config.keys import STRICT, LanguageCode, Text


@dataclass(frozen=True)
class Columns:
    """Names of the source's columns; `column 1` and so on in a table without a header."""

    __pydantic_config__ = STRICT

    audio: str | None = None
    """Column of the recordings; null tries the usual names."""
    text: str | None = None
    """Column of the transcripts; null tries the usual names."""
    id: str | None = None
    """Column of the clips' names; null takes file names."""
    speaker: str | None = None
    """Column of known speakers, whose clips are not clustered; null clusters all clips."""
    session: str | None = None
    """Column of recording sessions; null has none.

    Two speakers who share no session are asked about sooner: they may be one person on two days.
    """


@dataclass(frozen=True)
class SourceSettings:
    """Where the recordings and transcripts are."""

    __pydantic_config__ = STRICT

    path: Text = "data/recordings"
    """A folder with recordings and transcripts.

    A dataset saved with `datasets.save_to_disk`, Parquet shards as downloaded from the Hub, a
    folder with metadata.csv / .jsonl / .parquet (column file_name), an LJSpeech-style folder
    (metadata.csv with id|text, audio in wavs/), Common Voice, NeMo or Kaldi. What it is is
    detected; README.md has the table.
    """
    language: LanguageCode = "und"
    """ISO 639-3 code of the language spoken.

    It decides lower case (Turkish I), how numbers are read, and goes into the model card.
    """
    columns: Columns = field(default_factory=Columns)
