"""Where words and letters are: golden places, and what holds for every text."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from praatio import textgrid

from lib.audio.wav import write_wav
from lib.base_model.record import read_speakers
from lib.evaluation.__main__ import main
from lib.evaluation.time_files import format_srt, write_times
from lib.evaluation.times import Interval, find_silence, find_words, locate_text
from lib.files import write_json
from lib.synthesis.tokens import CharacterTokenizer

LOUD = np.zeros(100, dtype=bool)


def divide(text):
    """The tokens of a text: a blank before, between and after its characters."""
    return ["", *(token for character in text for token in (character, ""))]


def places(intervals):
    return [(i.text, i.start, i.end) for i in intervals]


def test_words_meet_at_the_space_where_nobody_pauses():
    # Tokens: blank a blank b blank space blank c blank, a frame each but the space with two.
    times = locate_text(divide("ab c"), [1, 1, 1, 1, 1, 2, 1, 1, 1], LOUD[:10], 0.1)
    # The space's own frames are 5 and 6.
    assert places(times.words) == [("ab", 0.0, 0.5), ("c", 0.5, 1.0)]
    # The blank before b is part of a.
    assert places(times.letters) == [("a", 0.0, 0.3), ("b", 0.3, 0.5), ("c", 0.5, 1.0)]
    assert times.duration == 1.0


def test_a_pause_parts_words_where_its_silence_is():
    durations = [1, 1, 1, 1, 1, 20, 1, 1, 1]
    silent = np.zeros(28, dtype=bool)
    silent[8:22] = True
    words = places(locate_text(divide("ab c"), durations, silent, 0.1).words)
    assert words == [("ab", 0.0, 0.8), ("c", 2.2, 2.8)]
    # Five silent frames are a plosive's.
    silent[13:] = False
    words = places(locate_text(divide("ab c"), durations, silent, 0.1).words)
    assert words == [("ab", 0.0, 0.5), ("c", 0.5, 2.8)]


def test_silence_at_both_ends_is_no_part_of_a_word():
    silent = np.zeros(20, dtype=bool)
    silent[:3] = silent[18:] = True
    times = locate_text(divide("ab"), [3, 2, 2, 5, 8], silent, 0.1)
    assert places(times.words) == [("ab", 0.3, 1.8)]
    assert places(times.letters) == [("a", 0.3, 0.7), ("b", 0.7, 1.8)]


def test_a_model_without_blanks_has_a_token_a_letter():
    times = locate_text(list("ab c"), [2, 3, 1, 4], LOUD[:10], 0.1)
    assert places(times.words) == [("ab", 0.0, 0.5), ("c", 0.5, 1.0)]
    assert places(times.letters)[:2] == [("a", 0.0, 0.2), ("b", 0.2, 0.5)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a river, again.", ["a", "river", "again"]),
        ("don't stop - it's well-kept 'so'", ["don't", "stop", "it's", "well-kept", "so"]),
        ("ọlọ́run  22", ["ọlọ́run", "22"]),
        ("?! ...", []),
        ("", []),
    ],
)
def test_words_are_letters_and_what_joins_them(text, words):
    assert [text[begin:end] for begin, end in find_words(text)] == words


def test_a_letter_without_blanks_of_its_own_has_a_place_too():
    # As in MMS vocabularies: k is the padding, at which texts are divided.
    tokens = CharacterTokenizer({"k": 0, "a": 1, " ": 2}, specials=("k",)).divide("kak k")
    assert tokens == ["k", "", "a", "", "k", "", " ", "", "k"]
    times = locate_text(tokens, [2, 1, 1, 1, 1, 1, 1, 1, 1], LOUD[:10], 0.1)
    assert places(times.words) == [("kak", 0.0, 0.7), ("k", 0.7, 1.0)]
    assert places(times.letters)[:3] == [("k", 0.0, 0.3), ("a", 0.3, 0.5), ("k", 0.5, 0.7)]


def test_other_numbers_of_tokens_and_frames_are_refused():
    with pytest.raises(ValueError, match="7 durations for the 5 tokens of 'ab'"):
        locate_text(divide("ab"), [1] * 7, LOUD[:7], 0.1)
    with pytest.raises(ValueError, match="have 5 frames, not 9"):
        locate_text(divide("ab"), [1] * 5, LOUD[:9], 0.1)


@given(st.data(), st.text("ab ,'", max_size=12))
def test_words_are_in_order_and_letters_fill_them(data, text):
    counts = st.lists(st.integers(1, 9), min_size=2 * len(text) + 1, max_size=2 * len(text) + 1)
    durations = data.draw(counts)
    frames = sum(durations)
    silent = np.array(data.draw(st.lists(st.booleans(), min_size=frames, max_size=frames)))
    times = locate_text(divide(text), durations, silent, 1.0)
    edges = [0.0, *(edge for word in times.words for edge in (word.start, word.end)), frames]
    assert edges == sorted(edges)
    assert "".join(letter.text for letter in times.letters) == "".join(w.text for w in times.words)
    letters = iter(times.letters)
    for word in times.words:
        own = [next(letters) for _ in word.text]
        assert (own[0].start, own[-1].end) == (word.start, word.end)
        assert [one.end for one in own[:-1]] == [other.start for other in own[1:]]
        assert all(letter.start <= letter.end for letter in own)


def test_what_is_far_below_the_loud_frames_is_silent():
    loud = np.sin(np.arange(256) * 0.3) * 10_000
    audio = np.concatenate([loud * gain for gain in (1, 1, 0.1, 0.04, 0, 1)] + [loud[:200]])
    assert find_silence(audio.astype(np.int16), 256).tolist() == [False] * 3 + [True] * 2 + [False]


def test_subtitles_are_counted_and_timed():
    words = [Interval(0.0, 0.25, "one"), Interval(3661.5, 3662.0, "two")]
    assert format_srt(words) == (
        "1\n00:00:00,000 --> 00:00:00,250\none\n\n2\n01:01:01,500 --> 01:01:02,000\ntwo\n"
    )


@pytest.fixture
def samples(tmp_path, base):
    folder = tmp_path / "samples"
    for speaker in read_speakers(base):
        (folder / speaker).mkdir(parents=True)
        noise = np.random.default_rng(0).normal(0, 3000, 16_000).astype(np.int16)
        write_wav(folder / speaker / "01.wav", noise, 16_000)
    write_json(folder / "texts.json", {"01": "Hello, there"})
    return folder


def test_every_clip_and_sample_has_three_files(base, dataset, samples, tmp_path):
    write_times(base, dataset, samples, tmp_path / "times")
    found = sorted(path.relative_to(tmp_path / "times") for path in tmp_path.glob("times/**/*.*"))
    names = [f"clips/clip{n:02d}" for n in range(6)]
    names += ["samples/spk000/01", "samples/spk001/01"]
    assert list(map(str, found)) == [
        f"{name}.{kind}" for name in names for kind in ("TextGrid", "json", "srt")
    ]
    times = json.loads((tmp_path / "times/clips/clip00.json").read_text("utf-8"))
    assert times["text"] == "hello there"
    assert times["duration"] == 0.8
    assert [word["text"] for word in times["words"]] == ["hello", "there"]
    spoken = json.loads((tmp_path / "times/samples/spk000/01.json").read_text("utf-8"))
    assert [word["text"] for word in spoken["words"]] == ["hello", "there"]
    grid = textgrid.openTextgrid(str(tmp_path / "times/clips/clip00.TextGrid"), False)
    assert grid.maxTimestamp == 0.8
    tier = grid.getTier("words")
    expected = [(w["start"], w["end"], w["text"]) for w in times["words"] if w["end"] > w["start"]]
    assert [tuple(entry) for entry in tier.entries] == expected


def test_the_command_writes_them_too(base, dataset, tmp_path):
    results = dataset.parent
    main([str(base), str(results), "--times", str(tmp_path / "times")])
    assert len(list(tmp_path.glob("times/clips/*.srt"))) == 6
    assert not (tmp_path / "times/samples").exists()


def test_a_voice_without_the_speakers_is_refused(base, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("lib.evaluation.time_files.read_speakers", lambda model: {})
    with pytest.raises(ValueError, match="spk00"):
        write_times(base, dataset, None, tmp_path / "times")
    assert not (tmp_path / "times").exists()
