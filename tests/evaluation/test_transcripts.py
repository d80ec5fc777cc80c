"""Wrong transcripts are found: exchanged, slipped and cut ones among right ones."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.dataset.transcript_scores import read_scores
from lib.evaluation.comparison import NEIGHBOURS, Comparison
from lib.evaluation.transcript_files import _natural_order, check_dataset, update_record
from lib.evaluation.transcripts import (
    Shift,
    _heaviest_run,
    check_transcripts,
    find_gap,
    find_shifts,
    weigh_offsets,
)
from lib.files import read_json
from lib.mms import HOP_LENGTH, SAMPLE_RATE
from lib.vits.score import TextScore


def with_text(clip, other):
    return dataclasses.replace(clip, text=other.text, input_ids=other.input_ids)


@pytest.fixture(scope="module")
def check(judge, demo_clips):
    """Of forty clips three are exchanged, and six in a row have the text of the row below."""
    clips = list(demo_clips)
    for place, other in ((2, 30), (30, 36), (36, 2)):
        clips[place] = with_text(demo_clips[place], demo_clips[other])
    for place in range(12, 18):
        clips[place] = with_text(demo_clips[place], demo_clips[place + 1])
    return check_transcripts(judge, clips)


def test_wrong_transcripts_score_like_those_of_others(check, demo_clips):
    scores = {row.clip: row.score for row in check.scores}
    wrong = {demo_clips[n].id for n in (2, 30, 36, *range(12, 18))}
    assert check.knows and len(scores) == 40
    # Below the default of dataset.min_transcript_score.
    assert sum(scores[clip] < 0.5 for clip in wrong) >= 8
    assert sum(scores[clip] < 0.5 for clip in scores.keys() - wrong) == 0


def test_a_slipped_part_of_the_table_is_named(check, demo_clips):
    (shift,) = check.shifts
    # The text of row 13 is what row 12 has now, so it is a row above. That of row 12 is nowhere.
    names = [clip.id for clip in demo_clips]
    assert (shift.first, shift.last, shift.offset) == (names[13], names[17], -1)


def test_the_likelier_text_is_the_one_that_was_spoken(check, demo_clips):
    # Row 13 has the text of row 14; its own is what row 12 has now.
    found = {row.clip: row for row in check.scores}
    assert found[demo_clips[13].id].likelier == demo_clips[12].id
    assert found[demo_clips[0].id].likelier is None


def test_a_judge_that_does_not_know_the_language_is_not_asked(judge, demo_clips):
    moved = [
        with_text(clip, other)
        for clip, other in zip(demo_clips, [*demo_clips[5:], *demo_clips[:5]], strict=True)
    ]
    check = check_transcripts(judge, moved)
    assert not check.knows and check.scores == () and check.shifts == ()


def test_what_the_text_does_not_cover_is_found():
    def score(values):
        return TextScore(float(np.mean(values)), np.ones(1, np.int64), np.array(values, np.float32))

    own = np.full(200, -0.5)
    own[120:160] = -1.5
    comparison = Comparison(score(own), (score(np.full(200, -1.0)),) * 3)
    frame = HOP_LENGTH / SAMPLE_RATE
    assert find_gap(comparison) == (round(120 * frame, 2), round(160 * frame, 2))
    short = Comparison(score(own[:10]), (score(np.full(10, -1.0)),) * 3)
    assert find_gap(short) == (0.0, round(10 * frame, 2))


@pytest.mark.parametrize("slipped_from", [0, 14])
def test_a_table_that_has_slipped_from_some_row_to_its_end_is_named(
    judge, demo_clips, slipped_from
):
    """Then the own text is seldom the likeliest, yet the judge knows the language."""
    clips = list(demo_clips)
    for place in range(slipped_from, len(clips) - 1):
        clips[place] = with_text(demo_clips[place], demo_clips[place + 1])
    check = check_transcripts(judge, clips[:-1])
    assert check.knows
    (shift,) = check.shifts
    # The text of the first of them is nowhere; a row where the slip begins may say nothing.
    begin = [clip.id for clip in demo_clips].index(shift.first)
    assert slipped_from + 1 <= begin <= slipped_from + 3
    assert (shift.offset, shift.last) == (-1, demo_clips[-2].id)


def test_shifts_are_runs_of_evidence_for_one_offset():
    clips = [f"c{n}" for n in range(12)]
    evidence = np.full((4, 12), -5.0)
    # A row that says little or speaks against it does not end a run that is sure.
    evidence[NEIGHBOURS.index(1), 1:7] = [4, 5, -3, 0.2, 5, 4]
    evidence[NEIGHBOURS.index(-2), 8:11] = [3, 3, 3]
    assert find_shifts(clips, evidence) == [
        Shift("c1", "c6", 6, 1),
        Shift("c8", "c10", 3, -2),
    ]
    # Nine nats are more than log(4 * 12 / 0.05) = 6.9; those of two rows are no table's slip.
    evidence[NEIGHBOURS.index(-2), 10] = -5
    assert [shift.first for shift in find_shifts(clips, evidence)] == ["c1"]
    evidence[NEIGHBOURS.index(-2), 8:10] = 5
    assert [shift.first for shift in find_shifts(clips, evidence)] == ["c1"]


@given(st.lists(st.integers(-9, 9), max_size=30))
def test_the_heaviest_run_is_that_of_all_runs(weights):
    total, (start, end) = _heaviest_run(np.array(weights, float))
    size = len(weights) + 1
    sums = [sum(weights[i:j]) for i in range(size) for j in range(i, size)]
    assert total == max(sums) == sum(weights[start:end])


def draw_comparisons(random, clips, slipped=(), strength=2.5):
    """Comparisons whose margins are those of a judge that knows a language a little."""

    def score(likelihood):
        return TextScore(likelihood, np.ones(1, np.int64), np.zeros(1, np.float32))

    comparisons, neighbours = [], []
    for place in range(clips):
        near = [place + n for n in NEIGHBOURS if 0 <= place + n < clips]
        drawn = random.normal(size=9 + len(near))
        spoken = 9 + near.index(place + 1) if place in slipped else 0
        drawn[spoken] += strength
        others, extra = drawn[1:9], drawn[9:]
        # Their mean is what a margin is measured from.
        others = others - others.mean()
        comparison = Comparison(
            score(drawn[0]), tuple(map(score, others)), tuple(map(score, extra))
        )
        comparisons.append(comparison)
        neighbours.append(near)
    return comparisons, neighbours


def test_slips_are_found_by_what_many_rows_say_and_seldom_where_there_are_none():
    random = np.random.default_rng(5)
    names = [str(n) for n in range(200)]
    wrong = found = 0
    for _ in range(60):
        right = weigh_offsets(*draw_comparisons(random, 200), spread=1.0)
        wrong += bool(find_shifts(names, right))
        slipped = weigh_offsets(*draw_comparisons(random, 200, range(90, 105)), spread=1.0)
        shifts = find_shifts(names, slipped)
        inside = [s for s in shifts if s.offset == 1 and 85 <= int(s.first) <= int(s.last) <= 109]
        found += sum(s.rows for s in inside) >= 10
    assert wrong <= 6
    assert found >= 54


def test_clips_that_cannot_be_compared_say_nothing():
    comparisons, neighbours = draw_comparisons(np.random.default_rng(1), 30)
    comparisons[4] = None
    assert not weigh_offsets(comparisons, neighbours, 1.0)[:, 4].any()
    assert not weigh_offsets([None] * 5, [[]] * 5, 1.0).any()
    assert find_shifts([], np.zeros((4, 0))) == []


def test_rows_are_in_the_order_of_the_table():
    origins = ["metadata.csv line 10", "metadata.csv line 9", "a/2.csv line 1", "a/10.csv line 1"]
    assert sorted(origins, key=_natural_order) == [
        "a/2.csv line 1",
        "a/10.csv line 1",
        "metadata.csv line 9",
        "metadata.csv line 10",
    ]


HEADER = "clip\tscore\tgap_start\tgap_end\tlikelier\ttext_hash\tduration\n"


def test_the_record_keeps_what_was_left_out_since(tmp_path):
    record, scores = tmp_path / "state/transcripts.tsv", tmp_path / "after.tsv"
    scores.write_text(f"{HEADER}a\t0.1\t0\t1\t\th1\t2.000\nb\t5\t0\t1\t\th2\t2.000\n")
    update_record(scores, record)
    scores.write_text(f"{HEADER}b\t4\t0\t1\t\th2\t2.000\n")
    update_record(scores, record)
    assert {row.clip: row.score for row in read_scores(record)} == {"a": 0.1, "b": 4.0}


def test_a_small_dataset_is_not_judged_and_leaves_no_record(undisturbed, tmp_path):
    manifest = tmp_path / "manifest.tsv"
    rows = [f"clip{n:02d}\tmetadata.csv line {n + 2}\n" for n in range(20)]
    manifest.write_text("clip\torigin\n" + "".join(rows))
    for training in (None, undisturbed.summary):
        check_dataset(
            undisturbed.base_model,
            training,
            undisturbed.dataset,
            manifest,
            tmp_path / "scores.tsv",
            tmp_path / "summary.json",
            tmp_path / "state/transcripts.tsv",
        )
        summary = read_json(tmp_path / "summary.json")
        assert summary["knowledge"] is None and not summary["knows"]
        assert read_scores(tmp_path / "scores.tsv") == []
    assert not (tmp_path / "state/transcripts.tsv").exists()
