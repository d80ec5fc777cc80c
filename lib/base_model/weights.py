"""Read the averaged weights of a checkpoint, with its speakers and vocabulary.

A checkpoint is a folder with ``state.json``, which has the checksums of all other files, and
``ema.safetensors``, the moving average of the generator's weights. Its other files are used by the
training alone (`lib.training.checkpoint`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from lib.files import parse_json

# Names in checkpoints of versions before 0.2, from which a training can resume, and present names.
_EARLIER_NAMES = {
    "progress": "state",
    "recipe": "signature",
    "window": "batch",
    "micro_batch": "micro_batch_clips",
    "memory_budget": "micro_batch_budget",
}
STATE_FILE = "state.json"
AVERAGE_FILE = "ema.safetensors"


class DamagedCheckpointError(ValueError):
    """A checkpoint whose files are missing or do not match their checksums."""


@dataclass(frozen=True)
class TrainedWeights:
    """Averaged weights of a checkpoint."""

    average: Mapping[str, Tensor]
    epoch: int
    speakers: Mapping[str, int]
    """Row in the speaker table by speaker id."""
    vocabulary: Mapping[str, int]
    """Token id by character."""


def read_trained_weights(checkpoint: Path) -> TrainedWeights:
    """Read the averaged weights of a checkpoint onto the CPU.

    Raises
    ------
    DamagedCheckpointError
        If a file is missing or does not match its checksum.
    """
    record = read_record(checkpoint)
    check_file(checkpoint / AVERAGE_FILE, record["checksums"].get(AVERAGE_FILE))
    signature = record["signature"]
    return TrainedWeights(
        average=load_file(checkpoint / AVERAGE_FILE),
        epoch=record["state"]["epoch"],
        speakers=signature["speakers"],
        vocabulary=signature["vocabulary"],
    )


def read_record(checkpoint: Path) -> dict[str, Any]:
    """Read ``state.json``: the train state, the run signature, and the files' checksums.

    Raises
    ------
    DamagedCheckpointError
        If it cannot be read.
    """
    path = checkpoint / STATE_FILE
    try:
        record = rename_keys(parse_json(path.read_text("utf-8")), _EARLIER_NAMES)
        record["state"], record["signature"], record["checksums"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedCheckpointError(f"{path} cannot be read: {error}") from None
    return record


def rename_keys(record: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return a record with other names for some keys, at any depth."""
    return {
        names.get(key, key): rename_keys(value, names) if isinstance(value, dict) else value
        for key, value in record.items()
    }


def check_file(path: Path, checksum: str | None) -> None:
    """Check that a file exists and has the content of its checksum.

    Raises
    ------
    DamagedCheckpointError
        If it is missing or damaged.
    """
    if not path.is_file() or compute_checksum(path) != checksum:
        raise DamagedCheckpointError(f"{path} is missing or damaged")


def compute_checksum(path: Path) -> str:
    """Return the digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def describe_fault(error: Exception) -> str:
    """Return what is wrong with a file of weights.

    A pickled file may hold calls of any function, which torch refuses. Its own message goes on to
    advise how to run them.
    """
    if isinstance(error, UnpicklingError):
        return (
            "it is damaged, or holds more than weights, which could be a program: it is not loaded."
            " Take model.safetensors, or a file from its author"
        )
    return str(error)
