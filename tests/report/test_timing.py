import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.report.timing import read_stages, union_length


def write_benchmark(path, seconds, end):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:09\t1.0\n")
    os.utime(path, (end, end))


def test_stages_in_the_order_in_which_they_ended(tmp_path):
    write_benchmark(tmp_path / "benchmarks/train_model.tsv", 60.5, 1_000)
    write_benchmark(tmp_path / "benchmarks/embed/000.tsv", 4, 106)
    write_benchmark(tmp_path / "benchmarks/embed/001.tsv", 5, 110)
    logs = tmp_path / "logs/convert_audio"
    logs.mkdir(parents=True)
    for number, time in enumerate((90, 95, 100)):
        (logs / f"{number}.log").write_text("")
        os.utime(logs / f"{number}.log", (time, time))
    found = {stage.name: stage.seconds for stage in read_stages(tmp_path)}
    # Of the two shards, 102 to 106 and 105 to 110.
    assert found == {"convert_audio": 10, "embed": 8, "train_model": 60.5}
    assert list(found) == ["convert_audio", "embed", "train_model"]


def test_a_run_without_benchmarks_has_no_stages(tmp_path):
    assert read_stages(tmp_path) == []


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted).map(tuple)))
def test_union_counts_every_moment_once(intervals):
    moments = {m for begin, end in intervals for m in range(begin, end)}
    assert union_length(intervals) == pytest.approx(len(moments))
