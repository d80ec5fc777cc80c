"""The embedded tiny model."""

import torch
from transformers import VitsModel, VitsTokenizer

from lib.base_model.tiny import write_tiny_model
from lib.vits.synthesis import synthesize


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
