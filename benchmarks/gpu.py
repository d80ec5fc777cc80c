"""Everything of the training that only a GPU can show, in one command of under nine minutes.

``python -m benchmarks.gpu`` in this folder. It needs torch, transformers, accelerate and numpy: the
clips and the models (a random one of MMS-TTS's size, and a tiny one) are made here. Prints one
table and ends with status 1 if something does not hold. Without a GPU it runs on the CPU, in small,
which shows that the command works and nothing else.
"""

import argparse
import dataclasses
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from accelerate.state import AcceleratorState
from transformers import VitsConfig, VitsTokenizer

from benchmarks.basics import print_table, speechlike
from benchmarks.train_step import measure
from lib.base_model.record import BaseModel
from lib.base_model.tiny import write_tiny_model
from lib.config.training import TrainingSettings
from lib.training import trainer as module
from lib.training.device import free_memory
from lib.training.settings import TrainingPaths
from lib.training.trainer import Trainer
from lib.vits.alignment import maximum_path, maximum_path_reference
from lib.vits.clips import TrainingClip

CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")
TOKENS_PER_SECOND = 27
HOURS, EPOCHS = 7.67, 200
MINUTES = 9.0


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is done."""

    full_size: bool
    clips: int
    steps: int
    long_steps: int
    repeats: int


CARD = Size(full_size=True, clips=600, steps=8, long_steps=300, repeats=5)
SMALL = Size(full_size=False, clips=9, steps=1, long_steps=6, repeats=1)
SMALL_SETTINGS = {"effective_batch_size": 4, "discriminator_channels": 1, "segment_frames": 8}


class SilentLog:
    """Takes what a training shows; TensorBoard need not be installed."""

    def __init__(self, *_: object) -> None: ...

    def __enter__(self) -> "SilentLog":
        return self

    def __exit__(self, *_: object) -> None: ...

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: None


class Bench:
    """A folder with models, clips in memory, and the rows of the table."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.folder, self.size = folder, size
        self.rows: list[tuple[str, str, str]] = []
        self.sound = True
        self.began = time.perf_counter()
        for name, shape in (("full", _full_shape), ("tiny", None)):
            _write_base(folder / name, shape if name == "full" and size.full_size else None)
        seconds = np.random.default_rng(0).permutation(invent_seconds(HOURS))[: size.clips]
        tokenizer = VitsTokenizer.from_pretrained(folder / "full")
        # The longest that is promised is among them.
        self.clips = [_make_clip(n, s, tokenizer) for n, s in enumerate([15.0, *seconds[1:]])]
        module.load_clips = lambda split, *_: (
            self.clips if split.name == "train" else self.clips[:4]
        )
        module.TrainingLog = SilentLog

    def trainer(self, model: str, run: str, use_gpu: bool = CUDA, **changes) -> Trainer:
        """Set a training up; the same run goes on."""
        AcceleratorState._reset_state(reset_partial_state=True)
        free_memory()
        home = self.folder / "runs" / run
        paths = TrainingPaths.within(home, home, self.folder / model)
        settings = TrainingSettings(discriminator_warmup_steps=0, seed=1)
        small = {} if self.size.full_size else SMALL_SETTINGS
        return Trainer(dataclasses.replace(settings, **{**changes, **small}), paths, use_gpu)

    def note(self, what: str, value: object, holds: bool | None = None) -> None:
        """Add a row; `holds` says whether a promise is kept."""
        verdict = "" if holds is None else ("holds" if holds else "FAILS")
        self.rows.append((what, str(value), verdict))
        self.sound = self.sound and holds is not False
        spent = time.perf_counter() - self.began
        sys.stderr.write(f"{spent:5.0f} s  {what}: {value} {verdict}\n")

    def attempt(self, part: Callable[["Bench"], None]) -> None:
        """Run a part; one that breaks does not keep the others from running."""
        if time.perf_counter() - self.began > MINUTES * 60:
            self.note(part.__name__, "no time left", False)
            return
        try:
            part(self)
        except Exception as error:
            self.note(part.__name__, f"{type(error).__name__}: {str(error)[:200]}", False)
        if CUDA:
            torch.cuda.set_sync_debug_mode("default")
            torch.cuda.set_per_process_memory_fraction(1.0)


def invent_seconds(hours: float) -> list[float]:
    """Lengths of clips as recorded sentences have them: most of 2 to 6 s, some of 15."""
    rng = np.random.default_rng(0)
    drawn = np.clip(rng.lognormal(math.log(3.8), 0.5, round(hours * 3600 / 4.2)), 1.0, 15.0)
    return (drawn * hours * 3600 / drawn.sum()).tolist()


def _full_shape(vocab_size: int) -> VitsConfig:
    return VitsConfig(vocab_size=vocab_size)


