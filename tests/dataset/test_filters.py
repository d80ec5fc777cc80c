"""Every quality filter: what it rejects, with which value; it rejects, flags or is off."""

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import Source, read_rows

from lib.audio.measurement import Source as Origin
from lib.config.dataset import DatasetSettings
from lib.dataset.filters import FILTERS
from lib.dataset.select import check_rejected_share  # noqa: F401  (imports without a cycle)
from lib.text.normalise import find_non_verbalised

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def origin(clipped_share: float) -> dict:
    return {
        "container": "wav",
        "codec": "pcm_s16le",
        "sample_rate": 16000,
        "channels": 1,
        "duration": 1.0,
        "clipped_share": clipped_share,
    }


def fingerprint(seed: int, count: int = 60, wrong: float = 0.0, delay: int = 0) -> str:
    bits = np.random.default_rng(seed).integers(0, 2, count * 16, dtype=np.uint8)
    flips = np.random.default_rng(seed + 1000).random(bits.size) < wrong
    codes = np.packbits(bits ^ flips).view("<u2")
    return base64.b64encode(np.roll(codes, delay).tobytes()).decode()


@pytest.fixture
def source(tmp_path) -> Source:
    made = Source(tmp_path)
    for number in range(20):
        made.add(
            f"clip_{number:02d}",
            f"Sentence {LETTERS[number]}",
            audio_fingerprint=fingerprint(number),
        )
    return made


def add_speech_rate(source):
    source.add("bad", "a" * 30, duration=1.0)
    source.add("good", "b" * 20, duration=1.0)
    return {}, "30.0"


def add_non_verbalised_symbols(source):
    source.mapping = {"&": "and", "7": "seven"}
    source.add("bad", "It is 5% + 7")
    source.add("good", "Salt & 7 `days´")
    return {}, "3"


def add_annotations(source):
    source.add("bad", "Well [laugh] it {br}")
    source.add("good", "Well, it was.")
    return {}, "2"


def add_clipped(source):
    source.add("bad", "Sentence x", source=origin(0.0011))
    source.add("good", "Sentence y", source=origin(0.001))
    return {}, "0.0011"


def add_noisy(source):
    source.add("bad", "Sentence x", snr=14.9)
    source.add("good", "Sentence y", snr=15.0)
    return {}, "14.9"


def add_mixed_speakers(source):
    source.add("bad", "Sentence x")
    source.add("good", "Sentence y")
    source.similarity = {"bad": 0.6999, "good": 0.7}
    return {}, "0.6999"


def add_uncertain_speaker(source):
    source.add("bad", "Sentence x")
    source.add("good", "Sentence y")
    source.confidence = {"bad": 0.09, "good": 0.1}
    return {}, "0.09"


def add_wrong_transcript(source):
    source.add("bad", "Sentence x")
    source.add("good", "Sentence y")
    source.scores = {"bad": 0.49, "good": 0.5}
    source.write_scores()
    return {}, "0.49"


def add_duplicate_audio(source):
    source.build()  # so that its clips are there first
    source.add("bad", "Sentence x", audio_fingerprint=fingerprint(3, wrong=0.1, delay=1))
    source.add("good", "Sentence y", audio_fingerprint=fingerprint(3, wrong=0.45))
    return {}, "0.1"


def add_duplicate_text(source):
    for number in range(2):
        source.add(f"a_{number}", "The same")
    source.add("good", "The same", "spk001")
    source.add("bad", "the SAME!")
    return {"max_text_repeats": 2}, "3"


CASES = {
    name.removeprefix("add_"): case for name, case in globals().items() if name.startswith("add_")
}


def table(source, name: str, column: str) -> dict[str, str]:
    return {row["clip"]: row[column] for row in read_rows(source.root / name) if row[column]}


def test_every_filter_is_tried():
    modes = {key for key, value in vars(DatasetSettings()).items() if isinstance(value, str)}
    assert FILTERS.keys() == modes and tuple(FILTERS) == tuple(CASES)


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_rejects_flags_or_is_off(name, source):
    chosen, value = CASES[name](source)
    source.build(**chosen, **{name: "reject"})
    assert table(source, "rejected.tsv", "reason") == {"bad": name}
    assert table(source, "rejected.tsv", "stage") == {"bad": "dataset"}
    found = table(source, "rejected.tsv", "value")["bad"]
    assert float(found) == pytest.approx(float(value), abs=0.03 if name == "duplicate_audio" else 0)
    assert table(source, "rejected.tsv", "detail")["bad"]
    source.build(**chosen, **{name: "flag"})
    assert table(source, "rejected.tsv", "reason") == {}
    assert table(source, "manifest.tsv", "flags") == {"bad": name}
    source.build(**chosen, **{name: "off"})
    assert table(source, "rejected.tsv", "reason") == {}
    assert table(source, "manifest.tsv", "flags") == {}


