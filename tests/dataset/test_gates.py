"""Every gate: what it objects to, with which number, and that it can reject, flag or be off."""

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import Source, read_rows

from lib.audio.measurement import Source as Origin
from lib.dataset.gates import GATES
from lib.dataset.select import check_rejected_share  # noqa: F401  (imports without a cycle)
from lib.dataset.settings import GATES as NAMES
from lib.dataset.settings import DatasetSettings
from lib.text.normalise import find_unspoken
from lib.text.numbers import NumberWriter

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


def soundprint(seed: int, count: int = 60, wrong: float = 0.0, delay: int = 0) -> str:
    bits = np.random.default_rng(seed).integers(0, 2, count * 16, dtype=np.uint8)
    flips = np.random.default_rng(seed + 1000).random(bits.size) < wrong
    codes = np.packbits(bits ^ flips).view("<u2")
    return base64.b64encode(np.roll(codes, delay).tobytes()).decode()


@pytest.fixture
def source(tmp_path) -> Source:
    made = Source(tmp_path)
    for number in range(20):
        made.add(f"clip_{number:02d}", f"Sentence {LETTERS[number]}", soundprint=soundprint(number))
    return made


def add_too_much_text(source):
    source.add("bad", "a" * 31, duration=1.0)  # 63 tokens, 62 frames
    source.add("good", "b" * 30 + " ?!", duration=1.0)
    return {"speech_rate_factor": 10.0}, "63"


def add_speech_rate(source):
    source.add("bad", "a" * 30, duration=1.0)
    source.add("good", "b" * 20, duration=1.0)
    return {}, "30.0"


def add_unspoken_characters(source):
    source.replaced = ("&", "7")
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


def add_mixed_voices(source):
    source.add("bad", "Sentence x")
    source.add("good", "Sentence y")
    source.agreement = {"bad": 0.6999, "good": 0.7}
    return {}, "0.6999"


def add_uncertain_speaker(source):
    source.add("bad", "Sentence x")
    source.add("good", "Sentence y")
    source.confidence = {"bad": 0.09, "good": 0.1}
    return {}, "0.09"


def add_duplicate_audio(source):
    source.build()  # so that its clips are there first
    source.add("bad", "Sentence x", soundprint=soundprint(3, wrong=0.1, delay=1))
    source.add("good", "Sentence y", soundprint=soundprint(3, wrong=0.45))
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


def test_every_gate_is_tried():
    assert tuple(GATES) == NAMES == tuple(CASES)


@pytest.mark.parametrize("gate", NAMES)
def test_a_gate_rejects_flags_or_is_off(gate, source):
    chosen, value = CASES[gate](source)
    source.build(**chosen, **{gate: "reject"})
    assert table(source, "rejected.tsv", "reason") == {"bad": gate}
    assert table(source, "rejected.tsv", "stage") == {"bad": "dataset"}
    found = table(source, "rejected.tsv", "value")["bad"]
    assert float(found) == pytest.approx(float(value), abs=0.03 if gate == "duplicate_audio" else 0)
    assert table(source, "rejected.tsv", "detail")["bad"]
    source.build(**chosen, **{gate: "flag"})
    assert table(source, "rejected.tsv", "reason") == {}
    assert table(source, "manifest.tsv", "flags") == {"bad": gate}
    source.build(**chosen, **{gate: "off"})
    assert table(source, "rejected.tsv", "reason") == {}
    assert table(source, "manifest.tsv", "flags") == {}


def test_nothing_is_judged_that_was_not_measured(source):
    source.add("short", "Word", source=None, snr=None, soundprint=None)
    source.build(**dict.fromkeys(NAMES, "reject"))
    assert table(source, "rejected.tsv", "reason") == {}


def test_the_physical_reason_comes_before_the_usual(source):
    source.add("bad", "a" * 90, duration=1.0)
    source.build()
    assert table(source, "rejected.tsv", "reason") == {"bad": "too_much_text"}


def test_a_chain_of_copies_leaves_the_first(source):
    for wrong, clip in ((0.15, "x_third"), (0.0, "y_second"), (0.12, "a_first")):
        source.add(clip, f"Text {clip}", soundprint=soundprint(99, wrong=wrong))
    source.build()
    assert table(source, "rejected.tsv", "reason") == dict.fromkeys(
        ("x_third", "y_second"), "duplicate_audio"
    )
    assert "recording as a_first, encoded otherwise" in (source.root / "rejected.tsv").read_text()


def test_the_copy_that_was_there_before_stays(source):
    source.build()
    source.add("a_copy", "Text", soundprint=soundprint(5, wrong=0.1))
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
    assert find_unspoken(text, replaced) == found


def test_numbers_that_are_written_out_have_a_reading(source):
    source.add("plain", "It costs 21 crowns")
    source.add("date", "It was on 12.05.2024")
    source.build(numbers=NumberWriter("eng", by_library=True))
    flags = table(source, "manifest.tsv", "flags")
    assert "plain" not in flags
    assert flags["date"] == "unspoken_characters"


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


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30), st.sets(st.characters(categories=["Nd", "Sc", "Sm"]), max_size=4))
def test_what_is_mapped_is_spoken(text, replaced):
    found = find_unspoken(text, replaced)
    assert not set(found) & replaced
    assert not find_unspoken(text, set(text))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("clipped", "maybe"),
        ("max_clipped_share", 2),
        ("min_agreement", -1),
        ("max_text_repeats", 0),
    ],
)
def test_settings_out_of_range_name_their_key(key, value):
    with pytest.raises(ValueError, match=rf"dataset\.{key} is "):
        DatasetSettings(**{key: value})


def test_the_stand_in_for_a_source_is_one():
    Origin(**origin(0.5))
