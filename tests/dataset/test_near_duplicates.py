"""The same recording is found in any format; other recordings are not taken for it."""

import csv
import time

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.audio.audio_fingerprint import make_fingerprint, read_fingerprint
from lib.audio.decode import decode
from lib.audio.spectrum import make_spectrogram
from lib.dataset.near_duplicates import Match, find_near_duplicates, find_originals
from tests.audio.encoding import encode

RATE = 16_000


def random_print(random, count: int) -> np.ndarray:
    return random.integers(1, 2**16, count).astype(np.uint16)


def disturb(random, codes: np.ndarray, wrong: float) -> np.ndarray:
    bits = np.unpackbits(codes.view(np.uint8))
    return np.packbits(bits ^ (random.random(bits.size) < wrong)).view(np.uint16)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(40, 400),
    wrong=st.floats(0, 0.12),
    before=st.integers(0, 3),
    after=st.integers(0, 4),
    names=st.permutations(["one", "two"]),
)
def test_a_disturbed_copy_is_found_among_others(seed, count, wrong, before, after, names):
    random = np.random.default_rng(seed)
    prints = {f"other_{i}": random_print(random, count + i % 7) for i in range(20)}
    prints[names[0]] = random_print(random, count)
    padding = np.zeros(before, np.uint16), np.zeros(after, np.uint16)
    copy = disturb(random, prints[names[0]], wrong)
    prints[names[1]] = np.concatenate([padding[0], copy, padding[1]])
    (match,) = find_near_duplicates(prints)
    assert (match.one, match.other) == ("one", "two")
    assert match.wrong_bits == pytest.approx(wrong, abs=0.06)


@pytest.mark.parametrize(
    "prints", [{}, {"a": [1, 2, 3]}, {"a": [], "b": []}, {"a": [0, 0], "b": [0]}]
)
def test_nothing_to_compare(prints):
    assert (
        find_near_duplicates({clip: np.array(codes, np.uint16) for clip, codes in prints.items()})
        == []
    )


def test_common_silence_is_no_similarity():
    random = np.random.default_rng(0)
    silence = np.zeros(200, np.uint16)
    prints = {
        clip: np.concatenate([silence, random_print(random, 12), silence]) for clip in "abcdef"
    }
    assert find_near_duplicates(prints) == []


def test_short_clips_must_agree_better():
    random = np.random.default_rng(0)
    for count, wrong, found in ((12, 0.0, 1), (12, 0.2, 0), (16, 0.05, 1), (16, 0.2, 0)):
        one = random_print(random, count)
        bits = np.unpackbits(one.view(np.uint8))
        bits[: round(wrong * bits.size)] ^= 1
        prints = {"one": one, "two": np.packbits(bits).view(np.uint16)}
        assert len(find_near_duplicates(prints)) == found, (count, wrong)


def test_thousands_of_clips_take_seconds():
    random = np.random.default_rng(0)
    prints = {f"c{i:05d}": random_print(random, random.integers(25, 300)) for i in range(5000)}
    for i in range(100):
        prints[f"d{i:05d}"] = disturb(random, prints[f"c{i:05d}"], 0.1)
    prints |= {f"many{i}": prints["c00100"].copy() for i in range(200)}
    start = time.process_time()
    matches = find_near_duplicates(prints)
    assert time.process_time() - start < 20
    pairs = {(m.one, m.other) for m in matches if not m.other.startswith("many")}
    assert len(pairs & {(f"c{i:05d}", f"d{i:05d}") for i in range(100)}) >= 99
    assert len(pairs) <= 100
    originals = find_originals(sorted(prints), matches)
    assert all(originals[f"many{i}"] == "c00100" for i in range(200))


def test_the_first_of_all_connected_is_the_original():
    pairs = [("d", "c"), ("b", "d"), ("x", "y"), ("z", "z")]
    matches = [Match(one, other, 0.1) for one, other in pairs]
    assert find_originals("abcdxyz", matches) == {"c": "b", "d": "b", "y": "x"}
    assert find_originals("zyxdcba", matches) == {"b": "d", "c": "d", "x": "y"}


# ---------------------------------------------------------------- recorded speech

FORMATS = {
    "opus": ("webm", "libopus", 48_000, "mono"),
    "opus-stereo": ("webm", "libopus", 48_000, "stereo"),
    "mp3": ("mp3", "libmp3lame", 44_100, "mono"),
    "mp3-22": ("mp3", "libmp3lame", 22_050, "mono"),
    "aac": ("adts", "aac", 48_000, "mono"),
    "flac": ("flac", "flac", 48_000, "mono"),
    "alaw": ("wav", "pcm_alaw", 8_000, "mono"),
}


def print_of(samples: np.ndarray) -> np.ndarray:
    return read_fingerprint(make_fingerprint(make_spectrogram(samples, RATE)) or "")


@pytest.fixture(scope="module")
def recordings(real_speech) -> dict[str, np.ndarray]:
    with (real_speech / "truth.csv").open(encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    return {name: decode((real_speech / name).read_bytes(), RATE, 60).samples for name in names}


def test_no_two_recordings_are_one(recordings):
    """AN4 and VCTK have many sentences that several speakers say, and some that one says twice."""
    assert (
        find_near_duplicates({name: print_of(samples) for name, samples in recordings.items()})
        == []
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_every_recording_is_found_in_every_format(recordings, kind):
    container, codec, rate, layout = FORMATS[kind]
    random = np.random.default_rng(len(kind))
    prints = {name: print_of(samples) for name, samples in recordings.items()}
    chosen = [name for name in sorted(recordings)[::6] if prints[name].size > 20]  # a second
    for name in chosen:
        gain = 10 ** (random.uniform(-12, 0) / 20)
        moved = soxr.resample(gain * recordings[name], RATE, rate)
        audio = encode(moved.clip(-1, 1), container, codec, rate, layout)
        prints[f"{name} again"] = print_of(decode(audio, RATE, 60).samples)
    found = {(match.one, match.other) for match in find_near_duplicates(prints)}
    assert found == {(name, f"{name} again") for name in chosen}


def test_files_of_other_formats_are_found(real_speech, recordings):
    prints = {}
    for path in sorted(real_speech.glob("formats/*")):
        prints[path.name] = print_of(decode(path.read_bytes(), RATE, 60).samples)
    originals = find_originals(sorted(prints), find_near_duplicates(prints))
    for name, original in originals.items():
        assert name.split(".")[0] == original.split(".")[0]
    assert len(prints) - len(originals) == len({name.split(".")[0] for name in prints})
