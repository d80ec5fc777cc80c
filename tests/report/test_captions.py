from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import Environment, StrictUndefined

from lib.report.training_plots import plot_training
from tests.fixtures.made_run import write_log
from tests.report.test_corpus_plots import draw_corpus, draw_speakers
from tests.report.test_sample_plots import draw as draw_samples

CAPTIONS = Path(__file__).resolve().parents[2] / "workflow/report"


@pytest.mark.parametrize("part", ["corpus", "speakers", "training", "voices"])
def test_every_figure_has_a_caption(run, part):
    run.write()
    draw_corpus(run)
    draw_speakers(run)
    draw_samples(run)
    folder = run.folder / "report"
    log = write_log(run.folder / "tensorboard")
    plot_training(log, run.folder / "training.json", folder / "training")
    caption = Environment(undefined=StrictUndefined).from_string(
        (CAPTIONS / f"{part}.rst").read_text("utf-8")
    )
    figures = [path.stem for path in (folder / part).glob("*.svg")]
    assert figures
    for figure in figures:
        wildcards = SimpleNamespace(figure=figure)
        assert len(caption.render(snakemake=SimpleNamespace(wildcards=wildcards)).strip()) > 30
