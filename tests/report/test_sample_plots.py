import numpy as np

from lib.audio.wav import write_wav
from lib.report.plot_style import read_description
from lib.report.sample_plots import MAX_SPEAKERS, compute_mel, plot_samples
from tests.fixtures.made_run import hum
from tests.fixtures.svg import count_pictures, texts


def draw(run):
    output = run.folder / "report/voices"
    plot_samples(
        run.folder / "samples",
        run.folder / "manifest.tsv",
        run.folder / "clips",
        run.folder / "speakers/registry.json",
        output,
    )
    return output / "spectrograms.svg"


def test_each_speaker_has_a_sample_and_a_recording(run):
    run.names = {"spk001": "Anna"}
    path = draw(run.write())
    assert {
        "spk000: new voice",
        "recording clip_spk000_0",
        "spk001 · Anna: new voice",
        "recording clip_spk001_0",
    } <= set(texts(path))
    assert count_pictures(path) == 4


def test_one_speaker_without_recordings(run):
    run.clips_per_speaker = {"spk000": 0}
    path = draw(run.write())
    assert "no recording" in texts(path)
    assert count_pictures(path) == 1


def test_many_speakers_are_cut(run):
    run.clips_per_speaker = {f"spk{number:03d}": 1 for number in range(MAX_SPEAKERS + 2)}
    path = draw(run.write())
    assert count_pictures(path) == 2 * MAX_SPEAKERS
    assert f"The first {MAX_SPEAKERS} of {MAX_SPEAKERS + 2} speakers" in read_description(path)[1]


def test_mel_of_a_tone_has_its_peak_there(tmp_path):
    write_wav(tmp_path / "tone.wav", hum(1.0), 16_000)
    mel, seconds = compute_mel(tmp_path / "tone.wav")
    assert mel.shape == (80, 62) and seconds == 1.0
    # 440 Hz of 8,000 Hz on the slaney scale of 80 bands, linear below 1,000 Hz.
    assert 10 <= mel.mean(axis=1).argmax() <= 13


def test_mel_of_very_short_sounds(tmp_path):
    write_wav(tmp_path / "short.wav", np.ones(100, dtype=np.int16), 16_000)
    mel, seconds = compute_mel(tmp_path / "short.wav")
    assert mel.shape == (80, 1) and seconds == 100 / 16_000
