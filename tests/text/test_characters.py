"""Characters of one meaning are written with the one that the vocabulary knows."""

import string
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lib.text.audit import write_audit
from lib.text.casing import lower_text
from lib.text.characters import (
    APOSTROPHES,
    HYPHENS,
    QUOTATION_MARKS,
    name_character,
    spell_with_known,
)
from lib.text.frontend import TextFrontend
from lib.text.normalise import normalise_text
from lib.text.vocabulary import POLICIES, audit_characters, plan_vocabulary

LETTERS = {character: number for number, character in enumerate(string.ascii_lowercase + " ")}
VOCAB = LETTERS | {"'": 27, "-": 28}


def write(text: str, vocab=VOCAB, policy: str = "extend", **options) -> str | None:
    return plan_vocabulary({"a": text}, vocab, policy, **options).texts.get("a")


# ------------------------------------------------------------------ marks


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("known", ["'", "\u2019", "\u02bc", "\u02bb"])
@given(mark=st.sampled_from(APOSTROPHES))
def test_any_apostrophe_is_written_with_the_one_that_is_known(policy, known, mark):
    plan = plan_vocabulary({"a": f"don{mark}t"}, LETTERS | {known: 27}, policy)
    assert plan.texts == {"a": f"don{known}t"}
    assert not plan.added


@pytest.mark.parametrize(
    ("policy", "written"), [("extend", "don\u02bct"), ("map", None), ("reject", None)]
)
def test_an_apostrophe_that_is_a_letter_stays_one_where_no_mark_is_known(policy, written):
    assert write("don\u02bct", LETTERS, policy) == written
    assert write("don\u2019t", LETTERS, policy) == "dont"


@pytest.mark.parametrize("policy", POLICIES)
@given(mark=st.sampled_from(QUOTATION_MARKS))
def test_any_quotation_mark_is_written_with_the_one_that_is_known(policy, mark):
    assert write(f"a {mark}b{mark}", LETTERS | {'"': 27}, policy) == 'a "b"'
    assert write(f"a {mark}b{mark}", LETTERS, policy) == "a b"


@pytest.mark.parametrize("policy", POLICIES)
@given(mark=st.sampled_from(HYPHENS))
def test_any_hyphen_is_written_with_the_one_that_is_known(policy, mark):
    assert write(f"well{mark}known", VOCAB, policy) == "well-known"
    assert write(f"well{mark}known", LETTERS | {"\u2010": 27}, policy) == "well\u2010known"


def test_a_dash_within_words_is_a_hyphen_and_elsewhere_a_pause():
    plan = plan_vocabulary({"a": "well\u2013known \u2014 yes \u2212 no"}, VOCAB, "map")
    assert plan.texts == {"a": "well-known yes no"}


SPACES = [chr(n) for n in range(0x3100) if chr(n).isspace()] + ["\u2800", "\u3164"]


@given(st.sampled_from(SPACES))
def test_spaces_of_all_widths_are_spaces(space):
    assert normalise_text(f"{space}a{space}b{space}") == "a b"


# ------------------------------------------------------------------ what emoji leave behind


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "emoji",
    [
        "\u2764\ufe0f",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f44d\U0001f3fd",
        "\U0001f1e9\U0001f1ea",
        "\U0001f3f4\U000e0067\U000e0062\U000e007f",
        "\u260e\ufe0e",
        "a\u200d",
        "\u20e3",
    ],
)
def test_of_an_emoji_nothing_stays(policy, emoji):
    plan = plan_vocabulary({"a": f"so {emoji} so"}, VOCAB, policy)
    assert plan.texts == {"a": "so a so" if "a" in emoji else "so so"}
    assert not plan.added


def test_a_keycap_is_its_digit():
    assert normalise_text("1\ufe0f\u20e3 2") == "1 2"


