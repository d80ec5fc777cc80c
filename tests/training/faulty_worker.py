"""A worker in which one rank meets a fault, for tests of several processes."""

import os
import signal
import sys

import torch

from lib.training import run
from lib.training.settings import NETWORKS
from lib.training.step import TrainStep

FAULT, RANK = os.environ["FAULT"], os.environ["RANK"]
_accumulate, _apply = TrainStep.accumulate, TrainStep.apply


def accumulate(train_step, batch, step, learning=NETWORKS):
    if FAULT == "memory" and RANK == "1" and max(map(len, batch)) > 1:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    if FAULT == "no memory at all" and RANK == "0":
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    if FAULT == "crash" and RANK == "1" and step == 1:
        raise RuntimeError("rank one is broken")
    if FAULT == "kill" and RANK == "0" and step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return _accumulate(train_step, batch, step, learning)


def apply(train_step, step):
    if FAULT == "signal" and RANK == "1" and step == 2:
        os.kill(os.getpid(), signal.SIGTERM)
    return _apply(train_step, step)


TrainStep.accumulate, TrainStep.apply = accumulate, apply

if __name__ == "__main__":
    sys.exit(run.work())
