"""Write a Hugging Face `DatasetDict` that contains the audio."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from lib.files import atomic_directory, full_disk_told

# Number of rows in memory at a time; 64 clips of 20 s take 40 MB.
BATCH_ROWS = 64


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the dataset; the audio is in the file `wav`."""

    id: str
    wav: Path
    text: str
    transcript: str
    speaker_id: str
    duration: float


def write_dataset(splits: Mapping[str, Sequence[Record]], directory: Path) -> None:
    """Write the records of every split so that `datasets.load_from_disk` reads them.

    The columns are `id, audio, text, transcript, speaker_id, duration`. `text` is the text that is
    trained, `transcript` that of the source. `audio` has the bytes of the WAV file and is not
    decoded on access, so that loading needs no torchcodec. Writing needs the memory of one batch of
    rows, for any number of hours.

    Parameters
    ----------
    splits
        Records of each split, by its name.
    directory
        Folder to write.
    """
    # Its import takes a second, and modules that only use `Record` do not need it.
    from datasets import Dataset, DatasetDict

    directory.parent.mkdir(parents=True, exist_ok=True)
    place = {"dir": directory.parent, "prefix": ".assemble.", "suffix": ".tmp"}
    with TemporaryDirectory(**place) as folder, full_disk_told(directory):
        tables = {}
        for name, records in splits.items():
            table = Path(folder) / f"{name}.arrow"
            _write_table(records, table)
            tables[name] = Dataset.from_file(str(table))
        # For a split without rows no file would be saved, and it could not be loaded.
        num_shards = {name: None if records else 1 for name, records in splits.items()}
        with atomic_directory(directory) as temporary:
            DatasetDict(tables).save_to_disk(str(temporary), num_shards=num_shards)


def _write_table(records: Sequence[Record], path: Path) -> None:
    """Write an Arrow stream with the dataset's features.

    Writing through `datasets` itself would encode the audio, which imports torchcodec.
    """
    from datasets import Audio, Features, Value

    schema = Features(
        {
            "id": Value("string"),
            "audio": Audio(decode=False),
            "text": Value("string"),
            "transcript": Value("string"),
            "speaker_id": Value("string"),
            "duration": Value("float64"),
        }
    ).arrow_schema
    with pa.ipc.new_stream(str(path), schema) as stream:
        for start in range(0, len(records), BATCH_ROWS):
            rows = [
                {
                    "id": record.id,
                    "audio": {"bytes": record.wav.read_bytes(), "path": f"{record.id}.wav"},
                    "text": record.text,
                    "transcript": record.transcript,
                    "speaker_id": record.speaker_id,
                    "duration": record.duration,
                }
                for record in records[start : start + BATCH_ROWS]
            ]
            stream.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
