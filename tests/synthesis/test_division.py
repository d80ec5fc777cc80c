"""Texts of any length are divided where a reader would breathe, and nothing is lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.config.outcome import SpeechSettings
from lib.synthesis.division import divide_text
from lib.text.numbers import NumberWriter

ENGLISH, GERMAN = NumberWriter("eng"), NumberWriter("deu")
PAUSES = SpeechSettings(sentence_pause=0.4, clause_pause=0.2, line_pause=0.8)


def divide(
    text: str, limit: int = 400, numbers=ENGLISH, settings=PAUSES
) -> list[tuple[str, float]]:
    limited = SpeechSettings(**{**vars(settings), "max_tokens": limit})
    return list(divide_text(text, lambda part: 2 * len(part) + 1, limited, numbers))


def parts(text: str, **options) -> list[str]:
    return [part for part, _ in divide(text, **options)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("He said: “Go!” Then he went.", ["He said: “Go!”", "Then he went."]),
        ("Wait... What?! No.", ["Wait...", "What?!", "No."]),
        ("你好。再见！好吗？是", ["你好。", "再见！", "好吗？", "是"]),
        ("「行く。」と言った。次", ["「行く。」", "と言った。", "次"]),
        ("यह है। वह था॥ ठीक", ["यह है।", "वह था॥", "ठीक"]),
        ("ကောင်း။ ဟုတ်", ["ကောင်း။", "ဟုတ်"]),
        ("ሰላም። ደህና፡፡ እሺ", ["ሰላም።", "ደህና፡፡", "እሺ"]),
        ("ሰላም፡ለዓለም፡ ደህና", ["ሰላም፡ለዓለም፡", "ደህና"]),
        ("كيف حالك؟ بخير", ["كيف حالك؟", "بخير"]),
        ("یہ ہے۔ وہ تھا", ["یہ ہے۔", "وہ تھا"]),
        ("One\nTwo\r\nThree\u2028Four\n\n", ["One", "Two", "Three", "Four"]),
        ("At 3.5 km see www.example.org now.", ["At 3.5 km see www.example.org now."]),
        ("J. R. Smith, i.e. him. Yes", ["J. R. Smith, i.e. him.", "Yes"]),
        ("It was 1984. It rained.", ["It was 1984.", "It rained."]),
        ("I have 5. You have 6.", ["I have 5.", "You have 6."]),
        ("", []),
        (" \n ", []),
    ],
)
def test_a_text_is_divided_at_the_ends_of_its_sentences(text, expected):
    assert parts(text) == expected


def test_a_point_after_a_small_number_is_part_of_it_in_german():
    assert parts("Am 5. Mai kam er. Ja", numbers=GERMAN) == ["Am 5. Mai kam er.", "Ja"]
    assert parts("Es war 1984. Dann kam er", numbers=GERMAN) == ["Es war 1984.", "Dann kam er"]


def test_abbreviations_of_the_user_s_table_end_no_sentence():
    table = NumberWriter("eng", words={"Dr.": "doctor"})
    assert parts("Ask Dr. Who. He knows", numbers=table) == ["Ask Dr. Who.", "He knows"]
    assert parts("Ask Dr. Who. He knows") == ["Ask Dr.", "Who.", "He knows"]


def test_a_long_sentence_is_divided_at_clauses_then_at_spaces_then_anywhere():
    assert parts("one two, three four; five", limit=25) == ["one two,", "three four;", "five"]
    assert parts("alpha beta gamma delta", limit=25) == ["alpha beta", "gamma delta"]
    assert parts("abcdefgh" * 3, limit=25) == ["abcdefghabcd", "efghabcdefgh"]
    assert parts("一二三四，五六七八", limit=12) == ["一二三四，", "五六七八"]
    # A mark stays with its letter.
    assert parts("n\u0303" * 7, limit=17) == ["n\u0303" * 3, "n\u0303" * 4]


def test_pauses_depend_on_what_a_part_ends_with():
    assert divide("One. Two!\nThree") == [("One.", 0.4), ("Two!", 0.8), ("Three", 0.8)]
    assert divide("one two, three four five", limit=25) == [
        ("one two,", 0.2),
        ("three", 0.0),
        ("four five", 0.8),
    ]
    own = SpeechSettings(pauses={"?": 1.5, ",": 0.1})
    assert divide("What?” No.", settings=own) == [("What?”", 1.5), ("No.", 0.8)]
    assert divide("one two, three four", limit=25, settings=own)[0] == ("one two,", 0.1)


def bare(text: str) -> str:
    return "".join(text.split())


@settings(max_examples=300)
@given(
    st.text(alphabet=st.sampled_from("aB5é漢n\u0303 .,!?;:።፡।。，”\"'\n\u2028-…A"), max_size=60),
    st.integers(20, 80),
)
def test_nothing_is_lost_and_every_part_fits(text, limit):
    divided = divide(text, limit)
    assert bare("".join(part for part, _ in divided)) == bare(text)
    assert all(part == part.strip() and part for part, _ in divided)
    assert all(2 * len(part) + 1 <= limit for part, _ in divided if len(part) > 9)
    assert all(pause >= 0 for _, pause in divided)


def test_a_book_is_divided_quickly():
    """Counting tokens costs; a sentence is counted a few times, not once for every letter."""
    calls = 0

    def count(part: str) -> int:
        nonlocal calls
        calls += 1
        return 2 * len(part) + 1

    text = "This is a sentence of some words, and of others. " * 400
    assert len(list(divide_text(text, count, PAUSES, ENGLISH))) == 400
    assert calls <= 800
    endless = "word " * 4000
    calls = 0
    assert len(list(divide_text(endless, count, PAUSES, ENGLISH))) > 90
    assert calls < 5000