def _write_base(directory: Path, shape: Callable[[int], VitsConfig] | None) -> None:
    write_tiny_model(directory, **({"shape": shape} if shape else {}))
    base = BaseModel(
        directory=directory,
        source="random",
        origin="random",
        speakers={"spk000": 0},
        names={"spk000": "spk000"},
        discriminator_origin="fresh",
        fresh_discriminator=True,
    )
    base.save()


def _make_clip(number: int, seconds: float, tokenizer: VitsTokenizer) -> TrainingClip:
    """Invent a clip of a length, with as many letters as speech has."""
    random = np.random.default_rng(number)
    letters = "".join(
        random.choice(list("abcdefghij klmnop"), round(seconds * TOKENS_PER_SECOND / 2))
    )
    audio = (speechlike(seconds, 16_000, number) * 32767).astype(np.int16)
    ids = np.asarray(tokenizer(letters).input_ids, dtype=np.int64)
    return TrainingClip(f"clip{number:05d}", letters, audio, ids, 0)


# ---------------------------------------------------------------- the parts


def speed(bench: Bench) -> None:
    """Compare our step with the textbook's."""
    for name, kind in (("fp32", None), ("fp16", torch.float16), ("bf16", torch.bfloat16)):
        if not CUDA and (kind or not bench.size.full_size):
            continue
        theirs, ours = measure(bench.size.repeats, DEVICE, kind)
        ratio = ours["a whole step"] / theirs["a whole step"]
        seconds = f"{ours['a whole step']:.3f} s of {theirs['a whole step']:.3f} s"
        bench.note(f"step, ours / textbook, {name}", f"{ratio:.2f} ({seconds})")


def memory(bench: Bench) -> None:
    """Train clips of 1 to 15 s within 12 and 8 GB, in fp16: micro-batch, peak and speed."""
    for limit in (12.0, 8.0):
        trainer = bench.trainer("full", f"memory{limit:g}", memory_gb=limit, mixed_precision="fp16")
        chosen = trainer.state.micro_batch_clips
        _take_step(trainer)
        if CUDA:
            torch.cuda.reset_peak_memory_stats()
        began, clips = _now(), 0
        steps = min(bench.size.steps, trainer.batches.steps_per_epoch - 1)
        for trainer.state.batch in range(1, 1 + steps):
            clips += sum(map(len, trainer.batches.current()))
            _take_step(trainer)
        rate = clips / (_now() - began)
        hours = len(invent_seconds(HOURS)) * EPOCHS / rate / 3600
        value = f"micro-batch {chosen}, {rate:.1f} clips/s, {hours:.1f} h for {HOURS} h x {EPOCHS}"
        holds = None
        if CUDA:
            peak = torch.cuda.max_memory_reserved() / 2**30
            value, holds = f"{value}, peak {peak:.1f} GB", peak <= limit
        bench.note(f"training within {limit:g} GB", value, holds)


def recovery(bench: Bench) -> None:
    """Let memory really run out: the same clips are trained in smaller parts."""
    trainer = bench.trainer("full", "recovery", memory_gb=4.0, mixed_precision="fp16")
    longest = sorted(trainer.clips, key=lambda clip: -len(clip.audio))[:48]
    trainer.batches.clips = longest
    trainer.batches.lengths = [len(clip.audio) for clip in longest]
    trainer.batches.frames = [clip.num_frames() for clip in longest]
    trainer.state.micro_batch_clips, trainer.state.micro_batch_budget = len(longest), None
    batch, means = trainer._accumulate()
    taken, _ = trainer.train_step.apply(0)
    ran_out = trainer.state.micro_batch_budget is not None
    finite = all(math.isfinite(float(value)) for value in means.values())
    value = f"{len(longest)} clips in parts of at most {max(map(len, batch))}"
    # The first steps in fp16 overflow on a card: the scale is found then.
    holds = finite and (ran_out if CUDA else bool(taken))
    bench.note("out of 4 GB of memory, and on", value, holds)


