import pytest

from lib.report.corpus_plots import MAX_BARS, plot_corpus, plot_speakers
from lib.report.plot_style import MAX_VECTOR_POINTS, read_description
from tests.fixtures.svg import count_pictures, count_points, texts


def draw_corpus(run, loudness=-23.0):
    output = run.folder / "report/corpus"
    plot_corpus(
        run.folder / "measurements.tsv",
        run.folder / "manifest.tsv",
        run.folder / "rejected.tsv",
        run.folder / "speakers/registry.json",
        loudness,
        output,
    )
    return output


def draw_speakers(run, min_confidence=0.1):
    output = run.folder / "report/speakers"
    folder = run.folder / "speakers"
    plot_speakers(
        folder / "map.tsv",
        folder / "assignments.tsv",
        folder / "registry.json",
        min_confidence,
        output,
    )
    return output / "speaker_map.svg"


def test_corpus_figures_show_the_numbers(run):
    run.names = {"spk001": "Grüße $x_2$ <b>"}
    run.rejected = [
        ("a", "row 1", "audio", "too_short", "0.1", ""),
        ("b", "row 2", "audio", "too_short", "0.2", ""),
        ("c", "row 3", "audio", "silent", "", ""),
    ]
    folder = draw_corpus(run.write())
    written = texts(folder / "durations.svg")
    assert {"train: 5 clips", "validation: 2 clips"} <= set(written)
    title, description = read_description(folder / "durations.svg")
    assert title == "Length of the clips"
    assert description == "7 accepted clips of 1.0 to 4.0 s, median 2.5 s, together 17.5 s."
    # A name is written as it is: neither a formula nor markup.
    assert {"spk000", "spk001 · Grüße $x_2$ <b>"} <= set(texts(folder / "speaking_time.svg"))
    assert {"7.0 s", "10.5 s"} <= set(texts(folder / "speaking_time.svg"))
    rejections = texts(folder / "rejections.svg")
    assert rejections.index("too short") < rejections.index("silent")
    assert read_description(folder / "rejections.svg")[1] == (
        "3 clips rejected: too short 2, silent 1."
    )


def test_loudness_shows_every_clip_before_and_after(run):
    path = draw_corpus(run.write(), loudness=-20.5) / "loudness.svg"
    written = texts(path)
    assert "target -20.5 LUFS" in written
    assert "after, limited by its peak" in written
    # Before, after, and those of them that the peak limits; the legend's own points besides.
    assert [points for points in count_points(path) if points > 1] == [7, 5, 2]
    assert read_description(path)[1] == (
        "7 clips from -40.0 to -34.0 LUFS were brought to -20.5 LUFS. "
        "2 clips stayed below: their peaks are at the ceiling."
    )


def test_nothing_rejected_is_said(run):
    path = draw_corpus(run.write()) / "rejections.svg"
    assert "No clip was rejected." in texts(path)


@pytest.mark.parametrize("clips", [{"spk000": 1}, {}])
def test_one_clip_or_none(run, clips):
    run.clips_per_speaker, run.validation = clips, False
    folder = draw_corpus(run.write())
    expected = "1 accepted clip of 1.0" if clips else "No clip was accepted."
    assert read_description(folder / "durations.svg")[1].startswith(expected)
    expected = "1 clip of 1 speaker;" if clips else "No clip has a speaker."
    assert read_description(draw_speakers(run))[1].startswith(expected)
    expected = "1 speaker," if clips else "No clip was accepted."
    assert read_description(folder / "speaking_time.svg")[1].startswith(expected)


def test_many_clips_and_speakers_stay_small(run):
    run.clips_per_speaker = {f"spk{number:03d}": 100 for number in range(60)}
    run.sounds = False
    folder = draw_corpus(run.write())
    path = draw_speakers(run)
    for figure in (*folder.iterdir(), path):
        assert figure.stat().st_size < 400_000, figure.name
    # 6,000 points are a picture; few ones are drawn one by one.
    assert 6_000 > MAX_VECTOR_POINTS
    assert count_pictures(folder / "loudness.svg") and count_pictures(path)
    assert "spk059" in texts(path)
    bars = [text for text in texts(folder / "speaking_time.svg") if text.startswith("spk")]
    assert len(bars) == MAX_BARS


def test_speaker_map_marks_uncertain_clips(run):
    path = draw_speakers(run.write())
    assert {"spk000", "spk001", "uncertain speaker"} <= set(texts(path))
    # Each speaker's clips, then a circle around the uncertain ones.
    assert count_points(path)[:3] == [4, 3, 2]
    assert "The speaker of 2 clips is uncertain" in read_description(path)[1]
    certain = draw_speakers(run, min_confidence=0.01)
    assert "uncertain speaker" not in texts(certain)


def test_figures_follow_into_the_dark_and_are_the_same_each_time(run):
    folder = draw_corpus(run.write())
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert all(b"prefers-color-scheme: dark" in content for content in first.values())
    assert {path.name: path.read_bytes() for path in draw_corpus(run).iterdir()} == first


def test_a_name_with_control_characters_gives_a_figure(run):
    run.names = {"spk000": "bell\x07 name"}
    folder = draw_corpus(run.write())
    assert "spk000 · bell name" in texts(folder / "speaking_time.svg")
    assert "spk000 · bell name" in texts(draw_speakers(run))


def test_names_in_any_script_are_left_to_the_reader_s_fonts(run, recwarn):
    run.names = {"spk000": "王小明"}
    folder = draw_corpus(run.write())
    assert "spk000 · 王小明" in texts(folder / "speaking_time.svg")
    assert not recwarn.list
