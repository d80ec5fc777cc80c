"""What replaces the parts of transformers that cannot be exported does the same."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from transformers import VitsModel

from lib.packs.graph import SynthesisGraph, invert_spline
from lib.synthesis.onnx_model import OnnxModel
from lib.synthesis.sound import Sound
from lib.synthesis.torch_model import TorchModel
from lib.vits.duration import rational_quadratic_spline

BINS = 10
numbers = st.floats(-3, 3, width=32)


@settings(max_examples=60)
@given(
    arrays.arrays(np.float64, (5,), elements=st.floats(-7, 7)),
    arrays.arrays(np.float64, (5, 3 * BINS - 1), elements=numbers),
)
def test_the_spline_is_undone(inputs, parameters):
    x, h = torch.from_numpy(inputs), torch.from_numpy(parameters)
    parts = (h[:, :BINS], h[:, BINS : 2 * BINS], h[:, 2 * BINS :])
    y, _ = rational_quadratic_spline(x, *parts, bound=5.0)
    torch.testing.assert_close(invert_spline(y, *parts, bound=5.0), x, rtol=1e-6, atol=1e-6)


def draw(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("speed", [1.0, 0.7])
def test_given_noise_is_used_as_torch_uses_its_own(voice, monkeypatch, speed):
    """The same noise at the same places, with the scales of the voice."""
    model, exported = (
        VitsModel.from_pretrained(voice.model, dtype=torch.float32).eval(),
        OnnxModel(voice.exported, 1),
    )
    ids = [0, 5, 0, 9, 0, 3, 0, 11, 0]
    config = model.config
    noise_w, noise = draw((1, 2, len(ids)), 1), draw((1, config.flow_size, 900), 2)
    monkeypatch.setattr(torch, "randn", lambda *shape: torch.from_numpy(noise_w))
    monkeypatch.setattr(torch, "randn_like", lambda x: torch.from_numpy(noise[..., : x.shape[-1]]))
    speaker = 0 if config.num_speakers > 1 else None
    with torch.no_grad():
        tokens = torch.tensor([ids])
        expected = model(tokens, speaker_id=speaker, speaking_rate=speed).waveform[0].numpy()
    feed = {"x": np.array([ids]), "x_length": np.array([len(ids)])}
    scales = (config.noise_scale, 1 / speed, config.noise_scale_duration)
    names = ("noise_scale", "length_scale", "noise_scale_w")
    feed |= {k: np.array([v], np.float32) for k, v in zip(names, scales, strict=True)}
    feed |= {"sid": np.array([0])} if speaker is not None else {}
    got = exported.session.run(None, feed | {"noise": noise, "noise_w": noise_w})[0][0]
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("tokens", [1, 2, 4, 5, 6, 9, 30])
def test_any_length_is_attended_to_as_by_transformers(voice, tokens):
    """Shorter than the window of relative positions, and longer."""
    model = VitsModel.from_pretrained(voice.model, dtype=torch.float32).eval()
    ids = torch.arange(tokens).remainder(model.config.vocab_size)[None]
    mask = torch.ones(1, tokens, 1)
    with torch.no_grad():
        expected = model.text_encoder(ids, padding_mask=mask).last_hidden_state
        changed = SynthesisGraph(model).model
        got = changed.text_encoder(ids, padding_mask=mask).last_hidden_state
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


def test_the_same_seed_gives_the_same_waveform_whatever_came_before(voice, monkeypatch):
    model = OnnxModel(voice.exported, 1)
    ids = [0, 5, 0, 9, 0, 3, 0]
    one = model.generate(ids, 0, Sound(seed=4))
    model.generate([0, 2, 0], 0, Sound(seed=9))
    assert np.array_equal(model.generate(ids, 0, Sound(seed=4)), one)
    # With too little noise at first, it is made again.
    monkeypatch.setattr("lib.synthesis.onnx_model._FRAMES_PER_TOKEN", 0.1)
    assert np.array_equal(model.generate(ids, 0, Sound(seed=4)), one)
    other = model.generate(ids, 0, Sound(seed=5))
    assert other.shape != one.shape or not np.array_equal(other, one)


def test_speed_noise_and_seed_are_those_of_torch(voice):
    ids = [0, 5, 0, 9, 0, 3, 0, 11, 0]
    for sound in (Sound(2.0, 0, 0), Sound(0.5, 0, 0, seed=3)):
        one, other = (
            m.generate(ids, 0, sound)
            for m in (TorchModel(voice.model), OnnxModel(voice.exported, 1))
        )
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=1e-5)
