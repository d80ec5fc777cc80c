"""Our meter against independent ones, and the gain that follows from it."""

import av
import numpy as np
import pyloudnorm
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import freqz

from lib.audio import loudness
from lib.audio.loudness import gain_to, measure_level
from tests.audio.encoding import speechlike, tone

RATE = 16_000


def ebur128(samples: np.ndarray, rate: int) -> tuple[float, float]:
    """Return integrated loudness and true peak (dB) as FFmpeg's own filter sees them."""
    graph = av.filter.Graph()
    source = graph.add(
        "abuffer", f"sample_rate={rate}:sample_fmt=flt:channel_layout=mono:time_base=1/{rate}"
    )
    meter = graph.add("ebur128", "metadata=1:framelog=quiet:peak=true")
    sink = graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    source.push(frame)
    source.push(None)
    last = {}
    while True:
        try:
            found = sink.pull().metadata
        except (av.error.BlockingIOError, av.error.EOFError):
            break
        last = found if "lavfi.r128.I" in found else last
    return float(last["lavfi.r128.I"]), 20 * np.log10(float(last["lavfi.r128.true_peak"]))


def test_calibration_tone_of_the_standard():
    """BS.1770: a sine of 997 Hz at full scale reads -3.01 LKFS in one channel."""
    assert measure_level(tone(5, 48_000, 997, 1.0), 48_000).loudness() == pytest.approx(
        -3.01, abs=0.01
    )


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100, 48_000])
def test_agrees_with_pyloudnorm(rate):
    samples = speechlike(6, rate)

    ours = measure_level(samples, rate).loudness()

    assert ours == pytest.approx(pyloudnorm.Meter(rate).integrated_loudness(samples), abs=0.3)


def test_agrees_with_the_standard_at_its_own_rate():
    """Also for a clip at 16 kHz, where our filter is the one that is defined for 48 kHz."""
    spectrum = np.fft.rfft(speechlike(6, 48_000))
    spectrum[7000 * 6 :] = 0
    samples = np.fft.irfft(spectrum).astype(np.float32)

    expected, peak = ebur128(samples, 48_000)

    for rate in (48_000, RATE):
        level = measure_level(soxr.resample(samples, 48_000, rate), rate)
        assert level.loudness() == pytest.approx(expected, abs=0.02)
        assert level.peak() == pytest.approx(peak, abs=0.05)


