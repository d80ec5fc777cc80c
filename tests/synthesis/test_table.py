"""A table is read out: only what is stale, one file a row, and one bad row stops no other."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from lib.config.outcome import SpeechSettings
from lib.synthesis import __main__ as command
from lib.synthesis import table as module
from lib.synthesis.synthesizer import Synthesizer
from lib.synthesis.table import speak_table
from lib.tables import read_table

ROOT = Path(__file__).resolve().parents[2]
WAV = SpeechSettings(format="wav")


@pytest.fixture
def texts(tmp_path) -> Path:
    path = tmp_path / "texts.csv"
    write(path, {"a": "hello there", "b": "good day. And night!", "c": "see you"})
    return path


def write(path: Path, texts: dict[str, str], speakers: dict[str, str] | None = None) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "text", "speaker"))
        writer.writerows((id_, text, (speakers or {}).get(id_)) for id_, text in texts.items())


def speak(run_folder, texts, output, settings=WAV, loudness=-23.0, form="onnx", **options):
    speak_table(run_folder / form, texts, output, settings, loudness, **options)
    return {path.name: path.stat().st_mtime_ns for path in output.glob("*.wav")}


def test_every_row_becomes_a_file_and_the_table_says_which(run_folder, texts, tmp_path):
    output = tmp_path / "out"
    assert speak(run_folder, texts, output).keys() == {"a.wav", "b.wav", "c.wav"}
    with (output / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file_name"] for row in rows] == ["a.wav", "b.wav", "c.wav"]
    assert rows[1]["text"] == "good day. And night!"
    for row in rows:
        info = soundfile.info(output / row["file_name"])
        assert float(row["duration"]) == pytest.approx(info.duration, abs=0.002)
        assert row["speaker"] == "spk000"
    assert read_table(output / "rejected.tsv") == []
    # A user's own reader of such tables takes it.
    assert Synthesizer(run_folder / "onnx").sample_rate == info.samplerate == 16_000


def changed(before: dict, after: dict) -> set[str]:
    return {name for name, time_ in after.items() if before.get(name) != time_}


def test_only_what_is_missing_or_changed_is_spoken(run_folder, texts, tmp_path):
    output = tmp_path / "out"
    first = speak(run_folder, texts, output)
    assert changed(first, second := speak(run_folder, texts, output)) == set()
    (output / "c.wav").unlink()
    assert changed(second, third := speak(run_folder, texts, output)) == {"c.wav"}
    write(texts, {"d": "new", "b": "good day. And night!", "a": "hello you", "c": "see you"})
    assert changed(third, fourth := speak(run_folder, texts, output)) == {"a.wav", "d.wav"}
    write(texts, {"a": "hello you", "b": "good day. And night!"}, {"a": "spk000"})
    # The speaker by another word is the same; files of rows that are gone stay.
    assert speak(run_folder, texts, output) == fourth
    # Another way of writing what is spoken alike is the same speech.
    write(texts, {"a": "Hello,  YOU", "b": "good day. And night!"})
    assert speak(run_folder, texts, output) == fourth


@pytest.mark.parametrize(
    "settings",
    [
        SpeechSettings(format="wav", speed=0.8),
        SpeechSettings(format="wav", noise=0.1),
        SpeechSettings(format="wav", duration_noise=0.1),
        SpeechSettings(format="wav", seed=1),
    ],
)
def test_other_settings_speak_everything_again(run_folder, texts, tmp_path, settings):
    output = tmp_path / "out"
    first = speak(run_folder, texts, output)
    assert changed(first, speak(run_folder, texts, output, settings)) == first.keys()


def test_a_pause_and_a_loudness_concern_only_what_they_change(run_folder, texts, tmp_path):
    output = tmp_path / "out"
    first = speak(run_folder, texts, output)
    longer = SpeechSettings(format="wav", sentence_pause=1.0)
    assert changed(first, second := speak(run_folder, texts, output, longer)) == {"b.wav"}
    assert changed(second, speak(run_folder, texts, output, longer, -20.0)) == second.keys()


def test_another_voice_speaks_everything_again(run_folder, texts, tmp_path, monkeypatch):
    output = tmp_path / "out"
    first = speak(run_folder, texts, output)
    monkeypatch.setattr(module, "_digest_weights", lambda model: "others")
    assert changed(first, speak(run_folder, texts, output)) == first.keys()


def test_torch_and_threads_write_the_same_table(run_folder, texts, tmp_path):
    one = speak(run_folder, texts, tmp_path / "one", threads=1)
    speak(run_folder, texts, tmp_path / "two", threads=3)
    for name in one:
        files = (tmp_path / "one" / name, tmp_path / "two" / name)
        assert files[0].read_bytes() == files[1].read_bytes()
    torch = speak(run_folder, texts, tmp_path / "torch", form="model")
    assert torch.keys() == one.keys()


def test_one_bad_row_stops_no_other(run_folder, texts, tmp_path, caplog):
    rows = {"a": "hello", "b": "漢字", "c": "see you", "d": "", "e": "me"}
    write(texts, rows, {"c": "Bob"})
    output = tmp_path / "out"
    assert speak(run_folder, texts, output).keys() == {"a.wav", "e.wav"}
    rejected = {row["id"]: row for row in read_table(output / "rejected.tsv")}
    assert rejected.keys() == {"b", "c", "d"}
    assert "no character of '漢字'" in rejected["b"]["detail"]
    assert rejected["c"]["detail"].startswith("no speaker 'Bob'; there are: spk000 (Anna)")
    assert rejected["c"]["origin"] == "texts.csv line 4"
    assert "texts.csv line 3 is not spoken" in caplog.text


def test_a_table_of_bad_rows_alone_is_an_error(run_folder, texts, tmp_path):
    write(texts, {"a": "漢字"})
    with pytest.raises(
        ValueError, match=r"none of 1 rows can be spoken; the first: texts.csv line 2"
    ):
        speak(run_folder, texts, tmp_path / "out")


def test_the_command_reads_a_table_out(run_folder, texts, tmp_path):
    line = ["table", str(run_folder / "model"), str(texts), str(tmp_path / "out")]
    command.main([*line, "--format", "flac", "--speaker", "Anna", "--speed", "1.5"])
    assert {path.name for path in (tmp_path / "out").glob("*.flac")} == {
        "a.flac",
        "b.flac",
        "c.flac",
    }
    with pytest.raises(SystemExit, match="--speed is 9, expected 0.25 to 4"):
        command.main([*line, "--speed", "9"])
    with pytest.raises(SystemExit, match="--line-pause is -1, expected 0 or more"):
        command.main([*line, "--line-pause", "-1"])


def test_what_a_killed_run_has_made_is_kept(run_folder, tmp_path):
    texts, output = tmp_path / "texts.csv", tmp_path / "out"
    write(texts, {f"t{number}": f"hello number {'a' * (number % 7 + 1)}" for number in range(400)})
    code = (
        "import sys; from lib.synthesis import table; table._SAVE_SECONDS = 0.1;"
        "from lib.synthesis.__main__ import main; main(sys.argv[1:])"
    )
    line = [sys.executable, "-c", code, "table", run_folder / "onnx", texts, output]
    process = subprocess.Popen(
        [*line, "--format", "wav", "--threads", "1"], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not (output / "speech.tsv").is_file() or len(list(output.glob("*.wav"))) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    recorded = {row["file_name"] for row in read_table(output / "speech.tsv")}
    before = {path.name: path.stat().st_mtime_ns for path in output.glob("*.wav")}
    assert 1 <= len(recorded) < 400
    after = speak(run_folder, texts, output)
    assert len(after) == 400
    assert all(after[name] == before[name] for name in recorded)
    assert not list(output.glob(".*"))
