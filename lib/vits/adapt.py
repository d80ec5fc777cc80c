"""Fit a model's speaker table and vocabulary to a dataset without changing its output.

A single-speaker model to which speakers are added has the same output at first, because every new
conditioning layer starts at zero (as in ControlNet, arXiv 2302.05543, section 3.2). The rows of the
speaker table differ from the start, so that the layers have gradients in the first step. A speaker
who is added to a multi-speaker model starts as a copy of one of its speakers.
"""

import logging
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers import VitsConfig, VitsModel

logger = logging.getLogger(__name__)

SPEAKER_CHANNELS = 256
"""Width of the speaker table of a model that had none; a resemblyzer embedding has as many."""

_TOKENS = "text_encoder.embed_tokens.weight"
_SPEAKERS = "embed_speaker.weight"


def add_tokens(model: VitsModel, related: Sequence[Sequence[int]]) -> VitsModel:
    """Append tokens to the vocabulary; each starts as the mean of related known ones.

    Parameters
    ----------
    related
        For each new token the ids of known tokens; without any, it starts as the mean of all.

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
        ``(speakers, 256)`` mean speaker embeddings.

    Returns
    -------
    VitsModel
        A model with ``len(centroids)`` speakers; `model` itself for a single speaker.
    """
    if len(centroids) < 2:
        return model
    state = {**model.state_dict(), _SPEAKERS: _speaker_rows(centroids)}
    changes = {"num_speakers": len(centroids), "speaker_embedding_size": SPEAKER_CHANNELS}
    adapted = _rebuild(model.config, changes, state)
    _zero_conditioning(adapted)
    return adapted


def copy_speakers(model: VitsModel, rows: Sequence[int]) -> VitsModel:
    """Append speakers to a multi-speaker model; each starts as a copy of a known one.

    Parameters
    ----------
    rows
        For each new speaker the row of the known one that is copied.

    Returns
    -------
    VitsModel
        A model with ``len(rows)`` more speakers; old ones keep their rows.
    """
    table = model.embed_speaker.weight.detach()
    table = torch.cat([table, table[list(rows)]])
    return _rebuild(
        model.config, {"num_speakers": len(table)}, {**model.state_dict(), _SPEAKERS: table}
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
        ``(earlier, now)`` maps from speaker id or token to row. Rows are matched by name; the rows
        of new names stay as they are in `model`.
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
    """Return a model with a changed configuration and the given weights."""
    new_config = VitsConfig.from_dict({**config.to_dict(), **changes})
    # The random weights of new layers must be the same every time.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = VitsModel(new_config)
    missing, unexpected = model.load_state_dict(dict(state), strict=False)
    unmatched = [name for name in missing if "cond" not in name] + unexpected
    if unmatched:
        raise ValueError(f"weights do not fit the model: {', '.join(unmatched)}")
    return model.eval()


def _speaker_rows(centroids: Tensor) -> Tensor:
    """Return the embeddings centred on their mean and scaled to standard deviation 1."""
    centred = centroids.float() - centroids.float().mean(0)
    return centred / centred.std().clamp(min=1e-8)


def _zero_conditioning(model: VitsModel) -> None:
    """Set every conditioning layer to zero; of a layer under weight norm, the magnitude."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # original1 is the direction of weight norm; a direction of zero would give 0 / 0.
            if ".cond" in name and not name.endswith("weight.original1"):
                parameter.zero_()
