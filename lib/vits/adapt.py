"""Fits a model's speaker table and vocabulary to a dataset without disturbing what it knows.

Adding speakers to a single-speaker model leaves its output unchanged at first: every new
conditioning layer starts at zero (as ControlNet does, arXiv 2302.05543, section 3.2), while the
speaker vectors differ from the start, so that gradients flow into the layers from step one. A
speaker who is added to a multi-speaker model starts as one of its voices.
"""

import logging
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers import VitsConfig, VitsModel

logger = logging.getLogger(__name__)

SPEAKER_CHANNELS = 256
"""Width of the speaker table of a model that had none: that of a resemblyzer embedding."""

_TOKENS = "text_encoder.embed_tokens.weight"
_SPEAKERS = "embed_speaker.weight"


def add_tokens(model: VitsModel, related: Sequence[Sequence[int]]) -> VitsModel:
    """Append tokens, each starting from the mean of related known ones.

    Parameters
    ----------
    related
        For each new token the ids of known tokens; none starts it from the mean of all.

    Returns
    -------
    VitsModel
        A model whose vocabulary has ``len(related)`` more rows; old ids keep their rows.
    """
    if not related:
        return model
    table = model.text_encoder.embed_tokens.weight.detach()
    rows = [table[list(ids)].mean(0) if ids else table.mean(0) for ids in related]
    state = model.state_dict()
    state[_TOKENS] = torch.cat([table, torch.stack(rows)])
    return _rebuild(model.config, {"vocab_size": len(state[_TOKENS])}, state)


def add_speakers(model: VitsModel, centroids: Tensor) -> VitsModel:
    """Give a single-speaker model one row per speaker.

    Parameters
    ----------
    centroids
        ``(speakers, 256)`` voice embeddings of the speakers.

    Returns
    -------
    VitsModel
        A model with ``len(centroids)`` speakers; the same one if that is one.
    """
    if len(centroids) < 2:
        return model
    state = {**model.state_dict(), _SPEAKERS: _speaker_rows(centroids)}
    changes = {"num_speakers": len(centroids), "speaker_embedding_size": SPEAKER_CHANNELS}
    adapted = _rebuild(model.config, changes, state)
    _zero_conditioning(adapted)
    return adapted


def copy_speakers(model: VitsModel, like: Sequence[int]) -> VitsModel:
    """Append speakers to a multi-speaker model, each as a copy of a known one.

    Parameters
    ----------
    like
        For each new speaker the row of the known one that it starts from.

    Returns
    -------
    VitsModel
        A model with ``len(like)`` more speakers; old ones keep their rows.
    """
    table = model.embed_speaker.weight.detach()
    rows = torch.cat([table, table[list(like)]])
    return _rebuild(
        model.config, {"num_speakers": len(rows)}, {**model.state_dict(), _SPEAKERS: rows}
    )


def warm_start(
    model: VitsModel,
    state: Mapping[str, Tensor],
    speakers: tuple[Mapping[str, int], Mapping[str, int]],
    vocabulary: tuple[Mapping[str, int], Mapping[str, int]],
) -> None:
    """Load an earlier training's weights into a model fitted to new data, in place.

    Parameters
    ----------
    state
        The earlier model's weights, in the training layout of `model`.
    speakers, vocabulary
        ``(earlier, now)`` maps from speaker id or token to row: rows are matched by name, new
        ones stay as the model has them.
    """
    merged = model.state_dict()
    fresh = [name for name in merged if name not in state]
    for name, value in state.items():
        if name in (_SPEAKERS, _TOKENS):
            earlier, now = speakers if name == _SPEAKERS else vocabulary
            for key, row in earlier.items():
                if name in merged and key in now:
                    merged[name][now[key]] = value[row]
        elif name in merged and merged[name].shape == value.shape:
            merged[name] = value
        else:
            fresh.append(name)
    model.load_state_dict(merged)
    if fresh:
        logger.info("Not taken from the earlier training: %s", ", ".join(sorted(set(fresh))))


def _rebuild(config: VitsConfig, changes: dict, state: Mapping[str, Tensor]) -> VitsModel:
    """Build a model with a changed configuration and put the old weights in."""
    new_config = VitsConfig.from_dict({**config.to_dict(), **changes})
    # New layers need some direction, and the same base must give the same one every time.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = VitsModel(new_config)
    missing, unexpected = model.load_state_dict(dict(state), strict=False)
    misfits = [name for name in missing if "cond" not in name] + unexpected
    if misfits:
        raise ValueError(f"weights do not fit the model: {', '.join(misfits)}")
    return model.eval()


def _speaker_rows(centroids: Tensor) -> Tensor:
    """Rows that differ as the voices do, with mean 0 and standard deviation 1."""
    vectors = centroids.float() - centroids.float().mean(0)
    return vectors / vectors.std().clamp(min=1e-8)


def _zero_conditioning(model: VitsModel) -> None:
    """Set every conditioning layer to zero; under weight norm, its magnitude."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # original1 is weight norm's direction: zero there would be 0 / 0.
            if ".cond" in name and not name.endswith("weight.original1"):
                parameter.zero_()
