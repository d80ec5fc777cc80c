"""Figures of a voice, measured on sounds whose figures are known."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lib.audio.wav import write_wav
from lib.evaluation.acoustics import mel_cepstral_distortion
from lib.evaluation.quality import Sentence, choose_sentences, measure_by_speaker, measure_quality
from lib.files import read_json
from tests.fixtures.base_model import folder, make_row, prepared, write_dataset  # noqa: F401

TIME = np.arange(32_000) / 16_000


def buzz(pitch, seconds=2.0, seed=0):
    """A harmonic sound, int16."""
    time = TIME[: int(seconds * 16_000)]
    wave = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 20))
    noise = np.random.default_rng(seed).normal(0, 0.01, len(time))
    return np.round(6_000 * (wave / np.abs(wave).max() + noise)).astype(np.int16)


SPEAKERS = {"first": "spk000", "second": "spk001", "third": "spk001"}


class FakeTest:
    """Recognises the texts that it is given, from the speakers who say them."""

    def __init__(self, sentences, words):
        self.sentences, self.words = sentences, words

    def can_test(self, text):
        return text != "unknown"

    def recognises_sentence(self, samples, text, speaker):
        return SPEAKERS[text] == speaker and text in self.sentences

    def recognises_word(self, samples, text, speaker):
        return SPEAKERS[text] == speaker and text in self.words


@pytest.fixture
def sounds(tmp_path):
    """Recordings of two speakers, two clips each."""
    paths = {}
    for name, pitch in (("a0", 110), ("a1", 115), ("b0", 240), ("b1", 250)):
        paths[name] = tmp_path / f"{name}.wav"
        write_wav(paths[name], buzz(pitch), 16_000)
    return paths


SENTENCES = [
    Sentence("a0", "first", "spk000"),
    Sentence("a1", "unknown", "spk000"),
    Sentence("b0", "second", "spk001"),
    Sentence("b1", "third", "spk001"),
]


def references(sounds):
    from lib.evaluation.quality import embed_speakers

    return embed_speakers(
        {s: [sounds[f"{s2}{i}"] for i in (0, 1)] for s, s2 in (("spk000", "a"), ("spk001", "b"))}
    )


def test_recordings_are_themselves(sounds):
    known = references(sounds)
    found = measure_by_speaker(SENTENCES, sounds, sounds, known, None)
    for quality in found.values():
        assert quality.own_similarity == pytest.approx(1.0, abs=1e-3)
        assert quality.other_similarity == pytest.approx(
            float(known["spk000"] @ known["spk001"]), abs=1e-3
        )
        assert (quality.distortion, quality.length_ratio) == (0.0, 1.0)
        assert (quality.sentences, quality.sentences_tested, quality.words_understood) == (
            2,
            0,
            None,
        )


def test_swapped_speakers_are_more_similar_to_the_other(sounds):
    swapped = {"a0": sounds["b0"], "a1": sounds["b1"], "b0": sounds["a0"], "b1": sounds["a1"]}
    for quality in measure_by_speaker(
        SENTENCES, swapped, sounds, references(sounds), None
    ).values():
        assert quality.other_similarity > quality.own_similarity


def test_intelligibility_is_counted_by_speaker(sounds):
    test = FakeTest({"first", "third"}, {"second", "third"})
    found = measure_by_speaker(SENTENCES, sounds, sounds, references(sounds), test)
    counts = {
        s: (q.sentences_tested, q.sentences_understood, q.words_understood)
        for s, q in found.items()
    }
    assert counts == {"spk000": (1, 1, 0), "spk001": (2, 1, 2)}


def test_distortion_and_length(sounds, tmp_path):
    speech = dict(sounds)
    for name, seconds in (("a0", 1.0), ("a1", 1.5)):
        speech[name] = tmp_path / f"short_{name}.wav"
        write_wav(speech[name], buzz(180, seconds), 16_000)
    quality = measure_by_speaker(SENTENCES[:2], speech, sounds, references(sounds), None)["spk000"]
    assert quality.length_ratio == pytest.approx(2.5 / 4)
    each = [
        mel_cepstral_distortion(buzz(180, seconds) / 32768, buzz(pitch) / 32768)
        for seconds, pitch in ((1.0, 110), (1.5, 115))
    ]
    assert quality.distortion == pytest.approx(np.median(each), abs=0.006)


def test_a_silent_voice_is_measured_as_badly_as_it_is(sounds, tmp_path):
    silent = tmp_path / "silent.wav"
    write_wav(silent, np.zeros(16_000, np.int16), 16_000)
    quality = measure_by_speaker(SENTENCES[:1], {"a0": silent}, sounds, references(sounds), None)[
        "spk000"
    ]
    assert quality.own_similarity < 0.7 and quality.distortion > 10


def test_one_speaker_has_no_other(sounds):
    known = {"spk000": references(sounds)["spk000"]}
    assert (
        measure_by_speaker(SENTENCES[:2], sounds, sounds, known, None)["spk000"].other_similarity
        is None
    )


def test_sentences_are_the_first_of_every_speaker_that_were_held_out(tmp_path):
    held_out = [make_row(n, f"text {n}", f"spk{n % 2:03d}", 0.6) for n in (5, 4, 3, 2, 7)]
    write_dataset(tmp_path / "data", [make_row(1, "learnt", "spk000", 0.6)], held_out)
    chosen = choose_sentences(tmp_path / "data", 2)
    assert [(s.clip, s.speaker) for s in chosen] == [
        ("clip02", "spk000"),
        ("clip04", "spk000"),
        ("clip03", "spk001"),
        ("clip05", "spk001"),
    ]
    assert choose_sentences(tmp_path / "data", 0) == []


def test_before_and_recordings_are_measured_alike(folder, prepared, tmp_path):  # noqa: F811
    """The fitted base model is measured in the same way as the recordings."""
    clips = tmp_path / "clips"
    (sentence,) = choose_sentences(folder / "dataset", 3)
    write_wav(clips / f"{sentence.clip}.wav", buzz(200, 1.0), 16_000)
    for name, model in (("before", prepared.directory), ("recordings", None)):
        measure_quality(
            model,
            folder / "dataset",
            clips,
            folder / "speakers/centroids.parquet",
            3,
            None,
            tmp_path / f"{name}.json",
        )
    before, recordings = (read_json(tmp_path / f"{n}.json") for n in ("before", "recordings"))
    assert recordings["spk001"]["distortion"] == 0 and recordings["spk001"]["length_ratio"] == 1
    assert before["spk001"]["distortion"] > 1
    assert before["spk001"]["sentences"] == recordings["spk001"]["sentences"] == 1


def test_nothing_held_out_gives_an_empty_table(folder, prepared, tmp_path):  # noqa: F811
    pq.write_table(pa.table({"speaker_id": ["s"], "vector": [[0.0] * 256]}), tmp_path / "c.parquet")
    output = tmp_path / "quality.json"
    measure_quality(
        None,
        folder / "dataset",
        tmp_path,
        tmp_path / "c.parquet",
        0,
        "english",
        output,
    )
    assert read_json(output) == {}
