"""The likelihood of a text for a clip, against its definition on small cases."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.vits.clips import TrainingClip
from lib.vits.encoders import encode_text
from lib.vits.score import Latents, encode_latents, pad_texts, score_clips, score_texts


def enumerate_paths(frames: int, tokens: int):
    """Yield the durations of every monotonic path: the ways to cut the frames into tokens."""
    for cuts in itertools.combinations(range(1, frames), tokens - 1):
        yield np.diff([0, *cuts, frames])


def brute_force(model, values: torch.Tensor, ids: list[int]) -> tuple[float, np.ndarray]:
    """Return the highest likelihood of all paths, by torch's own normal distribution."""
    input_ids, num_tokens = pad_texts([ids], torch.device("cpu"))
    text = encode_text(model, input_ids, num_tokens)
    prior = torch.distributions.Normal(text.prior_means[0], torch.exp(text.prior_log_scales[0]))
    best = (-math.inf, None)
    for durations in enumerate_paths(values.shape[1], len(ids)):
        tokens = torch.from_numpy(np.repeat(np.arange(len(ids)), durations))
        spread = torch.distributions.Normal(prior.loc[:, tokens], prior.scale[:, tokens])
        best = max(best, (float(spread.log_prob(values).mean()), durations), key=lambda x: x[0])
    return best


@given(seed=st.integers(0, 1000), frames=st.integers(1, 8), tokens=st.integers(1, 4))
@settings(max_examples=25)
@torch.no_grad()
def test_the_score_is_the_best_of_all_paths(cached_model, seed, frames, tokens):
    generator = torch.Generator().manual_seed(seed)
    tokens = min(tokens, frames)
    values = torch.randn(cached_model.config.flow_size, frames, generator=generator)
    ids = torch.randint(0, 12, (tokens,), generator=generator).tolist()
    expected, durations = brute_force(cached_model, values, ids)
    latents = Latents(values.unsqueeze(0), torch.tensor([frames]))
    (score,) = score_texts(cached_model, latents, *pad_texts([ids], torch.device("cpu")))
    assert score.likelihood == pytest.approx(expected, rel=1e-5)
    assert score.durations.tolist() == durations.tolist()
    assert score.frame_likelihoods.mean() == pytest.approx(expected, rel=1e-5)


@pytest.fixture(scope="module")
def cached_model():
    from transformers import VitsModel

    from lib.base_model.tiny import tiny_config

    torch.manual_seed(0)
    return VitsModel(tiny_config(12)).eval()


@pytest.fixture
def clips(batch) -> list[TrainingClip]:
    return [
        TrainingClip(
            f"clip{i}",
            "",
            (batch.audio[i, : batch.num_samples[i]] * 32768).short().numpy(),
            batch.input_ids[i, : batch.num_tokens[i]].numpy(),
            0,
        )
        for i in range(len(batch))
    ]


def test_a_score_does_not_depend_on_the_other_clips(model, spectrogram, clips):
    together = score_clips(model, clips, spectrogram, batch_size=4)
    alone = [score_clips(model, [clip], spectrogram)[0] for clip in clips]
    for one, other, clip in zip(together, alone, clips, strict=True):
        assert one.likelihood == pytest.approx(other.likelihood, rel=1e-5)
        assert one.durations.tolist() == other.durations.tolist()
        assert one.durations.sum() == clip.num_frames() == len(one.frame_likelihoods)
        assert one.durations.min() >= 1


def test_scores_come_in_the_order_of_the_clips(model, spectrogram, clips):
    there = score_clips(model, clips, spectrogram, batch_size=2)
    back = score_clips(model, clips[::-1], spectrogram, batch_size=2)[::-1]
    assert [s.likelihood for s in there] == pytest.approx([s.likelihood for s in back], rel=1e-5)


def test_one_clip_is_compared_with_many_texts(model, spectrogram, batch, clips):
    one = batch.num_samples[:1]
    latents = encode_latents(
        model, batch.audio[:1, : one[0]], one, torch.zeros(1, dtype=torch.long), spectrogram
    )
    texts = [clip.input_ids for clip in clips]
    scores = score_texts(model, latents, *pad_texts(texts, model.device))
    assert len({round(score.likelihood, 6) for score in scores}) == len(texts)
    (own,) = score_clips(model, clips[:1], spectrogram)
    assert scores[0].likelihood == pytest.approx(own.likelihood, rel=1e-5)


def test_a_text_with_more_tokens_than_frames_explains_nothing(model, spectrogram, clips):
    long = TrainingClip("long", "", clips[0].audio, np.ones(63, dtype=np.int64), 0)
    assert long.num_frames() == 62
    none, own = score_clips(model, [long, clips[0]], spectrogram)
    assert none.likelihood == -np.inf
    assert len(none.durations) == len(none.frame_likelihoods) == 0
    assert np.isfinite(own.likelihood)


def test_nothing_is_drawn_at_random(model, spectrogram, clips):
    state = torch.get_rng_state()
    first = score_clips(model, clips, spectrogram)
    assert torch.equal(state, torch.get_rng_state())
    again = score_clips(model, clips, spectrogram)
    assert [s.likelihood for s in first] == [s.likelihood for s in again]
