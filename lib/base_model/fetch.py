"""Fetch the base model and write it in the layout of plain transformers.

The result is a folder with model, tokenizer, ``speakers.json``, a suitable discriminator if there
is one, and ``source.json`` (see `FetchedBase`).
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import VitsModel, VitsTokenizer

from lib.base_model.discriminator import (
    DISCRIMINATOR_FILE,
    UNREADABLE,
    choose_discriminator,
    save_discriminator,
)
from lib.base_model.hub import (
    SOURCE_FILE,
    TINY,
    BaseModelError,
    BaseSource,
    find_base_model,
    generator_file,
)
from lib.base_model.record import SPEAKERS_FILE, read_speakers
from lib.base_model.tiny import write_tiny_model
from lib.base_model.weights import describe_fault
from lib.files import atomic_directory, read_json, write_json
from lib.mms import HOP_LENGTH, SAMPLE_RATE, SPECTROGRAM_BINS
from lib.vits.convert import generator_from_original

logger = logging.getLogger(__name__)

_REMOTE_CODE = "auto_map"


@dataclass(frozen=True)
class FetchedBase:
    """Record of a fetched base model."""

    source: str
    """The configured source."""
    origin: str
    """Digest of the weights."""
    discriminator_origin: str
    """Origin of the discriminator; ``fresh`` if there is none."""
    discriminator_digest: str | None
    """Digest of its weights; None if there is none."""

    @classmethod
    def read(cls, directory: Path) -> "FetchedBase":
        """Read ``source.json``."""
        return cls(**read_json(directory / SOURCE_FILE))


def fetch_base_model(source: str, discriminator: str, output: Path) -> None:
    """Find a base model, download it if it is on the Hub, and write it.

    Parameters
    ----------
    source
        ``tiny``, a directory, or a Hub id.
    discriminator
        ``auto`` takes the most suitable that exists, ``fresh`` none.
    output
        Folder to write.

    Raises
    ------
    BaseModelError
        If the base does not exist or is of another kind.
    """
    base = find_base_model(source)
    with atomic_directory(output) as directory:
        found = _find_plain_directory(base, directory)
        model = _load_model(found, source)
        _check_analysis(model, source)
        speakers = read_speakers(found) or {
            f"base{row:03d}": {"index": row, "name": f"base{row:03d}"}
            for row in range(model.config.num_speakers)
        }
        write_json(directory / SPEAKERS_FILE, speakers)
        if found != directory:
            tokenizer = VitsTokenizer.from_pretrained(found)
            # It names programs of the base's author, which nothing here runs: the voice that is
            # passed on should not ask for them either.
            tokenizer.init_kwargs.pop(_REMOTE_CODE, None)
            vars(model.config).pop(_REMOTE_CODE, None)
            tokenizer.save_pretrained(directory)
            model.save_pretrained(directory)
        origin, weights, periods = choose_discriminator(base, discriminator)
        if weights is not None:
            save_discriminator(weights, periods, directory / DISCRIMINATOR_FILE)
        record = FetchedBase(
            source=source,
            origin=digest_weights(model.state_dict()),
            discriminator_origin=origin,
            discriminator_digest=digest_weights(weights) if weights else None,
        )
        write_json(directory / SOURCE_FILE, asdict(record))
    logger.info("%s is there; discriminator: %s", source, origin)


def digest_weights(weights: Mapping[str, torch.Tensor]) -> str:
    """Return a digest of weights, by their names and values."""
    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _load_model(found: Path, source: str) -> VitsModel:
    """Load weights, which may be stored in half precision, in fp32, in which they are trained."""
    try:
        return VitsModel.from_pretrained(found, dtype=torch.float32)
    except (*UNREADABLE, ValueError, OSError) as error:
        raise BaseModelError(
            f"base_model.source: {source} cannot be loaded: {describe_fault(error)}"
        ) from error


def _find_plain_directory(base: BaseSource, directory: Path) -> Path:
    """Return a transformers directory of the base; if there is none, write it to `directory`."""
    if base.name == TINY:
        write_tiny_model(directory)
        return directory
    if not base.original:
        return base.directory
    convert_original_directory(base, directory)
    return directory


def convert_original_directory(base: BaseSource, output: Path) -> None:
    """Convert an original MMS checkpoint (``G_*.pth, config.json, vocab.txt``) to transformers."""
    path = generator_file(base)
    hyperparameters = read_json(base.directory / "config.json")
    symbols = (base.directory / "vocab.txt").read_text("utf-8").split("\n")
    symbols = symbols[:-1] if symbols[-1] == "" else symbols
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        model = generator_from_original(state["model"], hyperparameters, len(symbols))
    except (*UNREADABLE, ValueError) as error:
        raise BaseModelError(f"base_model.source: {path}: {describe_fault(error)}") from None
    vocab_file = output / "vocab.json"
    vocab_file.write_text(json.dumps({s: i for i, s in enumerate(symbols)}), "utf-8")
    data = hyperparameters["data"]
    tokenizer = VitsTokenizer(
        str(vocab_file),
        pad_token=symbols[0],
        unk_token=symbols[0],
        add_blank=data.get("add_blank", True),
        normalize=True,
        phonemize=False,
        is_uroman=str(data.get("training_files", "")).endswith(".uroman"),
    )
    tokenizer.save_pretrained(output)
    model.save_pretrained(output)


def _check_analysis(model: VitsModel, source: str) -> None:
    config = model.config
    hop = int(torch.tensor(config.upsample_rates).prod())
    if (
        config.sampling_rate != SAMPLE_RATE
        or hop != HOP_LENGTH
        or config.spectrogram_bins != SPECTROGRAM_BINS
    ):
        raise BaseModelError(
            f"base_model.source: {source} works at {config.sampling_rate} Hz with hop {hop} and "
            f"{config.spectrogram_bins} bins; expected 16000 Hz, hop 256 and 513 bins as in every "
            "MMS-TTS voice"
        )
