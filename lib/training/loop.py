"""The training loop of VITS (arXiv 2106.06103), from top to bottom.

setup: device, data, networks -> where to go on -> epochs of windows of micro-batches ->
validation, samples, checkpoints -> a summary for the export.
"""

import contextlib
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import VitsTokenizer

from lib.files import write_json
from lib.locking import take_lock
from lib.training.base_model import BaseModel
from lib.training.checkpoint import (
    Progress,
    newest_checkpoint,
    remove_surplus,
    replace_checkpoints,
    save_checkpoint,
    saved_step,
)
from lib.training.data import load_clips
from lib.training.device import start_accelerator
from lib.training.guard import SkippedSteps
from lib.training.interruption import Interruption
from lib.training.learner import NETWORKS, ClipWindow, Learner
from lib.training.memory import bound_memory, fits_in_memory
from lib.training.monitor import Monitor, Pace, mel_picture
from lib.training.resumption import Resumption, decide_resumption, describe_recipe
from lib.training.settings import TrainingSettings
from lib.training.validation import choose_clips, validate
from lib.training.windows import Windows
from lib.vits.synthesis import synthesize

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingPaths:
    """Where a training reads and writes."""

    dataset: Path
    base_model: Path
    checkpoints: Path
    tensorboard: Path
    summary: Path


def train(
    settings: TrainingSettings,
    paths: TrainingPaths,
    use_gpu: bool,
    threads: int,
    texts: Sequence[str] = (),
) -> None:
    """Train a voice: take up where an earlier run stopped, go to the end, write the summary.

    Parameters
    ----------
    use_gpu
        Whether a CUDA device may be used; without one the CPU is.
    threads
        CPU threads. The same number gives the same bits.
    texts
        The first one is spoken by every speaker in TensorBoard; none takes a clip's.

    Raises
    ------
    LockedError
        If another process trains here.
    TrainingInterrupted, TrainingDivergedError, MemoryError
        See `Trainer.run`; the state is saved in each case.
    """
    torch.set_num_threads(threads)
    # Denormals from decaying activations cost a CPU a hundred times a normal number's time.
    torch.set_flush_denormal(True)
    with contextlib.ExitStack() as held:
        Trainer(settings, paths, use_gpu, texts, held).run()