def test_joiners_stay_where_they_spell_and_nowhere_else():
    assert normalise_text("می\u200cخواهم") == "می\u200cخواهم"
    assert normalise_text("क\u094d\u200dष") == "क\u094d\u200dष"
    assert normalise_text("auf\u200clage \u200d x\u200c") == "auflage x"
    assert normalise_text("\u200cمی\u200c") == "می"


ARABIC = {c: n for n, c in enumerate(" ابخمهوی")}


def test_characters_that_show_nothing_cost_no_clip_under_map():
    assert write("می\u200cخواهم", ARABIC, "map") == "میخواهم"
    assert write("خـــوا", ARABIC, "map") == "خوا"
    assert write("خـــوا", ARABIC, "extend") == "خوا"
    assert write("می\u200cخواهم", ARABIC | {"\u200c": 9}, "map") == "می\u200cخواهم"


def test_characters_are_named():
    assert name_character("\u200c") == "U+200C ZERO WIDTH NON-JOINER"
    assert name_character("\u0301") == "U+0301 COMBINING ACUTE ACCENT"
    assert name_character("\u0640") == "U+0640 ARABIC TATWEEL"
    assert name_character("ŋ") == "ŋ"
    assert name_character("\x07") == "U+0007 CONTROL CHARACTER"


# ------------------------------------------------------------------ other looks of letters


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("ﬁrst ﬂoor", "first floor"),
        ("Ｈｅｌｌｏ", "hello"),
        ("𝐇𝐞𝐥𝐥𝐨", "hello"),
        ("Ⓗⓘ", "hi"),
        ("straße", "strasse"),
        ("Straẞe", "strasse"),
        ("ŉ", "'n"),
        ("ĳs", "ijs"),
        ("ﬃ", "ffi"),
        ("\u201aa\u2018 \u2039b\u203a", "'a' 'b'"),
    ],
)
def test_compatibility_forms_are_written_out(policy, text, written):
    plan = plan_vocabulary({"a": text}, VOCAB, policy)
    assert plan.texts == {"a": written}
    assert not plan.added


def test_forms_of_letters_that_are_unknown_become_those_letters():
    plan = plan_vocabulary({"a": "ﻻ ﻼ"}, VOCAB, "extend")
    assert set(plan.added) == {"ل", "ا"}
    assert plan.texts == {"a": "لا لا"}
    assert plan_vocabulary({"a": "ﻻ"}, VOCAB, "reject").rejected == {"a": "ال"}


def test_a_spelling_that_is_known_as_given_is_found():
    assert write("ﬁn", VOCAB | {"ﬁ": 30}) == "ﬁn"
    assert write("straße", VOCAB | {"ß": 30}) == "straße"
    # Composition takes this letter of Hindi apart, whatever is given.
    for text in ("\u0958", "\u0915\u093c"):
        assert write(text, {"\u0958": 0, "\u0915": 1, " ": 2}, "reject") == "\u0958"
        assert write(text, {"\u0915": 1, "\u093c": 2}, "reject") == "\u0915\u093c"
    assert write("å", {"\u212b": 0, " ": 1}, "map", lowercase=False) is None
    assert write("Å", {"\u212b": 0, " ": 1}, "map", lowercase=False) == "\u212b"


@given(st.sampled_from("ệǘṩḗộ"), st.data())
def test_a_letter_is_found_in_whichever_parts_it_is_known(letter, data):
    base, *marks = unicodedata.normalize("NFD", letter)
    chosen = data.draw(st.sampled_from([(0,), (1,), ()]))
    composed = unicodedata.normalize("NFC", base + "".join(marks[n] for n in chosen))
    rest = "".join(mark for n, mark in enumerate(marks) if n not in chosen)
    assume(unicodedata.normalize("NFC", composed + rest) == letter)
    vocab = {c: n for n, c in enumerate(dict.fromkeys([*composed, *rest, " "]))}
    written = write(letter, vocab, "reject")
    assert written is not None
    assert unicodedata.normalize("NFC", written) == letter


