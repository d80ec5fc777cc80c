"""Transcripts in a script that the base does not read."""

import pytest

from lib.text.script import ScriptError, check_script

LATIN = "abcdefghijklmnopqrstuvwxyz '"


def test_another_script_is_refused_with_the_share_and_the_letters():
    with pytest.raises(ScriptError, match=r"75% of the letters.*my/base.*好 你.*max_unknown_share"):
        check_script(["你好 好 a"], LATIN, 0.5, "my/base")


def test_capitals_punctuation_digits_and_a_few_new_letters_pass():
    check_script(["Hello, World! 1234567890 ...", "Ẹ kú àárọ̀"], LATIN, 0.5, "base")


def test_the_limit_is_a_share_of_occurrences():
    texts = ["aaa é"]
    check_script(texts, LATIN, 0.25, "base")
    with pytest.raises(ScriptError):
        check_script(texts, LATIN, 0.24, "base")


def test_an_unknown_vocabulary_and_texts_without_letters_refuse_nothing():
    check_script(["你好"], None, 0.0, "base")
    check_script(["123"], LATIN, 0.0, "base")


def test_han_characters_that_become_pinyin_are_no_other_script():
    with pytest.raises(ScriptError, match="text.han_to_pinyin"):
        check_script(["漢字 a"], "abc", 0.5, "base")
    check_script(["漢字 a"], "abc", 0.5, "base", han_to_pinyin=True)
    with pytest.raises(ScriptError, match="ж"):
        check_script(["漢字 жж a"], "abc", 0.5, "base", han_to_pinyin=True)


def test_other_looks_of_known_letters_are_read():
    check_script(["Ｈｅｌｌｏ ﬁrst donʼt Straße"], LATIN, 0.0, "base")
    with pytest.raises(ScriptError):
        check_script(["ﻻ"], LATIN, 0.5, "base")
