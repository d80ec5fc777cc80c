"""The class that trains: what it promises of micro-batches, averages and clipping."""

import dataclasses

import pytest
import torch
from accelerate import Accelerator
from torch import nn
from transformers import VitsTokenizer

from lib.base_model.clips import load_clips
from lib.base_model.record import BaseModel
from lib.training.step import MovingAverage, TrainStep
from tests.fixtures.training import QUICK


@pytest.fixture
def train_step(base):
    train_step = TrainStep(QUICK, BaseModel.open(base), Accelerator(cpu=True))
    for module in train_step.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    for layer in train_step.model.text_encoder.encoder.layers:
        layer.attention.dropout = 0.0
    return train_step


@pytest.fixture
def clips(base, dataset):
    opened = BaseModel.open(base)
    tokenizer = VitsTokenizer.from_pretrained(base)
    return load_clips(dataset / "train", tokenizer, opened.speakers)


def gradients(train_step: TrainStep) -> dict[str, torch.Tensor]:
    networks = {"g": train_step.model, "d": train_step.discriminator}
    return {
        f"{key}.{name}": p.grad.clone()
        for key, network in networks.items()
        for name, p in network.named_parameters()
        if p.grad is not None
    }


@pytest.mark.parametrize("sizes", [(2, 2), (1, 3), (3, 1), (1, 1, 1, 1), (1, 2, 1)])
@pytest.mark.parametrize("learning", [("generator",), ("generator", "discriminator")])
def test_micro_batches_of_any_sizes_learn_what_one_batch_does(
    train_step,
    clips,
    fixed_noise,
    sizes,
    learning,
):
    """Every one of them counts: losses and gradients are those of a single micro-batch."""
    batch, start = [], 0
    for size in sizes:
        batch.append(clips[start : start + size])
        start += size
    whole = train_step.accumulate([clips[:4]], 0, learning)
    expected = gradients(train_step)
    losses = train_step.accumulate(batch, 0, learning)
    found = gradients(train_step)
    assert found.keys() == expected.keys() and any(k.startswith("g.") for k in found)
    assert any(k.startswith("d.") for k in found) == ("discriminator" in learning)
    for name, value in expected.items():
        limit = 2e-3 * float(value.abs().max()) + 1e-6
        assert float((found[name] - value).abs().max()) < limit, name
    assert losses.keys() == whole.keys()
    for name, value in whole.items():
        assert float(losses[name]) == pytest.approx(float(value), rel=1e-4), name


def test_gradients_of_an_earlier_batch_are_gone(train_step, clips, fixed_noise):
    train_step.accumulate([clips[:2]], 0)
    once = gradients(train_step)
    train_step.accumulate([clips[2:4]], 0)
    train_step.accumulate([clips[:2]], 0)
    for name, value in gradients(train_step).items():
        assert torch.equal(value, once[name]), name


def test_clipping_bounds_the_norm_and_keeps_the_direction(base, clips):
    norms, parts = {}, {}
    for limit in (None, 0.5):
        train_step = TrainStep(
            dataclasses.replace(QUICK, max_grad_norm=limit), BaseModel.open(base), Accelerator()
        )
        train_step.accumulate([clips[:2]], 0)
        norms[limit] = train_step._finish_gradients()
        parts[limit] = gradients(train_step)
    for key, name in (("g", "generator"), ("d", "discriminator")):
        before = {k: v for k, v in parts[None].items() if k.startswith(f"{key}.")}
        total = torch.sqrt(sum(v.square().sum() for v in before.values()))
        assert float(norms[None][name]) == pytest.approx(float(total), rel=1e-4)
        assert float(norms[0.5][name]) == pytest.approx(float(total), rel=1e-4)
        factor = min(1.0, 0.5 / float(total))
        for k, v in before.items():
            torch.testing.assert_close(parts[0.5][k], v * factor, rtol=1e-3, atol=1e-8)


# ---------------------------------------------------------------- moving average


def test_the_average_is_what_the_formula_gives():
    """By hand: 1/10 and 2/11 of the earlier average at first, `decay` at most."""
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    average = MovingAverage(layer, decay=0.15)
    values = []
    for step, weight in enumerate((2.0, 3.0, 5.0)):
        with torch.no_grad():
            layer.weight.fill_(weight)
        average.update(step)
        values.append(float(average.average["weight"]))
    # 0.1 x 1 + 0.9 x 2; then min(0.15, 2/11) = 0.15 of it and 0.85 x 3; then 0.15 and 0.85 x 5.
    assert values == pytest.approx([1.9, 0.15 * 1.9 + 0.85 * 3, 0.15 * 2.835 + 0.85 * 5])


def test_an_average_with_a_high_decay_rises_slowly_to_it():
    layer = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        layer.weight.fill_(0.0)
    average = MovingAverage(layer, decay=0.999)
    expected = 0.0
    for step in range(30):
        with torch.no_grad():
            layer.weight.fill_(float(step))
        average.update(step)
        share = (1 + step) / (10 + step)
        expected = share * expected + (1 - share) * step
    assert float(average.average["weight"]) == pytest.approx(expected, rel=1e-5)


def test_an_average_is_put_in_and_taken_out_again():
    layer = nn.Linear(2, 2)
    average = MovingAverage(layer, decay=0.5)
    before = {name: p.detach().clone() for name, p in layer.named_parameters()}
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(1.0)
    now = {name: p.detach().clone() for name, p in layer.named_parameters()}
    with average.applied():
        assert all(torch.equal(p, before[name]) for name, p in layer.named_parameters())
    other = {name: torch.full_like(p, 7.0) for name, p in now.items()}
    with average.applied(other):
        assert all((p == 7.0).all() for p in layer.parameters())
    assert all(torch.equal(p, now[name]) for name, p in layer.named_parameters())
    assert all(torch.equal(average.average[name], value) for name, value in before.items())
    assert all((value == 7.0).all() for value in other.values())
