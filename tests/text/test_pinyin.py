"""Han characters as tone-marked pinyin."""

import pytest

from lib.text.romanise import has_han, write_pinyin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("你好", "nǐ hǎo"),
        # One character, two readings: a bank, and to walk.
        ("银行", "yín háng"),
        ("行走", "xíng zǒu"),
        ("我有2个Apple手机。", "wǒ yǒu 2 gè Apple shǒu jī。"),
        ("你好,世界", "nǐ hǎo, shì jiè"),
        ("bonjour", "bonjour"),
        ("", ""),
    ],
)
def test_words_decide_the_reading(text, expected):
    assert write_pinyin(text) == expected


def test_other_scripts_are_no_han():
    assert has_han("a漢b") and has_han("𠀀") and has_han("㐀")
    assert not any(map(has_han, ["ひらがな", "한글", "ไทย", "abc", ""]))
