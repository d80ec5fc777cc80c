"""Read the user's recordings and transcripts, in any of the usual forms on disk.

Importing this is fast, because pyarrow is imported only for sources that need it.
"""

from lib.corpus.clip import (
    AudioLocation,
    Clip,
    Columns,
    CorpusError,
    InvalidRow,
    Note,
    find_sessions,
)
from lib.corpus.corpus import Corpus, load_corpus, read_audio, read_corpus, save_corpus

__all__ = [
    "AudioLocation",
    "Clip",
    "Columns",
    "Corpus",
    "CorpusError",
    "Note",
    "InvalidRow",
    "find_sessions",
    "load_corpus",
    "read_audio",
    "read_corpus",
    "save_corpus",
]