class Trainer:
    """One training, from setup to the last checkpoint."""

    def __init__(
        self,
        settings: TrainingSettings,
        paths: TrainingPaths,
        use_gpu: bool,
        texts: Sequence[str] = (),
        held: contextlib.ExitStack | None = None,
    ) -> None:
        """Set everything up; what must be released at the end goes into `held`."""
        self.settings, self.paths = settings, paths

        # ---- device and precision
        self.accelerator = start_accelerator(settings, use_gpu)
        self.device = self.accelerator.device
        bound_memory(self.device, settings.memory_gb)
        if held and self.accelerator.is_main_process:
            # A run that was killed may have left its training behind, alive.
            lock = paths.checkpoints.parent / "state/training.lock"
            held.enter_context(take_lock(lock, "training"))

        # ---- data
        self.base = BaseModel.open(paths.base_model)
        self.tokenizer = VitsTokenizer.from_pretrained(paths.base_model)
        known = self.base.texts()
        self.clips, held_out = (
            load_clips(paths.dataset / split, self.tokenizer, self.base.speakers, known)
            for split in ("train", "validation")
        )
        if not self.clips:
            raise ValueError(f"{paths.dataset}: no clip to train on; see rejected.tsv")
        self.held_out = choose_clips(held_out, settings.max_validation_clips, settings.seed)
        sample_text = next(iter([*texts, *(clip.text for clip in [*self.held_out, *self.clips])]))
        self.sample_ids = self.tokenizer(sample_text).input_ids

        # ---- networks, and where they go on
        self.learner = Learner(settings, self.base, self.accelerator)
        self.progress = Progress()
        vocabulary = self.tokenizer.get_vocab()
        self.recipe = describe_recipe(settings, self.base, vocabulary, [*self.clips, *held_out])
        self.skipped = SkippedSteps(self.progress, settings.max_skipped_steps)
        self._go_on()
        continued = self.recipe["continued"]
        self.epochs = settings.continue_epochs if continued else settings.epochs
        fresh = self.base.fresh_discriminator and not continued
        start = 0 if continued else settings.discriminator_start_step
        # Steps in which the generator learns alone, then steps in which the discriminator does.
        self.phases = start, start + (settings.discriminator_warmup_steps if fresh else 0)
        self.windows = Windows(self.clips, settings, self.progress)
        self.windows.probe(self._fits)
        self.pace = Pace()
        self.last_save = time.monotonic()

    # ------------------------------------------------------------------ the loop

    def run(self) -> None:
        """Train to the end, or until interrupted.

        Raises
        ------
        TrainingInterrupted
            After SIGTERM or Ctrl-C, once the state is saved.
        TrainingDivergedError
            If steps keep giving no finite gradient.
        """
        progress = self.progress
        total = self.epochs * len(self.windows.of_epoch(0))
        main = self.accelerator.is_main_process
        monitor = Monitor(self.paths.tensorboard, total, progress.step, main)
        with Interruption() as interruption:
            while progress.epoch < self.epochs and not self._is_stale():
                windows = self.windows.of_epoch(progress.epoch)
                self.learner.freeze(progress.epoch)
                while progress.window < len(windows):
                    self._train_window(windows[progress.window], monitor)
                    progress.window += 1
                    progress.step += 1
                    if interruption.requested or self._save_is_due():
                        self._save(f"step{progress.step:08d}")
                    interruption.stop_if_requested()
                progress.epoch += 1
                progress.window = 0
                self._finish_epoch(monitor)
        monitor.close()
        if main:
            self._write_summary()

    def _train_window(self, window: ClipWindow, monitor: Monitor) -> None:
        """One optimizer step of both networks."""
        progress, learner = self.progress, self.learner
        window = self.windows.fit(window)
        learning_rate = learner.set_learning_rate(progress)
        try:
            means = learner.accumulate(window, progress.step, self._learning(progress.step))
        except torch.cuda.OutOfMemoryError:
            # No state has changed yet: the same window again, in smaller parts.
            self.windows.shrink(window)
            return self._train_window(window, monitor)
        taken, norms = learner.apply(progress.step)
        self.skipped.add(progress.step, taken, window)
        self.pace.count(sum(map(len, window)))
        shown = {}
        if progress.step % self.settings.log_every == 0:
            # Only here, and before a save, does the loop wait for the device.
            self.skipped.read()
            shown = {name: float(value) for name, value in means.items()}
            extra = {"learning_rate": learning_rate, "skipped_steps": progress.skipped_steps}
            extra |= self.pace.read(learner.data_seconds)
            if self.device.type == "cuda":
                extra["peak_memory_gb"] = torch.cuda.max_memory_allocated() / 2**30
            for group, values in (
                ("train", shown),
                ("gradient_norm", norms),
                ("optimizer", extra),
            ):
                monitor.scalars(group, values, progress.step)
        monitor.advance(progress.epoch, shown)

    def _learning(self, step: int) -> tuple[str, ...]:
        """Name the networks that learn in a step."""
        generator_alone, discriminator_alone = self.phases
        if step < generator_alone:
            return ("generator",)
        return ("discriminator",) if step < discriminator_alone else NETWORKS

    def _finish_epoch(self, monitor: Monitor) -> None:
        """Validate, speak samples, save milestones and the best state."""
        settings, progress = self.settings, self.progress
        last = progress.epoch == self.epochs
        # Under the last step taken: what a resumed run repeats begins with the next one.
        step = progress.step - 1
        if self.held_out and (last or progress.epoch % settings.validate_every == 0):
            self._validate(monitor, step)
        if self._is_stale():
            logger.info("No better validation score since epoch %d: stopping", progress.best_epoch)
            last = True
        if last or progress.epoch % settings.samples_every == 0:
            with self.learner.ema.applied():
                for speaker, row in self.base.learnt_speakers().items():
                    waveform = synthesize(self.learner.model, self.sample_ids, row, settings.seed)
                    monitor.audio(f"samples/{speaker}", waveform, step)
        progress.finished = last
        self._save_epoch()

    def _is_stale(self) -> bool:
        """Whether validation has not improved for as long as early stopping waits."""
        patience, best = self.settings.early_stopping_epochs, self.progress.best_epoch
        return None not in (patience, best) and self.progress.epoch - best >= patience

    def _fits(self, window: ClipWindow) -> bool:
        """Whether both networks can learn from a window at once."""
        if self.device.type != "cuda":
            return True
        return fits_in_memory(lambda: self.learner.accumulate(window, step=0))

    def _validate(self, monitor: Monitor, at: int) -> None:
        """Measure the averaged weights on the validation clips; keep the best."""
        settings, progress = self.settings, self.progress
        with self.learner.ema.applied(), self.accelerator.autocast():
            result = validate(
                self.learner.model,
                self.held_out,
                self.learner.spectrogram,
                settings.loss_weights,
                settings.segment_frames,
                self.progress.micro_batch,
                settings.seed,
                self.device,
            )
        monitor.scalars("validation", {**result.losses, "score": result.score}, at)
        example = result.example
        monitor.picture("validation/mel_true", mel_picture(example.target_mel[0]), at)
        monitor.picture("validation/mel_generated", mel_picture(example.mel[0]), at)
        monitor.picture("validation/alignment", example.path[0].T, at)
        logger.info("Epoch %d: validation score %.4f", progress.epoch, result.score)
        # A score that is not a number is worse than any.
        best = math.inf if progress.best_score is None else progress.best_score
        if result.score < best:
            progress.best_score, progress.best_epoch = result.score, progress.epoch

    # ------------------------------------------------------------------ state

    def _go_on(self) -> None:
        """Take up the newest checkpoint as far as the recipe allows."""
        found = newest_checkpoint(self.paths.checkpoints) if self.settings.resume else None
        decision = decide_resumption(found, self.recipe, self.settings)
        if decision is Resumption.RESUME:
            self.learner.restore(found)
            self.progress = self.skipped.progress = found.progress
            self.recipe["continued"] = found.recipe["continued"]
            logger.info("Going on at epoch %d, step %d", self.progress.epoch, self.progress.step)
            if self.progress.epoch and not self.progress.window:
                self._save_epoch()
            return
        first = None
        if decision is Resumption.WARM_START:
            self.learner.warm_start(found, self.base.speakers, self.recipe["vocabulary"])
            self.recipe["continued"] = True
            first = self.learner.checkpoint(self.progress, self.recipe)
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            archived = replace_checkpoints(self.paths.checkpoints, first)
            if archived:
                logger.warning("Earlier checkpoints are kept in %s", archived)

    def _save_epoch(self) -> None:
        """Save what the end of an epoch asks for, unless a run that was killed here has."""
        progress = self.progress
        names = ["best"] if progress.best_epoch == progress.epoch else []
        if progress.finished or progress.epoch % self.settings.checkpoint_every == 0:
            names.append(f"epoch{progress.epoch:04d}")
        for name in names:
            if saved_step(self.paths.checkpoints / name) != progress.step:
                self._save(name)

    def _save_is_due(self) -> bool:
        return time.monotonic() - self.last_save > self.settings.save_minutes * 60

    def _save(self, name: str) -> None:
        self.last_save = time.monotonic()
        self.skipped.read()
        if self.accelerator.is_main_process:
            checkpoint = self.learner.checkpoint(self.progress, self.recipe)
            save_checkpoint(self.paths.checkpoints / name, checkpoint)
            remove_surplus(self.paths.checkpoints, self.settings.keep)

    def _write_summary(self) -> None:
        """Say what the training came to and where its weights are."""
        last = self.paths.checkpoints / f"epoch{self.progress.epoch:04d}"
        best = last if self.progress.best_epoch is None else self.paths.checkpoints / "best"
        summary = {
            **asdict(self.progress),
            "last": str(last),
            "best": str(best),
            "clips": len(self.clips),
            "validation_clips": len(self.held_out),
            "excluded": self.base.excluded,
            "tensorboard": str(self.paths.tensorboard),
        }
        write_json(self.paths.summary, summary)
