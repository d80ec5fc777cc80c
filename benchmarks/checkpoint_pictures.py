"""Draw what benchmarks.checkpoint_choice has measured: figures over epochs, and spoken sentences.

python -m benchmarks.checkpoint_pictures RESULTS --work FOLDER [--output benchmarks/checkpoints]

RESULTS and FOLDER are those of benchmarks.checkpoint_choice.
"""

import argparse
import tempfile
from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.checkpoint_choice import KINDS
from lib.base_model.export import export_checkpoint
from lib.evaluation.checkpoints import list_checkpoints
from lib.evaluation.quality import Sentence, choose_sentences, synthesize_sentences
from lib.report.plot_style import BLUE, ORANGE, new_figure, styled
from lib.report.sample_plots import compute_mel
from lib.synthesis.synthesizer import Synthesizer
from lib.tables import read_table

PANELS = (
    ("composite", "composite"),
    ("understood sentences", "sentences"),
    ("own similarity", "own_similarity"),
    ("distortion (dB)", "distortion"),
    ("likelihood, training", "likelihood_train"),
    ("likelihood, held out", "likelihood_validation"),
)
COLOURS = dict(zip(KINDS, (BLUE, ORANGE), strict=True))


@styled
def draw_curves(work: Path, path: Path) -> None:
    """Draw the figures of both trainings over their epochs."""
    figure, panels = new_figure(height=4.6, rows=2, columns=3)
    for (title, name), axes in zip(PANELS, panels, strict=True):
        axes.set_title(title)
        for kind in KINDS:
            rows = [row for row in read_table(work / kind / "table.tsv") if row["epoch"]]
            points = [(int(row["epoch"]), float(row[name])) for row in rows if row[name]]
            axes.plot(*zip(*points, strict=True), color=COLOURS[kind], marker="o", label=kind)
        axes.set_xlabel("epoch")
    panels[0].legend()
    figure.savefig(path, dpi=80)


@styled
def draw_speech(results: Path, work: Path, sentence: Sentence, path: Path) -> None:
    """Draw a held-out sentence: its recording, and what every checkpoint says."""
    kept = {kind: list_checkpoints(work / kind / "training.json") for kind in KINDS}
    rows = 1 + max(map(len, kept.values()))
    figure, panels = new_figure(height=0.4 + 1.3 * rows, rows=rows, columns=2)
    grid = panels.reshape(rows, 2)
    recordings = {"clean": results / "clips", "noisy": work / "noisy/clips"}
    for column, kind in enumerate(KINDS):
        _draw(grid[0, column], recordings[kind] / f"{sentence.clip}.wav", f"recording, {kind}")
        for axes, checkpoint in zip(grid[1:, column], kept[kind], strict=False):
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                export_checkpoint(checkpoint.folder, results / "base_model", folder / "m", "und")
                spoken = synthesize_sentences(Synthesizer(folder / "m"), [sentence], folder)
                _draw(axes, spoken[sentence.clip], f"{kind}, {checkpoint.name}")
    figure.savefig(path, dpi=80)


def _draw(axes: Axes, wav: Path, title: str) -> None:
    mel, seconds = compute_mel(wav)
    axes.set_title(title)
    axes.imshow(mel, origin="lower", aspect="auto", extent=(0, seconds, 0, len(mel)), cmap="magma")
    axes.set(yticks=[])
    axes.grid(False)


def main() -> None:
    """Draw both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="output folder of a finished run")
    parser.add_argument("--work", type=Path, required=True, help="folder of the two trainings")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/checkpoints"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    draw_curves(arguments.work, arguments.output / "curves.png")
    sentence = choose_sentences(arguments.results / "dataset", 1)[0]
    draw_speech(arguments.results, arguments.work, sentence, arguments.output / "speech.png")


if __name__ == "__main__":
    main()
