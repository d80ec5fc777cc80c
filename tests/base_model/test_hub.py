"""Where base models come from: a Hub on this machine, its cache, and directories."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.base_model.hub import (
    BaseModelError,
    BaseSource,
    check_base_model,
    find_base_model,
    find_discriminators,
    generator_file,
    is_fetched,
    spoken_language,
)
from lib.base_model.tiny import write_tiny_model
from tests.base_model.fake_hub import FakeHub, serve

ROOT = Path(__file__).resolve().parents[2]

FIND = """
import json, logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s")
from lib.base_model import hub
try:
    {do}
except hub.BaseModelError as error:
    print(json.dumps({{"error": str(error)}}))
"""
CHECK = "hub.check_base_model(sys.argv[1]); print('{}')"
FETCH = (
    "base = hub.find_base_model(sys.argv[1]); "
    "print(json.dumps({'directory': str(base.directory), 'original': base.original}))"
)
DISCRIMINATORS = (
    "found = list(hub.find_discriminators(hub.find_base_model(sys.argv[1]))); "
    "print(json.dumps({'origins': [origin for origin, _ in found]}))"
)


@pytest.fixture
def hub(tmp_path) -> Iterator[FakeHub]:
    root = tmp_path / "hub"
    write_tiny_model(root / "facebook/mms-tts-xyz")
    (root / "facebook/mms-asr").mkdir()
    (root / "facebook/mms-asr/config.json").write_text('{"model_type": "wav2vec2"}')
    (root / "facebook/mms-tts").mkdir()
    (root / "facebook/mms-tts/README.md").touch()
    with serve(root) as hub:
        yield hub


def ask(endpoint: str, home: Path, do: str, source: str) -> dict:
    """Run in a process of its own: huggingface_hub reads its environment once, at import."""
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("HF_")},
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
    }
    command = [sys.executable, "-c", FIND.format(do=do), source]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout.splitlines()[-1]), "log": done.stderr}


def add_discriminator(hub: FakeHub, code: str) -> None:
    path = hub.root / f"facebook/mms-tts/full_models/{code}/D_100000.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(code.encode())


# ---------------------------------------------------------------- the Hub


def test_a_model_that_exists_passes_and_is_fetched(hub, tmp_path):
    assert "error" not in ask(hub.endpoint, tmp_path / "home", CHECK, "facebook/mms-tts-xyz")
    weights = [r for r in hub.requests if "resolve" in r and "safetensors" in r]
    assert not weights, "a check downloads no weights"
    found = ask(hub.endpoint, tmp_path / "home", FETCH, "facebook/mms-tts-xyz")
    fetched = Path(found["directory"])
    assert not found["original"]
    for name in ("config.json", "model.safetensors", "vocab.json", "tokenizer_config.json"):
        original = hub.root / "facebook/mms-tts-xyz" / name
        assert (fetched / name).read_bytes() == original.read_bytes()


def test_one_that_does_not_exist_is_refused_with_a_suggestion(hub, tmp_path):
    told = ask(hub.endpoint, tmp_path / "home", CHECK, "facebook/mms-tts-qqq")["error"]
    assert "base_model.source: there is no public model 'facebook/mms-tts-qqq'" in told
    assert "facebook/mms-tts-<ISO 639-3 code>" in told and "related language" in told


def test_another_kind_of_model_is_refused(hub, tmp_path):
    told = ask(hub.endpoint, tmp_path / "home", CHECK, "facebook/mms-asr")["error"]
    assert "facebook/mms-asr is a model of type 'wav2vec2'; expected 'vits'" in told


@pytest.mark.parametrize("code", ["cmn", "cmn-script_simplified"])
def test_what_was_never_published_is_refused_without_a_request(hub, tmp_path, code):
    told = ask(hub.endpoint, tmp_path / "home", CHECK, f"facebook/mms-tts-{code}")["error"]
    assert "does not exist: MMS-TTS was never published for" in told
    assert "Nearest: facebook/mms-tts-" in told
    assert not hub.requests


def test_without_network_it_is_refused_at_once_with_a_way_out(hub, tmp_path):
    endpoint = hub.endpoint
    hub.server.shutdown()
    hub.server.server_close()
    start = time.monotonic()
    told = ask(endpoint, tmp_path / "home", CHECK, "facebook/mms-tts-xyz")["error"]
    assert time.monotonic() - start < 15
    assert "not in the local cache and the Hub cannot be reached" in told
    assert "set base_model.source to its directory" in told


def test_a_hub_that_does_not_answer_is_given_up(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(FakeHub, "answer", lambda self, request: time.sleep(30))
    start = time.monotonic()
    told = ask(hub.endpoint, tmp_path / "home", CHECK, "facebook/mms-tts-xyz")["error"]
    assert time.monotonic() - start < 25
    assert "the Hub cannot be reached" in told


def test_what_is_cached_passes_without_a_request_and_works_without_network(hub, tmp_path):
    first = ask(hub.endpoint, tmp_path / "home", FETCH, "facebook/mms-tts-xyz")
    hub.requests.clear()
    assert "error" not in ask(hub.endpoint, tmp_path / "home", CHECK, "facebook/mms-tts-xyz")
    assert not hub.requests
    endpoint = hub.endpoint
    hub.server.shutdown()
    hub.server.server_close()
    again = ask(endpoint, tmp_path / "home", FETCH, "facebook/mms-tts-xyz")
    assert again["directory"] == first["directory"]


def test_half_a_download_is_named(hub, tmp_path):
    found = ask(hub.endpoint, tmp_path / "home", FETCH, "facebook/mms-tts-xyz")
    (Path(found["directory"]) / "vocab.json").unlink()
    endpoint = hub.endpoint
    hub.server.shutdown()
    hub.server.server_close()
    told = ask(endpoint, tmp_path / "home", FETCH, "facebook/mms-tts-xyz")["error"]
    assert "'facebook/mms-tts-xyz' could not be downloaded" in told and "vocab.json" in told


def test_a_download_that_breaks_off_is_never_taken_for_whole(hub, tmp_path):
    """Neither at once nor by a later start, which goes on with it."""
    home, name = tmp_path / "home", "model.safetensors"
    whole = (hub.root / "facebook/mms-tts-xyz" / name).read_bytes()
    hub.cut[name] = len(whole) // 2
    told = ask(hub.endpoint, home, FETCH, "facebook/mms-tts-xyz")["error"]
    assert "'facebook/mms-tts-xyz' could not be downloaded" in told
    assert not list(home.rglob(name)), "half a file has the name of a whole one"
    hub.cut.clear()
    found = ask(hub.endpoint, home, FETCH, "facebook/mms-tts-xyz")
    assert (Path(found["directory"]) / name).read_bytes() == whole


def test_a_repository_that_lacks_files_is_named(hub, tmp_path):
    (hub.root / "facebook/mms-tts-xyz/vocab.json").unlink()
    told = ask(hub.endpoint, tmp_path / "home", FETCH, "facebook/mms-tts-xyz")["error"]
    assert "lacks vocab.json" in told


# ---------------------------------------------------------------- discriminators


@pytest.mark.parametrize(
    ("source", "published", "expected"),
    [
        ("xyz", ["xyz", "eng"], ["xyz", "eng"]),
        ("xyz", ["eng"], ["eng"]),
        ("xyz", [], []),
        ("xyz-script_latin", ["xyz-script_latin", "eng"], ["xyz-script_latin", "eng"]),
        ("xyz-script_latin", ["xyz", "eng"], ["xyz", "eng"]),
        ("eng", ["eng"], ["eng"]),
    ],
)
def test_discriminators_the_best_first(hub, tmp_path, source, published, expected):
    write_tiny_model(hub.root / f"facebook/mms-tts-{source}")
    for code in published:
        add_discriminator(hub, code)
    name = f"facebook/mms-tts-{source}"
    assert ask(hub.endpoint, tmp_path / "home", DISCRIMINATORS, name)["origins"] == expected


def test_only_the_discriminator_that_is_asked_for_is_downloaded(hub, tmp_path):
    add_discriminator(hub, "xyz")
    add_discriminator(hub, "eng")
    do = (
        "origin, path = next(hub.find_discriminators(hub.find_base_model(sys.argv[1]))); "
        "print(json.dumps({'content': path.read_text()}))"
    )
    found = ask(hub.endpoint, tmp_path / "home", do, "facebook/mms-tts-xyz")
    assert found["content"] == "xyz"
    assert not any("eng/D_" in request for request in hub.requests)


def test_other_voices_of_the_hub_have_none(hub, tmp_path):
    write_tiny_model(hub.root / "somebody/voice")
    add_discriminator(hub, "eng")
    assert ask(hub.endpoint, tmp_path / "home", DISCRIMINATORS, "somebody/voice")["origins"] == []


def test_a_directory_holds_its_own(tmp_path):
    for name in ("D_90000.pth", "D_100000.pth", "discriminator.safetensors", "G_1.pth"):
        (tmp_path / name).touch()
    origins = [origin for origin, _ in find_discriminators(BaseSource("x", tmp_path))]
    assert origins == [
        "own (discriminator.safetensors)",
        "own (D_100000.pth)",
        "own (D_90000.pth)",
    ]
    assert list(find_discriminators(BaseSource("tiny", None))) == []


# ---------------------------------------------------------------- directories


def test_the_tiny_model_needs_nothing():
    check_base_model("tiny")
    assert find_base_model("tiny") == BaseSource("tiny", None)


@pytest.mark.parametrize("source", ["./nowhere", "nowhere", "a/b/c", "../x/y", "facebook/"])
def test_what_is_neither_is_refused(source):
    with pytest.raises(BaseModelError, match="neither a directory that exists, nor a Hub id"):
        check_base_model(source)


def test_a_transformers_directory(tmp_path):
    write_tiny_model(tmp_path)
    check_base_model(str(tmp_path))
    assert find_base_model(str(tmp_path)) == BaseSource(str(tmp_path), tmp_path)


@pytest.mark.parametrize("missing", ["config.json", "vocab.json", "model.safetensors"])
def test_missing_files_are_named(tmp_path, missing):
    write_tiny_model(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(BaseModelError, match=rf"lacks {missing}[ ;]") as caught:
        check_base_model(str(tmp_path))
    assert str(tmp_path) in str(caught.value)


def test_an_empty_directory_lacks_everything(tmp_path):
    with pytest.raises(BaseModelError, match=r"lacks config\.json, vocab\.json, model\.safete"):
        check_base_model(str(tmp_path))


@pytest.mark.parametrize("content", ['{"model_type": "bert"}', "{", "[]"])
def test_another_model_s_directory_is_refused(tmp_path, content):
    write_tiny_model(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(BaseModelError, match=r"type 'bert'|no model's configuration"):
        check_base_model(str(tmp_path))


def test_an_original_directory(tmp_path):
    for name in ("G_90000.pth", "G_100000.pth", "config.json"):
        (tmp_path / name).touch()
    with pytest.raises(BaseModelError, match=r"lacks vocab\.txt"):
        check_base_model(str(tmp_path))
    (tmp_path / "vocab.txt").touch()
    base = find_base_model(str(tmp_path))
    assert base.original
    assert generator_file(base).name == "G_100000.pth"


def test_what_is_fetched_needs_nothing_of_the_hub(tmp_path):
    assert not is_fetched(tmp_path, "facebook/mms-tts-xyz")
    (tmp_path / "source.json").write_text('{"source": "facebook/mms-tts-xyz"}')
    assert is_fetched(tmp_path, "facebook/mms-tts-xyz")
    assert not is_fetched(tmp_path, "facebook/mms-tts-abc")
    (tmp_path / "source.json").write_text("{")
    assert not is_fetched(tmp_path, "facebook/mms-tts-xyz")


def test_checking_imports_nothing_heavy(tmp_path):
    """It runs at every start of Snakemake."""
    write_tiny_model(tmp_path)
    command = (
        "import sys; from lib.base_model.hub import check_base_model\n"
        f"check_base_model('tiny'); check_base_model({str(tmp_path)!r})\n"
        "assert not {'torch', 'transformers', 'huggingface_hub'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", command], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("urd", ["urd-script_arabic", "urd-script_devanagari", "urd-script_latin"]),
        ("urd-script_nastaliq", ["urd-script_arabic"]),
        ("azj", ["azj-script_cyrillic", "azj-script_latin"]),
        ("uzb", ["uzb-script_cyrillic"]),
        ("quc", ["quc-dialect_central"]),
    ],
)
def test_voices_of_single_scripts_are_named(code, names):
    with pytest.raises(BaseModelError, match=f"mms-tts-{code} does not exist") as raised:
        check_base_model(f"facebook/mms-tts-{code}")
    for name in names:
        assert f"facebook/mms-tts-{name}" in str(raised.value)


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.json", "D_100000.pth"])
def test_a_pointer_of_git_lfs_is_no_base(tmp_path, name):
    write_tiny_model(tmp_path)
    check_base_model(str(tmp_path))
    (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(BaseModelError, match=f"{name} is a Git LFS pointer.*git lfs pull"):
        check_base_model(str(tmp_path))


@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        ("tur", "facebook/mms-tts-hak", "tur"),
        ("und", "facebook/mms-tts-tur", "tur"),
        ("", "facebook/mms-tts-azj-script_latin", "azj-script_latin"),
        ("und", "my/model", ""),
    ],
)
def test_the_language_is_the_configured_one_else_that_of_the_base(language, source, expected):
    assert spoken_language(language, source) == expected