@pytest.mark.parametrize(
    ("text", "written"), [("kʷa", "kʷa"), ("ªa", "ªa"), ("ำ", "ำ"), ("½", "½"), ("²", "²")]
)
def test_letters_and_numbers_of_their_own_are_not_taken_apart(text, written):
    assert write(text) == written


def test_a_mapping_holds_for_other_looks_of_its_character():
    assert write("５ cats", mapping={"5": "five"}) == "five cats"


@pytest.mark.parametrize(
    ("text", "written"), [("æsop", "aesop"), ("cœur", "coeur"), ("ışık", None)]
)
def test_the_nearest_spelling_loses_no_letter(text, written):
    assert write(text, policy="map") == (written or "isik")


# ------------------------------------------------------------------ case


@pytest.mark.parametrize("language", ["tr", "tur", "aze", "azj-script_latin", "az"])
def test_turkish_i(language):
    vocab = LETTERS | {"ı": 30}
    assert write("İSTANBUL IŞIK ISI", vocab | {"ş": 31}, language=language) == "istanbul ışık ısı"
    frontend = TextFrontend(language=language)
    assert frontend.write("I\u0307zmir, ILGAZ", vocab, True) == ("izmir ılgaz", "")


@pytest.mark.parametrize("text", ["İstanbul", "I\u0307stanbul", "i\u0307stanbul"])
@pytest.mark.parametrize("policy", POLICIES)
def test_no_dot_is_left_over(text, policy):
    plan = plan_vocabulary({"a": text}, VOCAB, policy)
    assert plan.texts == {"a": "istanbul"} and not plan.added


def test_a_sigma_at_the_end_of_a_word_is_a_final_one():
    vocab = {c: n for n, c in enumerate(" αβοσςτ")}
    assert write("ΤΟΣ ΣΑΣ", vocab) == "τος σας"
    assert lower_text("ΟΣ.", vocab) == "ος."


@given(st.text(), st.sampled_from(["", "tr", "deu"]))
def test_lower_case_is_composed_and_done_once(text, language):
    lowered = lower_text(normalise_text(text), VOCAB, language=language)
    assert unicodedata.is_normalized("NFC", lowered)
    assert lower_text(lowered, VOCAB, language=language) == lowered


# ------------------------------------------------------------------ all together


MIXED = st.text(st.sampled_from("aZéİIΣß’ʼ–-‐“ﬁＨ❤️\u200d\u20e31５ŋ ـ\u0307"), max_size=12)


@given(MIXED, st.sampled_from(["", "tur"]))
def test_what_is_spoken_is_written_as_what_was_trained(text, language):
    plan = plan_vocabulary({"clip": text}, VOCAB, "map", language=language)
    written, _ = TextFrontend(language=language).write(text, VOCAB, lowercase=True)
    assert written == plan.texts.get("clip", written)
    assert set(written) <= VOCAB.keys()


@given(MIXED, st.sampled_from(POLICIES))
def test_every_character_has_a_fate_that_is_true(tmp_path_factory, text, policy):
    plan = plan_vocabulary({"a": text}, VOCAB, policy)
    table = tmp_path_factory.mktemp("audit") / "x.tsv"
    write_audit(plan, {"a": text}, VOCAB, True, table)
    for use in audit_characters({"a": text}, VOCAB):
        told = use.known or use.character in plan.added or use.character in plan.replaced
        assert told or "a" in plan.rejected, use


def test_forms_that_are_one_letter_together_are_composed():
    """Narrow katakana have their marks apart."""
    vocab = {c: n for n, c in enumerate("ガバカハ ")}
    assert write("ｶﾞ ﾊﾞｶ", vocab, "reject") == "ガ バカ"
    assert write("ｶﾞ\u0958", {"ガ": 0, "\u0958": 1}, "reject") == "ガ\u0958"


def test_a_capital_double_letter_is_spelt_with_the_two_that_are_known():
    assert spell_with_known("\u01c4", {"D", "\u017d"}) == "D\u017d"
    assert spell_with_known("\u01c4", {"D"}) is None
