import numpy as np
import pytest

from lib.evaluation.intelligibility import CANDIDATES, IntelligibilityTest
from lib.evaluation.recognition import Recogniser

SILENCE = np.zeros(100)
TEXTS = [f"The {word} was here" for word in "alpha bravo charlie delta hotel india kilo".split()]
TEXTS += [f"{word} danced all night" for word in "lima mike oscar papa romeo sierra tango".split()]
TEXTS += [
    f"Some people like {w}" for w in "uniform victor whiskey yankee zulu apple banana".split()
]
WORDS = {word.lower() for text in TEXTS for word in text.split()}


class FakeRecogniser:
    """Stands for the recogniser: remembers what it could choose from, and chooses as told."""

    def __init__(self, answer=0, words=WORDS):
        self.answer, self.words, self.asked = answer, words, []

    def knows(self, word):
        return word in self.words

    def normalise(self, text):
        return Recogniser.normalise(text)

    def choose(self, samples, candidates, speaker=None):
        self.asked.append((samples, list(candidates)))
        return self.answer


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("José's café, at 5!", "jose's cafe at 5"),
        ("  ‘Don’t’ -- STOP. ", "don't stop"),
        ("naïve\u0308 façade", "naive facade"),
        ("…", ""),
    ],
)
def test_transcripts_are_normalised_as_in_a_dictionary(text, plain):
    assert Recogniser.normalise(text) == plain


def test_sentences_are_told_from_nineteen_others():
    recogniser = FakeRecogniser()
    assert IntelligibilityTest(recogniser, TEXTS).recognises_sentence(SILENCE, TEXTS[3])
    candidates = recogniser.asked[0][1]
    assert candidates[0] == "the delta was here"
    assert len(set(candidates)) == CANDIDATES
    assert set(candidates) <= {text.lower() for text in TEXTS}


def test_a_word_is_told_from_nineteen_in_its_place():
    recogniser = FakeRecogniser()
    assert IntelligibilityTest(recogniser, TEXTS).recognises_word(SILENCE, "The alpha danced")
    candidates = [candidate.split() for candidate in recogniser.asked[0][1]]
    assert candidates[0] == ["the", "alpha", "danced"]
    assert len({" ".join(candidate) for candidate in candidates}) == CANDIDATES
    differing = {
        tuple(a == b for a, b in zip(candidate, candidates[0], strict=True))
        for candidate in candidates[1:]
    }
    assert differing in ({(True, False, True)}, {(True, True, False)}), "one place, a long word"


@pytest.mark.parametrize("answer", [None, 1, 19])
def test_anything_else_is_wrong(answer):
    test = IntelligibilityTest(FakeRecogniser(answer), TEXTS)
    assert not test.recognises_sentence(SILENCE, TEXTS[0])
    assert not test.recognises_word(SILENCE, TEXTS[0])


def test_candidates_are_the_same_for_every_voice():
    one, other = FakeRecogniser(), FakeRecogniser(None)
    IntelligibilityTest(one, TEXTS).recognises_word(SILENCE, TEXTS[0])
    second = IntelligibilityTest(other, list(reversed(TEXTS)))
    second.recognises_sentence(SILENCE, TEXTS[5])
    second.recognises_word(SILENCE, TEXTS[0])
    assert one.asked[0][1] == other.asked[1][1]


def test_loudness_makes_no_difference():
    recogniser = FakeRecogniser()
    test = IntelligibilityTest(recogniser, TEXTS)
    for gain in (1.0, 0.01):
        test.recognises_word(gain * np.sin(np.arange(1000.0)), TEXTS[0])
    assert np.array_equal(recogniser.asked[0][0], recogniser.asked[1][0])
    assert np.abs(recogniser.asked[0][0]).max() == 16_000


def test_words_that_the_recogniser_does_not_know_are_not_tested():
    recogniser = FakeRecogniser(words=WORDS - {"papa"})
    test = IntelligibilityTest(recogniser, TEXTS)
    assert not test.can_test("papa danced all night")
    assert test.can_test("Lima danced all night!")
    assert not test.can_test("all was"), "no word is long enough"
    for text in TEXTS[:5]:
        test.recognises_sentence(SILENCE, text)
        test.recognises_word(SILENCE, text)
    assert not any("papa" in candidate for _, asked in recogniser.asked for candidate in asked)


def test_too_few_sentences_cannot_be_tested():
    assert not IntelligibilityTest(FakeRecogniser(), TEXTS[:5]).can_test(TEXTS[0])
    assert not IntelligibilityTest(FakeRecogniser(), []).can_test(TEXTS[0])
