"""A run of hundreds of clips is read in the terminal without scrolling."""

import numpy as np
import soundfile

COUNT = 400


def test_hundreds_of_clips_make_few_lines(empty_project):
    data = empty_project.folder / "data"
    time = np.arange(10_000) / 16_000
    rows = {}
    for number in range(COUNT):
        tone = 0.2 * np.sin(2 * np.pi * (120 + number % 7) * time)
        soundfile.write(data / f"clip{number:03d}.wav", tone, 16_000)
        rows[f"clip{number:03d}.wav"] = f"sentence {number}"
    empty_project.write_source(rows)
    outcome = empty_project.run("results/measurements.tsv")
    lines = outcome.output.splitlines()
    assert outcome.jobs == {"convert_audio": COUNT, "collect_measurements": 1}
    assert len(lines) < 60, outcome.output
    assert any(f"convert_audio: {COUNT} of {COUNT} (100%)" in line for line in lines)
    # Every job is in the log file.
    assert empty_project.log(outcome.output).count("rule convert_audio:") == COUNT
    planned = empty_project.run("--dry-run", "--forceall", "results/measurements.tsv")
    assert planned.jobs["convert_audio"] == COUNT
    assert len(planned.output.splitlines()) < 90, planned.output
    # Who wants every job in the terminal gets it.
    verbose = empty_project.run("--printshellcmds", "--dry-run", "--forceall", "dataset")
    assert verbose.output.count("rule convert_audio:") == COUNT
