"""Find, read and write the discriminator that a training starts from."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from lib.base_model.hub import BaseSource, find_discriminators
from lib.base_model.weights import describe_fault
from lib.vits.convert import discriminator_from_original
from lib.vits.discriminator import discriminator_width

logger = logging.getLogger(__name__)

DISCRIMINATOR_FILE = "discriminator.safetensors"
# torch and safetensors raise these for a file that is damaged or has other content.
UNREADABLE = (KeyError, TypeError, RuntimeError, EOFError, UnpicklingError, SafetensorError)


def save_discriminator(
    weights: Mapping[str, torch.Tensor], periods: Sequence[int] | None, path: Path
) -> None:
    """Write a discriminator's weights, with its periods as metadata of the file.

    Its width is not written, because it follows from the shapes of the weights.
    """
    note = {"periods": " ".join(map(str, periods))} if periods else None
    save_file(dict(weights), path, metadata=note)


def choose_discriminator(
    base: BaseSource, choice: str
) -> tuple[str, dict[str, torch.Tensor] | None, tuple[int, ...] | None]:
    """Load the first file with a discriminator; that of the language `tir` has a generator.

    Returns
    -------
    tuple
        Origin, weights and periods; ``("fresh", None, None)`` if there is none. The periods are
        None if the file does not have them.
    """
    if choice != "fresh":
        for origin, path in find_discriminators(base):
            try:
                return origin, *read_discriminator(path)
            except (*UNREADABLE, ValueError) as error:
                logger.warning(
                    "The discriminator of %s is passed over: %s", origin, describe_fault(error)
                )
    return "fresh", None, None


def read_discriminator(path: Path) -> tuple[dict[str, torch.Tensor], tuple[int, ...] | None]:
    """Return a discriminator's weights, and its periods; None if the file does not have them."""
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            told = (file.metadata() or {}).get("periods", "")
            state = {name: file.get_tensor(name) for name in file.keys()}
        discriminator_width(state)
        return state, tuple(map(int, told.split())) or None
    state = torch.load(path, map_location="cpu", weights_only=True)
    return discriminator_from_original(state["model"], path.name), None
