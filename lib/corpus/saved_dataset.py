"""Read a dataset that `datasets.save_to_disk` has written, with pyarrow alone.

So a GPU machine needs neither `datasets` nor an audio decoder. pyarrow is imported only when a
dataset is read, because benchmarks/gpu.py trains without it.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path


def read_split(split: Path, columns: Sequence[str]) -> Iterator[dict]:
    """Yield some columns of a split's rows, in the order of its files."""
    import pyarrow as pa

    state = json.loads((split / "state.json").read_text("utf-8"))
    for entry in state["_data_files"]:
        with pa.memory_map(str(split / entry["filename"])) as source:
            for batch in pa.ipc.open_stream(source):
                yield from batch.select(list(columns)).to_pylist()
