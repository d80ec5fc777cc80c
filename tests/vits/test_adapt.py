"""Fitting speakers and vocabulary leaves what the model knows as it was."""

import pytest
import torch

from lib.config.training import LossWeights
from lib.vits.adapt import add_speakers, add_tokens, copy_speakers, warm_start
from lib.vits.model import backward_step, forward_step, prepare_for_training

IDS = torch.tensor([[0, 3, 0, 5, 0, 7, 0]])


def speak(model, speaker=None):
    model.eval()
    model.noise_scale = model.noise_scale_duration = 0.0
    with torch.no_grad():
        return model(IDS, speaker_id=speaker).waveform


@pytest.fixture
def centroids():
    return torch.nn.functional.normalize(torch.rand(3, 256), dim=1)


def test_new_speakers_sound_exactly_like_the_base_at_first(model, centroids):
    before = speak(model)
    multi = add_speakers(model, centroids)
    assert multi.config.num_speakers == 3
    for speaker in range(3):
        assert torch.equal(speak(multi, speaker), before)


def test_new_conditioning_learns(model, centroids, discriminator, batch, spectrogram):
    multi = prepare_for_training(add_speakers(model, centroids))
    step = forward_step(multi, discriminator, batch, spectrogram)
    backward_step(step, discriminator, step.counts, LossWeights())
    grown = {n: p.grad.abs().sum().item() for n, p in multi.named_parameters() if ".cond" in n}
    magnitudes = {n: g for n, g in grown.items() if not n.endswith("original1")}
    assert magnitudes
    # All but the second half of the last flow's unused outputs receive a signal.
    assert all(value > 0 for name, value in magnitudes.items() if "duration" not in name)
    assert all(torch.isfinite(p.grad).all() for p in multi.parameters() if p.grad is not None)


def test_speaker_table_differs_as_the_voices_do(model, centroids):
    rows = add_speakers(model, centroids).embed_speaker.weight.detach()
    torch.testing.assert_close(rows.mean(0), torch.zeros(256), atol=1e-5, rtol=0)
    assert rows.std().item() == pytest.approx(1.0, abs=0.01)
    centred = centroids - centroids.mean(0)
    cosines = torch.nn.functional.cosine_similarity(rows, centred)
    torch.testing.assert_close(cosines, torch.ones(3))


def test_one_speaker_stays_a_single_speaker_model(model, centroids):
    assert add_speakers(model, centroids[:1]) is model


def test_new_speakers_of_a_multi_speaker_base_start_as_known_ones(model, centroids):
    multi = add_speakers(model, centroids)
    with torch.no_grad():
        multi.decoder.cond.weight.add_(0.1)
    before = [speak(multi, speaker) for speaker in range(3)]
    more = copy_speakers(multi, [2, 0])
    assert more.config.num_speakers == 5
    for speaker, like in enumerate([0, 1, 2, 2, 0]):
        assert torch.equal(speak(more, speaker), before[like])
    assert not torch.equal(before[0], before[2])


def test_new_tokens_start_from_the_mean_of_related_ones(model):
    before = speak(model)
    table = model.text_encoder.embed_tokens.weight.detach().clone()
    larger = add_tokens(model, [[3, 5], [], [7]])
    rows = larger.text_encoder.embed_tokens.weight.detach()
    assert larger.config.vocab_size == len(rows) == 15
    assert torch.equal(rows[:12], table)
    torch.testing.assert_close(rows[12], (table[3] + table[5]) / 2)
    torch.testing.assert_close(rows[13], table.mean(0))
    assert torch.equal(rows[14], table[7])
    assert torch.equal(speak(larger), before)


def test_no_new_token_leaves_the_model_alone(model):
    assert add_tokens(model, []) is model


def test_fitting_is_reproducible(model, centroids):
    torch.manual_seed(1)
    one = add_speakers(model, centroids).state_dict()
    torch.manual_seed(2)
    two = add_speakers(model, centroids).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_warm_start_leaves_out_who_is_not_there_any_more(model, centroids):
    earlier = add_speakers(model, centroids)
    now = add_speakers(model, centroids[:2])
    warm_start(
        now,
        earlier.state_dict(),
        ({"a": 0, "gone": 1, "c": 2}, {"c": 0, "a": 1}),
        ({"x": 0, "gone": 5}, {"x": 3}),
    )
    old, new = earlier.embed_speaker.weight, now.embed_speaker.weight
    assert torch.equal(new, old[[2, 0]])
    tokens = earlier.text_encoder.embed_tokens.weight
    assert torch.equal(now.text_encoder.embed_tokens.weight[3], tokens[0])


def test_warm_start_of_one_speaker_from_several(model, centroids):
    earlier = add_speakers(model, centroids)
    with torch.no_grad():
        earlier.decoder.conv_pre.weight.add_(1.0)
    before = model.state_dict().keys()
    warm_start(model, earlier.state_dict(), ({"a": 0, "b": 1, "c": 2}, {"a": 0}), ({}, {}))
    assert model.state_dict().keys() == before
    assert torch.equal(model.decoder.conv_pre.weight, earlier.decoder.conv_pre.weight)


def test_warm_start_matches_rows_by_name(model, centroids):
    earlier = add_speakers(model, centroids[:2])
    with torch.no_grad():
        for parameter in earlier.parameters():
            parameter.add_(0.01)
    now = add_tokens(add_speakers(model, centroids), [[1]])
    fresh_speaker = now.embed_speaker.weight[0].detach().clone()
    fresh_token = now.text_encoder.embed_tokens.weight[12].detach().clone()
    tokens = {chr(97 + i): i for i in range(12)}
    warm_start(
        now,
        earlier.state_dict(),
        ({"a": 0, "b": 1}, {"new": 0, "b": 1, "a": 2}),
        (tokens, {**tokens, "z": 12}),
    )
    old, new = earlier.embed_speaker.weight, now.embed_speaker.weight
    assert torch.equal(new[2], old[0])
    assert torch.equal(new[1], old[1])
    assert torch.equal(new[0], fresh_speaker)
    assert torch.equal(now.text_encoder.embed_tokens.weight[12], fresh_token)
    assert torch.equal(
        now.text_encoder.embed_tokens.weight[:12], earlier.text_encoder.embed_tokens.weight
    )
    assert torch.equal(now.decoder.conv_pre.weight, earlier.decoder.conv_pre.weight)
