"""The log of a training is written by one process, and tells the curves' numbers."""

from lib.training.logging import TrainingLog


def test_only_the_main_process_logs_and_shows_progress(tmp_path, capsys):
    with TrainingLog(tmp_path / "quiet", 10, 0, active=False) as quiet:
        quiet.scalars("loss", {"mel": 1.0}, 1)
        quiet.bar.refresh()
    assert capsys.readouterr().err == "" and not (tmp_path / "quiet").exists()
    with TrainingLog(tmp_path / "loud", 10, 4) as loud:
        loud.bar.refresh()
    shown = capsys.readouterr().err
    assert "training, going on at step 4" in shown and "4/10" in shown
    assert list((tmp_path / "loud").glob("events.*"))
