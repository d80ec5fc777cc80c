"""More signs of the kinds that are written with a known one, flagged, or left out."""

import pytest

from lib.text.annotations import find_annotations
from lib.text.characters import name_character
from lib.text.normalise import find_non_verbalised
from lib.text.vocabulary import POLICIES, plan_vocabulary

VOCABULARY = {c: n for n, c in enumerate("_'-\" abcdefghijklmnopqrstuvwxyz")}


def write(text: str, policy: str = "extend", vocabulary=VOCABULARY, **options) -> str | None:
    return plan_vocabulary({"x": text}, vocabulary, policy, **options).texts.get("x")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "pair", ["「」", "『』", "｢｣", "﹁﹂", "״״", "˝˝", "„“", "«»", "\U0001f676\U0001f677"]
)
def test_quotation_marks_of_other_languages(policy, pair):
    assert write(f"a {pair[0]}b{pair[1]} c", policy) == 'a "b" c'


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("hyphen", "᐀᠆⸗⸚゠⹀⁻˗־‑")
def test_hyphens_of_other_scripts_hold_words_together(policy, hyphen):
    assert write(f"well{hyphen}known", policy) == "well-known"


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("text", "written"), [("ſo", "so"), ("ᵃ", None), ("Kelvin", "kelvin")])
def test_letters_of_another_look(policy, text, written):
    if written:
        assert write(text, policy) == written
    else:
        assert write(text, "reject") is None


def test_a_capital_is_its_own_letter_where_the_tokenizer_tells_them_apart():
    assert write("Ab", "reject", lowercase=False) is None
    assert write("Ab", "extend", lowercase=False) == "Ab"


@pytest.mark.parametrize("character", ["\ue000", "\uf8ff", "\uffff", "\U000f0000", "\u0378"])
def test_characters_without_a_meaning_are_flagged(character):
    assert find_non_verbalised(f"a{character}b", ()) == character
    assert name_character(character).startswith(f"U+{ord(character):04X} ")
    assert "CONTROL" not in name_character(character)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://example.org/a?b=1 now", ["https://example.org/a?b=1"]),
        ("www.example.org", ["www.example.org"]),
        ("write to ann@example.org.", ["ann@example.org"]),
        ("well /pause/ yes", ["/pause/"]),
        ("_laughs out loud_ yes", ["_laughs out loud_"]),
        ("~noise~ and =cough=", ["~noise~", "=cough="]),
        ("%hesitation% yes", ["%hesitation%"]),
        ("〔笑〕 ⟨x⟩ ﹙y﹚", ["〔笑〕", "⟨x⟩", "﹙y﹚"]),
        ("[[noise]]", ["[noise]"]),
    ],
)
def test_other_annotations(text, found):
    assert find_annotations(text) == found


@pytest.mark.parametrize(
    "text", ["and/or", "either / or", "50% of 20% is", "a = b", "snake_case_name", "it's ~ five"]
)
def test_ordinary_signs_are_none(text):
    assert not find_annotations(text)
