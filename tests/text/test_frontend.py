"""What is written for a voice in training and in speech."""

import pytest

from lib.text.frontend import TextFrontend
from lib.text.vocabulary import plan_vocabulary

VOCAB = {c: i for i, c in enumerate("_ abcdefghijklmnopqrstuvwxyz")}


def test_it_travels_with_a_model(tmp_path):
    assert TextFrontend.read(tmp_path) == TextFrontend()
    frontend = TextFrontend({"0": "zero"}, han_to_pinyin=True, romanised=True)
    frontend.save(tmp_path)
    assert TextFrontend.read(tmp_path) == frontend


def test_nothing_is_done_that_was_not_asked_for():
    texts = {"a": "Жизнь 7 漢 IX"}
    plain = {"mapping": {}, "han_to_pinyin": False}
    for frontend in (
        TextFrontend(language="eng"),
        TextFrontend.from_config(plain, "eng", romanised=False),
    ):
        assert frontend.prepare(texts) == (texts, {})


def test_the_users_word_comes_before_the_script_changes():
    frontend = TextFrontend({"好": "dobre "}, han_to_pinyin=True)
    assert frontend.transliterate({"a": "你好"}) == {"a": "nǐ dobre"}
    assert TextFrontend({"ж": "xx"}, romanised=True).transliterate({"a": "жизнь"}) == {"a": "xxizn"}


@pytest.mark.parametrize("text", ["Room 0!", "well-known", "Ünder é", "plain"])
def test_speech_is_written_as_training_was(text):
    frontend = TextFrontend({"0": "zero"})
    plan = plan_vocabulary({"clip": text}, VOCAB, "map", frontend.mapping)
    assert frontend.write(text, VOCAB, lowercase=True) == (plan.texts["clip"], "")


def test_what_cannot_be_written_is_named_and_left_out():
    written, lost = TextFrontend().write("go 7 漢!", VOCAB, lowercase=True)
    assert written == "go"
    assert sorted(lost) == ["7", "漢"]
    assert TextFrontend().write("漢字", VOCAB, lowercase=True)[0] == ""
    # The nearest known letter is better than none.
    assert TextFrontend().write("ñandú", VOCAB, lowercase=True) == ("nandu", "")
