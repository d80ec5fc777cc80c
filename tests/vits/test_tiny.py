"""The embedded tiny model and synthesis."""

import torch
from transformers import VitsModel, VitsTokenizer

from lib.vits.synthesis import synthesize
from lib.vits.tiny import write_tiny_model


def test_same_seed_same_model_whatever_was_drawn_before(tmp_path):
    write_tiny_model(tmp_path / "one")
    torch.rand(3)
    write_tiny_model(tmp_path / "two")
    one, two = ((tmp_path / d / "model.safetensors").read_bytes() for d in ("one", "two"))
    assert one == two
    assert len(one) < 12_000_000


def test_tiny_model_loads_and_speaks(tmp_path):
    write_tiny_model(tmp_path)
    model = VitsModel.from_pretrained(tmp_path)
    tokenizer = VitsTokenizer.from_pretrained(tmp_path)
    ids = tokenizer("hello").input_ids
    assert len(ids) == 11
    assert ids[::2] == [0] * 6
    waveform = synthesize(model, ids, seed=1)
    assert waveform.dim() == 1
    assert torch.isfinite(waveform).all()


def test_synthesis_depends_on_its_seed_and_leaves_noise_and_mode_alone(model):
    model.train()
    state = torch.get_rng_state()
    one = synthesize(model, [0, 1, 0, 2, 0], seed=4)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert torch.equal(synthesize(model, [0, 1, 0, 2, 0], seed=4), one)
    other = synthesize(model, [0, 1, 0, 2, 0], seed=5)
    assert one.shape != other.shape or not torch.equal(one, other)