def test_agrees_on_real_speech(real_speech):
    differences, peaks = [], []
    for path in sorted(real_speech.glob("*/*/*.wav"))[::7]:
        samples, rate = soundfile.read(path, dtype="float32")
        level = measure_level(samples, rate)
        differences.append(level.loudness() - pyloudnorm.Meter(rate).integrated_loudness(samples))
        peaks.append(level.peak() - ebur128(samples, rate)[1])

    assert len(differences) > 40
    assert np.abs(differences).max() < 0.25
    assert np.abs(peaks).max() < 0.1


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_the_filter_is_that_of_the_standard(rate):
    """BS.1770's coefficients for 48 kHz, at any rate: the response at a frequency is one."""
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285]
    high_pass = [1.0, -2.0, 1.0]
    feedback = ([1, -1.69065929318241, 0.73248077421585], [1, -1.99004745483398, 0.99007225036621])
    frequencies = np.fft.rfftfreq(4000, 1 / rate)

    expected = np.prod(
        [
            freqz(b, a, frequencies, fs=48_000)[1]
            for b, a in zip((shelf, high_pass), feedback, strict=True)
        ],
        axis=0,
    )

    assert loudness._k_weighting(4000, rate) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("samples", "block"),
    [(400, 400), (399, 40), (1000, 400), (1099, 400), (87, 40), (40, 40), (39, 39), (1, 1)],
)
def test_block_powers_are_those_of_a_loop(samples, block):
    """At 1 kHz: blocks of 400 samples, for short clips of 40, for the shortest the clip itself."""
    weighted = np.random.default_rng(7).normal(size=samples)
    starts = range(0, samples - block + 1, max(block // 4, 1))
    expected = [np.mean(weighted[start : start + block] ** 2) for start in starts]

    assert loudness._block_powers(weighted, 1000) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("phase", np.linspace(0, 1, 8))
@pytest.mark.parametrize("bend", [0.02, 2])
def test_highest_point_lies_between_the_points(phase, bend):
    """A parabola is read exactly, wide or narrow, on either side of the points and of zero."""
    curve = np.maximum(5 - bend * (np.arange(9) - 4 - phase / 2) ** 2, 0)
    assert loudness._highest_point(curve) == pytest.approx(5)
    assert loudness._highest_point(-curve) == pytest.approx(5)


@pytest.mark.parametrize("curve", [[0.5] * 5, [0.0] * 5, [0, 1, 1, 0], [3, 2, 1], [1, 2, 3]])
def test_highest_point_of_a_plateau_or_an_end_is_a_number(curve):
    with np.errstate(all="raise"):
        found = loudness._highest_point(np.array(curve, float))
    assert found == pytest.approx(max(curve), rel=0.2)


def test_true_peak_is_found_between_samples():
    """A sine at a quarter of the rate, 45 degrees off: every sample is 3 dB below the peak."""
    times = np.arange(RATE)
    samples = np.sin(np.pi / 2 * times + np.pi / 4).astype(np.float32)
    fade = np.clip(np.minimum(times, times[::-1]) / 800, 0, 1)

    level = measure_level((0.5 * fade * samples).astype(np.float32), RATE)

    assert level.peak() == pytest.approx(-6.02, abs=0.1)


def test_pauses_do_not_count():
    """The relative gate: a pause as long as the sentence must not make it louder."""
    spoken = tone(4, RATE, 1000, 0.1)
    with_pause = np.concatenate([spoken, np.zeros(4 * RATE, np.float32)])

    assert measure_level(with_pause, RATE).loudness() == pytest.approx(
        measure_level(spoken, RATE).loudness(), abs=0.3
    )


@pytest.mark.parametrize("seconds", [0.01, 0.05, 0.2, 0.39])
def test_clip_too_short_for_the_gate_has_an_active_level(seconds):
    samples = tone(seconds, RATE, 1000, 0.1)
    reference = measure_level(tone(4, RATE, 1000, 0.1), RATE).loudness()

    assert measure_level(samples, RATE).loudness() == pytest.approx(reference, abs=1.0)


def test_short_clip_is_measured_where_it_is_active():
    burst = np.concatenate([tone(0.1, RATE, 1000, 0.1), np.zeros(RATE // 4, np.float32)])
    steady = measure_level(tone(4, RATE, 1000, 0.1), RATE).loudness()

    assert measure_level(burst, RATE).loudness() == pytest.approx(steady, abs=1.5)


def test_silence_has_no_loudness():
    level = measure_level(np.zeros(RATE, np.float32), RATE)

    assert level.loudness() == -np.inf
    assert level.loudest() == -np.inf


def test_absolute_gate_moves_with_the_gain():
    """Quiet background below -70 LUFS counts once the clip is made louder."""
    voice, background = tone(1, RATE, 1000, 10**-2.4), tone(29, RATE, 1000, 10**-3.45)
    samples = np.concatenate([voice, background])
    level = measure_level(samples, RATE)
    assert level.loudness() == pytest.approx(measure_level(voice, RATE).loudness(), abs=1.5)

    gain_db = gain_to(level, -23.0)

    assert gain_db > -23.0 - level.loudness() + 5
    louder = (samples * 10 ** (gain_db / 20)).astype(np.float32)
    assert measure_level(louder, RATE).loudness() == pytest.approx(-23.0, abs=0.05)


@settings(max_examples=40)
@given(level=st.floats(1e-4, 0.5), gain_db=st.floats(-30, 30), seconds=st.floats(0.5, 3))
def test_loudness_and_peak_follow_the_gain(level, gain_db, seconds):
    samples = speechlike(seconds, RATE, level)
    louder = (samples * 10 ** (gain_db / 20)).astype(np.float32)

    before, after = measure_level(samples, RATE), measure_level(louder, RATE)

    assert after.loudness() == pytest.approx(before.loudness(gain_db), abs=0.01)
    assert after.peak() == pytest.approx(before.peak(gain_db), abs=0.01)
