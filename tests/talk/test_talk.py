"""The page opens, speaks, says what is wrong, and is for this machine alone."""

import base64
import io
import socket

import numpy as np
import pytest
import soundfile
from werkzeug.test import Client

from lib.talk.catalogue import Voices
from lib.talk.server import TalkApp, start_server

WHOLE = {"voice": "model", "speaker": "Anna", "text": "hello there"}


@pytest.fixture
def client(results) -> Client:
    return Client(TalkApp(Voices(results)))


def hear(answer) -> np.ndarray:
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(answer.json["audio"])))
    assert rate == 16_000
    return samples


def test_it_speaks(client):
    answer = client.post("/speak", json=WHOLE)
    assert answer.status_code == 200 and answer.json["unknown"] == []
    speech = hear(answer)
    assert len(speech) / 16_000 == pytest.approx(answer.json["seconds"], abs=0.001)
    slower = hear(client.post("/speak", json={**WHOLE, "speed": 0.5}))
    assert len(slower) > 1.5 * len(speech)


def test_letters_that_are_left_out_are_named(client):
    assert client.post("/speak", json={**WHOLE, "text": "7 漢 bells"}).json["unknown"] == [
        "7",
        "漢",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"text": " "}, "there is no text"),
        ({"text": "漢字"}, "no character of '漢字' is in the voice's vocabulary"),
        ({"text": "a" * 20_001}, "the text has 20,001 characters, expected 20,000 at most"),
        ({"speaker": "Bob"}, "no speaker 'Bob'; there are: spk000 (Anna)"),
        ({"voice": "../../etc"}, "no voice '../../etc'; there are: model"),
        ({"speed": 9}, "the speed is 9, expected 0.25 to 4"),
        ({"speed": "fast"}, "the speed is 'fast'"),
        ({"seed": "x"}, "the seed is 'x', expected a whole number"),
    ],
)
def test_what_is_wrong_is_said(client, change, said):
    answer = client.post("/speak", json={**WHOLE, **change})
    assert answer.status_code == 400 and said in answer.json["error"]


def test_only_this_machine_is_answered(client):
    for host, status in (("localhost:80", 200), ("127.0.0.1", 200), ("evil.example", 403)):
        assert client.get("/", headers={"Host": host}).status_code == status, host
    assert client.post("/speak", data="{}", content_type="text/plain").status_code == 415
    assert client.post("/speak", data="{", content_type="application/json").status_code == 400
    assert client.get("/speak").status_code == 404
    assert client.get("/../../etc/passwd").status_code == 404


def test_nobody_else_can_connect(address):
    port = int(address.rsplit(":", 1)[1].strip("/"))
    own = socket.gethostbyname(socket.gethostname())
    if own.startswith("127."):
        own = "127.0.0.2"
    with pytest.raises(OSError), socket.create_connection((own, port), timeout=2):
        pass


def test_a_port_that_is_taken_is_said(results, address):
    port = int(address.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(ValueError, match=f"port {port} cannot be used.*choose another"):
        start_server(Voices(results), port)


def test_a_folder_without_a_voice_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no voice: expected the output folder of a run"):
        Voices(tmp_path)


def test_voices_are_the_model_and_the_checkpoints_the_last_first(results, tmp_path):
    (tmp_path / "model").symlink_to(results / "model")
    for name in ("epoch0008", "epoch0016", "best"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        (tmp_path / f"checkpoints/{name}/state.json").write_text("{}")
    names = Voices(tmp_path).names()
    assert names[0] == "model"
    assert names[1:] == [f"checkpoints/{name}" for name in ("epoch0016", "epoch0008", "best")]
    # Of a training on another machine only the weights are here.
    (tmp_path / "checkpoints").rename(tmp_path / "weights")
    names = Voices(tmp_path).names()
    assert names[1:] == [f"weights/{name}" for name in ("epoch0016", "epoch0008", "best")]
    # A voice alone is one too.
    assert Voices(results / "onnx").names() == ["onnx"]
    assert Voices(results / "onnx").get("onnx").row("Anna") == 0


def act(browser, address, script):
    browser.complaints.clear()
    browser.open(address)
    wait = (
        "const until = async (test) => { for (let n = 0; !test(); n++) {"
        " if (n > 600) throw new Error('never'); await new Promise(r => setTimeout(r, 50)); } };"
        "const at = (side, name) => document.querySelector(`#side-${side} ${name}`);"
        "await until(() => at('A', '.speaker').options.length == 2);"
    )
    result = browser.run(f"(async () => {{{wait}{script}}})()")
    return result


def test_in_a_browser_it_speaks_and_can_be_saved(chromium, address):
    script = """
      document.getElementById('text').value = 'hello there';
      at('A', '.speaker').value = 'spk001';
      at('A', '.speak').click();
      await until(() => !at('A', 'audio').hidden);
      await until(() => at('A', 'audio').currentTime > 0.1);
      return [at('A', '.save').href, at('A', '.save').download, at('A', '.told').hidden,
              at('A', 'audio').duration];
    """
    href, name, silent, duration = act(chromium, address, script)
    assert name == "spk001.wav" and silent
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(href.partition(",")[2])))
    assert np.abs(samples).max() > 0.001
    assert duration == pytest.approx(len(samples) / rate, abs=0.05)
    assert not chromium.complaints


def test_in_a_browser_two_are_compared_and_a_wrong_letter_is_named(chromium, address):
    script = """
      document.getElementById('text').value = 'hi 7';
      at('B', '.speed').value = 0.5;
      at('B', '.speed').dispatchEvent(new Event('input'));
      document.getElementById('compare').click();
      await until(() => !at('A', 'audio').hidden && !at('B', 'audio').hidden);
      await until(() => at('A', 'audio').duration && at('B', 'audio').duration);
      return [at('A', '.told').textContent, at('B', 'output').textContent,
              at('B', 'audio').duration / at('A', 'audio').duration];
    """
    told, speed, ratio = act(chromium, address, script)
    assert told == "The voice does not know 7 and leaves it out."
    assert speed == "0.50" and ratio > 1.5
    assert not chromium.complaints


def test_in_a_browser_an_error_is_told(chromium, address):
    script = """
      at('A', '.speak').click();
      await until(() => !at('A', '.told').hidden);
      return at('A', '.told').textContent;
    """
    assert act(chromium, address, script).startswith("there is no text")


@pytest.mark.parametrize("width", [400, 1300])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits(chromium, address, width, scheme):
    chromium.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=900,
        deviceScaleFactor=1,
        mobile=False,
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chromium.call("Emulation.setEmulatedMedia", features=features)
    wide = act(chromium, address, "return document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    assert not chromium.complaints