def test_no_filter_rejects_what_was_not_measured(source):
    source.add("short", "Word", source=None, snr=None, audio_fingerprint=None)
    source.build(**dict.fromkeys(FILTERS, "reject"))
    assert table(source, "rejected.tsv", "reason") == {}


def test_the_physical_reason_comes_before_the_usual(source):
    source.add("bad", "a" * 90, duration=1.0)
    source.build()
    assert table(source, "rejected.tsv", "reason") == {"bad": "too_much_text"}


def test_a_chain_of_copies_leaves_the_first(source):
    for wrong, clip in ((0.15, "x_third"), (0.0, "y_second"), (0.12, "a_first")):
        source.add(clip, f"Text {clip}", audio_fingerprint=fingerprint(99, wrong=wrong))
    source.build()
    assert table(source, "rejected.tsv", "reason") == dict.fromkeys(
        ("x_third", "y_second"), "duplicate_audio"
    )
    assert "recording as a_first, encoded otherwise" in (source.root / "rejected.tsv").read_text()


def test_the_copy_that_was_there_before_stays(source):
    source.build()
    source.add("a_copy", "Text", audio_fingerprint=fingerprint(5, wrong=0.1))
    source.build()
    assert table(source, "rejected.tsv", "reason") == {"a_copy": "duplicate_audio"}


def test_takes_beyond_the_limit_are_the_new_ones(source):
    for number in range(5, 8):
        source.add(f"take_{number}", "The same")
    source.build()
    for number in range(4):
        source.add(f"take_{number}", "The same")
    source.build()
    assert table(source, "manifest.tsv", "flags") == {
        "take_2": "duplicate_text",
        "take_3": "duplicate_text",
    }


def test_more_tokens_than_frames_is_rejected_whatever_the_filters_say(source):
    """One second has 62 frames; a token is a letter, or a blank beside one."""
    source.add("bad", "a" * 31, duration=1.0)
    source.add("good", "b" * 30 + " ?!", duration=1.0)
    source.add("spaces", "a b " * 8, duration=1.0)
    source.build(speech_rate="off")
    assert table(source, "rejected.tsv", "reason") == {
        "bad": "too_much_text",
        "spaces": "too_much_text",
    }
    assert table(source, "rejected.tsv", "value") == {"bad": "63", "spaces": "63"}
    source.measured["bad"]["duration"] = 63 * 256 / 16_000
    source.build(speech_rate="off")
    assert "bad" not in table(source, "rejected.tsv", "reason")


def test_what_the_base_cannot_write_is_rejected(source):
    source.add("bad", "Sentence ж")
    source.build(text={"unknown_characters": "reject"})
    assert table(source, "rejected.tsv", "reason") == {"bad": "unknown_characters"}
    assert table(source, "manifest.tsv", "text").keys() == source.clips.keys() - {"bad"}
    assert "ж" in table(source, "rejected.tsv", "detail")["bad"]
    source.build()
    assert table(source, "manifest.tsv", "text")["bad"] == "sentence ж"


@pytest.mark.parametrize(
    ("text", "replaced", "found"),
    [
        ("Room 101", "", "101"),
        ("Room 101", "1", "0"),
        ("½ of €5 ≈ 3°", "", "½€5≈3°"),
        ("A&B, 5% #1 @x", "#", "&5%1@"),
        ("ngai\u0302 h\u0113 ˥ `a´ ^", "", ""),
        ("٣ and 五", "", "٣"),
        ("Ⅳ", "ⅳ", ""),
        ("no, none - at (all)!", "", ""),
    ],
)
def test_what_has_no_reading(text, replaced, found):
    assert find_non_verbalised(text, replaced) == found


def test_numbers_that_are_written_out_have_a_reading(source):
    source.add("plain", "It costs 21 crowns")
    source.add("date", "It was on 12.05.2024")
    source.build(text={"write_numbers": True})
    flags = table(source, "manifest.tsv", "flags")
    assert "plain" not in flags
    assert flags["date"] == "non_verbalised_symbols"


def test_what_is_not_spoken_is_named_per_clip(source, caplog):
    caplog.set_level("INFO")
    source.add("bad", "Well [laugh] it was &amp; [laugh]", duration=3.0)
    source.build()
    assert "flagged: bad: annotations: the text has [laugh], &amp;, which" in caplog.text
    source.build(annotations="reject")
    assert (
        "the text has [laugh], &amp;, which is probably not spoken"
        in (table(source, "rejected.tsv", "detail")["bad"])
    )


@settings(max_examples=50)
@given(st.text(max_size=30), st.sets(st.characters(categories=["Nd", "Sc", "Sm"]), max_size=4))
def test_what_is_mapped_is_spoken(text, replaced):
    found = find_non_verbalised(text, replaced)
    assert not set(found) & replaced
    assert not find_non_verbalised(text, set(text))


def test_the_stand_in_for_a_source_is_one():
    Origin(**origin(0.5))
