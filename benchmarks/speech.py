"""How fast a voice speaks: by onnxruntime as here, by transformers, and by sherpa-onnx.

``python -m benchmarks.speech``. Of every model one sentence without noise, so that all speak the
same waveform, in turns; of all turns the median, and the median of the ratios to ours in the same
turn, because two cores are seldom alone. The full-size model (36 M parameters) has random
weights; the small one is that of ``resources/base_model``.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sherpa_onnx
import torch
from transformers import VitsConfig

from benchmarks.basics import print_table
from lib.base_model.tiny import write_tiny_model
from lib.packs.onnx_file import export_onnx
from lib.packs.sherpa import write_sherpa_pack
from lib.synthesis.onnx_model import OnnxModel
from lib.synthesis.sound import Sound
from lib.synthesis.synthesizer import Synthesizer
from lib.synthesis.torch_model import TorchModel

SENTENCE = "the quick brown fox"
SILENT = Sound(noise=0.0, duration_noise=0.0)
SAMPLE_RATE = 16_000
SMALL = Path("resources/base_model")


def make_models(folder: Path) -> dict[str, Path]:
    """Return the folders of both models; beside each is its ONNX file, and a pack."""
    write_tiny_model(folder / "full/model", shape=lambda size: VitsConfig(vocab_size=size))
    # The durations of random weights are long; the time for a second of speech is the same.
    (folder / "small").mkdir()
    (folder / "small/model").symlink_to(SMALL.resolve())
    for name in ("full", "small"):
        export_onnx(folder / name / "model", folder / name / "onnx", "eng")
        (folder / name / "pack").mkdir()
        write_sherpa_pack(folder / name / "onnx", folder / name / "pack")
    return {"36 M": folder / "full", "3 M": folder / "small"}


def load_engines(folder: Path, threads: int) -> dict[str, Callable[[], int]]:
    """Return functions that speak the sentence and return the number of samples."""
    ids = Synthesizer(folder / "onnx", 1).encode(SENTENCE)
    ours, theirs = OnnxModel(folder / "onnx", threads), TorchModel(folder / "model")
    pack = load_sherpa(folder / "pack", threads)
    settings = sherpa_onnx.GenerationConfig()
    settings.silence_scale = 1.0

    def by_torch() -> int:
        torch.set_num_threads(threads)
        return len(theirs.generate(ids, 0, SILENT))

    return {
        "ours": lambda: len(ours.generate(ids, 0, SILENT)),
        "transformers": by_torch,
        "sherpa-onnx": lambda: len(pack.generate(SENTENCE, settings).samples),
    }


def load_sherpa(pack: Path, threads: int) -> sherpa_onnx.OfflineTts:
    """Load a pack as the programs built on sherpa-onnx do."""
    files = {"model": str(pack / "model.onnx"), "tokens": str(pack / "tokens.txt"), "lexicon": ""}
    vits = sherpa_onnx.OfflineTtsVitsModelConfig(**files, noise_scale=0.0, noise_scale_w=0.0)
    model = sherpa_onnx.OfflineTtsModelConfig(vits=vits, num_threads=threads)
    return sherpa_onnx.OfflineTts(sherpa_onnx.OfflineTtsConfig(model=model))


def measure(engines: dict[str, Callable[[], int]], seconds: float) -> dict[str, np.ndarray]:
    """Return for every engine ``(turns, 2)``: time and CPU time for a second of speech."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in engines}
    for speak in engines.values():
        speak()
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        for name, speak in engines.items():
            # The threads of the engine before go on looking for work for a moment.
            time.sleep(0.1)
            start, start_of_cpu = time.perf_counter(), time.process_time()
            spoken = speak() / SAMPLE_RATE
            spent = (time.perf_counter() - start, time.process_time() - start_of_cpu)
            times[name].append((spent[0] / spoken, spent[1] / spoken))
    return {name: np.array(spent) for name, spent in times.items()}


def measure_start(model: Path, repeats: int) -> float:
    """Return the seconds from the start of the command to the file of a short sentence."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        line = ["-m", "lib.synthesis", str(model), "good morning", "--output", f"{folder}/a.wav"]
        for _ in range(repeats):
            start = time.perf_counter()
            subprocess.run([sys.executable, *line], check=True, capture_output=True)
            times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="of the whole command")
    parser.add_argument("--seconds", type=float, default=45, help="of each model and thread count")
    arguments = parser.parse_args()
    rows, starts = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for name, folder in make_models(Path(scratch)).items():
            for threads in (1, 2):
                found = measure(load_engines(folder, threads), arguments.seconds)
                for engine, spent in found.items():
                    figures = [f"{value:.3f}" for value in np.median(spent, axis=0)]
                    ratios = np.median(spent / found["ours"], axis=0)
                    row = (name, threads, engine, len(spent), *figures)
                    rows.append((*row, *(f"{ratio:.2f}" for ratio in ratios)))
            # Without the ONNX file beside it the model is run by torch.
            alone = folder / "alone/model"
            alone.parent.mkdir()
            alone.symlink_to((folder / "model").resolve())
            for what, voice in (
                ("the ONNX file", folder / "onnx"),
                ("the model, whose ONNX file is compared with it", folder / "model"),
                ("the model by transformers", alone),
            ):
                starts.append((name, what, f"{measure_start(voice, arguments.repeats):.2f}"))
    header = ("model", "threads", "engine", "turns", "seconds per second", "of the CPU")
    print_table((*header, "ratio to ours", "of the CPU"), rows)
    print_table(("model", "spoken from", "seconds to the file of two words"), starts)


if __name__ == "__main__":
    main()
