"""The log of a training is written by one process, and tells the curves' numbers."""

import time

import numpy as np
import torch

from lib.training.logging import TrainingLog, _colour, archive_curves


def test_only_the_main_process_logs_and_shows_progress(tmp_path, capsys):
    with TrainingLog(tmp_path / "quiet", 10, 0, active=False) as quiet:
        quiet.scalars("loss", {"mel": 1.0}, 1)
        quiet.bar.refresh()
    assert capsys.readouterr().err == "" and not (tmp_path / "quiet").exists()
    with TrainingLog(tmp_path / "loud", 10, 4) as loud:
        loud.bar.refresh()
        loud.advance(3, {"mel": 0.25})
        loud.bar.refresh()
    shown = capsys.readouterr().err
    assert "training, going on at step 4" in shown and "4/10" in shown
    assert "5/10" in shown and "epoch=3" in shown and "mel=0.25" in shown
    assert list((tmp_path / "loud").glob("events.*"))


def test_pictures_go_from_black_to_white_with_row_0_at_the_bottom():
    picture = _colour(torch.tensor([[0.0, 1 / 3], [2 / 3, 1.0]]))
    black, violet, orange, white = (0, 0, 10), (90, 20, 110), (240, 120, 30), (255, 250, 220)
    expected = np.array([[orange, white], [black, violet]])
    assert np.abs(picture.astype(int) - expected).max() <= 1
    assert (_colour(torch.ones(2, 3)) == black).all()


def test_earlier_curves_of_one_second_get_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda _: "20260101-120000")
    names = []
    for run in range(3):
        (tmp_path / "events.out.tfevents.1").write_text(str(run))
        kept = archive_curves(tmp_path)
        assert (kept / "events.out.tfevents.1").read_text() == str(run)
        names.append(kept.name)
    assert names == [f"until-20260101-120000{end}" for end in ("", "-2", "-3")]
    assert archive_curves(tmp_path) is None