def half_precision(bench: Bench) -> None:
    """Take some hundred steps in fp16."""
    trainer = bench.trainer(
        "full", "fp16", mixed_precision="fp16", effective_batch_size=16, memory_gb=40.0
    )
    mels: list[torch.Tensor] = []
    state = trainer.state
    while state.step < bench.size.long_steps:
        mels.append(_take_step(trainer)["mel"])
        state.batch += 1
        if state.batch == trainer.batches.steps_per_epoch:
            state.epoch, state.batch = state.epoch + 1, 0
    trainer.non_finite.read()
    ema = all(bool(torch.isfinite(v).all()) for v in trainer.train_step.ema.average.values())
    # Over a tenth of the steps each: clips differ.
    tenth = max(1, len(mels) // 10)
    first, last = (float(torch.stack(part).mean()) for part in (mels[:tenth], mels[-tenth:]))
    value = (
        f"mel {first:.2f} to {last:.2f}, {state.overflowed_steps} overflowed, "
        f"{state.skipped_steps} skipped"
    )
    holds = ema and not state.skipped_steps and (last < first or not CUDA)
    bench.note(f"{state.step} steps in fp16", value, holds)


def resume(bench: Bench) -> None:
    """Let a training go on, on another device and in another precision."""
    changes = [("cpu", "fp16"), ("gpu", "fp16"), ("cpu", "fp16"), ("gpu", "bf16"), ("gpu", "fp16")]
    small = {"effective_batch_size": 8, "discriminator_channels": 2, "segment_frames": 8}
    # Few clips: two of the epochs are trained on the CPU.
    bench.clips = bench.clips[:32]
    for epochs, (device, precision) in enumerate(changes, 1):
        on_gpu = device == "gpu" and CUDA
        run = bench.trainer(
            "tiny", "resume", on_gpu, epochs=epochs, mixed_precision=precision, **small
        )
        if run.device.type != ("cuda" if on_gpu else "cpu"):
            raise RuntimeError(f"trains on {run.device.type}, not on {device}")
        reached = run.state.epoch
        run.run()
        if reached != epochs - 1:
            raise RuntimeError(f"started at epoch {reached} instead of {epochs - 1}")
    path = " - ".join(" ".join(change) for change in changes)
    bench.note("going on", path, run.state.epoch == len(changes))


def alignment(bench: Bench) -> None:
    """Compare this device's alignment with its definition."""
    generator = torch.Generator().manual_seed(0)
    frames, tokens = torch.tensor([180, 97, 55, 1]), torch.tensor([44, 97, 7, 1])
    scores = torch.randn(4, 180, 97, generator=generator)
    path = maximum_path(scores.to(DEVICE), frames.to(DEVICE), tokens.to(DEVICE)).cpu()
    same = True
    for clip in range(4):
        own = path[clip, : frames[clip], : tokens[clip]]
        expected = maximum_path_reference(scores[clip, : frames[clip], : tokens[clip]])
        same = (
            same and own.argmax(1).tolist() == expected and float(path[clip].sum()) == frames[clip]
        )
    bench.note(f"alignment on {DEVICE.type}", "equal to its definition" if same else "other", same)


def waiting(bench: Bench) -> None:
    """Take a step in which waiting for the device is an error."""
    trainer = bench.trainer("tiny", "waiting", mixed_precision="fp16", effective_batch_size=8)
    _take_step(trainer)
    with _no_waiting() if CUDA else nullcontext():
        train_step, step = trainer.train_step, trainer.state.step
        train_step.set_learning_rate(trainer.state)
        means = train_step.accumulate(trainer.batches.current(), step)
        taken, _ = train_step.apply(step)
        train_step.overflowed(taken, means)
    bench.note(
        "a step without waiting for the device",
        "yes" if CUDA else "not on a CPU",
        None if not CUDA else True,
    )


class _no_waiting:  # noqa: N801 - a context
    def __enter__(self) -> None:
        torch.cuda.set_sync_debug_mode("error")

    def __exit__(self, *_: object) -> None:
        torch.cuda.set_sync_debug_mode("default")


PARTS = (alignment, waiting, recovery, memory, speed, half_precision, resume)


def _take_step(trainer: Trainer) -> dict:
    """Take a step as the loop does; return its losses."""
    trainer.train_step.set_learning_rate(trainer.state)
    batch, means = trainer._accumulate()
    taken, _ = trainer.train_step.apply(trainer.state.step)
    overflowed = trainer.train_step.overflowed(taken, means)
    trainer.non_finite.add(trainer.state.step, taken, overflowed, batch)
    trainer.state.step += 1
    return means


def _now() -> float:
    if CUDA:
        torch.cuda.synchronize()
    return time.perf_counter()


def main(line: Sequence[str] | None = None) -> int:
    """Run every part and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=[part.__name__ for part in PARTS])
    arguments = parser.parse_args(line)
    torch.set_flush_denormal(True)
    kept = module.load_clips, module.TrainingLog
    try:
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), CARD if CUDA else SMALL)
            for part in PARTS:
                if arguments.only is None or part.__name__ in arguments.only:
                    bench.attempt(part)
    finally:
        module.load_clips, module.TrainingLog = kept
        AcceleratorState._reset_state(reset_partial_state=True)
    name = torch.cuda.get_device_name() if CUDA else "CPU, in small"
    print_table((f"{name}, torch {torch.__version__}", "measured", ""), bench.rows)
    return 0 if bench.sound else 1


if __name__ == "__main__":
    sys.exit(main())
