"""The server of the page, on this machine alone.

It answers what names this machine as the host: a page from elsewhere, whose name somebody lets lead
here, gets nothing. What speaks has to come as JSON, which a form of another page cannot send.
"""

import base64
import io
import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from lib.config.outcome import SPEEDS, SpeechSettings
from lib.report.template import write_page
from lib.synthesis.sound import Sound
from lib.talk.catalogue import Voices

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
MAX_LENGTH = 20_000  # characters
_TEMPLATE = Path(__file__).with_name("templates") / "talk.html"


@dataclass(frozen=True)
class TalkApp:
    """The page and what it asks for."""

    voices: Voices

    @Request.application
    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        if request.host.partition(":")[0] not in NAMES:
            return _answer({"error": f"{request.host} is not this machine"}, 403)
        routes = {("GET", "/"): self._page, ("GET", "/voice"): self._voice}
        routes[("POST", "/speak")] = self._speak
        route = routes.get((request.method, request.path))
        if route is None:
            return _answer({"error": f"there is no {request.method} {request.path}"}, 404)
        try:
            return route(request)
        except (ValueError, OSError) as error:
            return _answer({"error": str(error)}, 400)
        except HTTPException as error:
            return _answer({"error": str(error.description)}, error.code or 400)

    def _page(self, request: Request) -> Response:
        values = {"title": str(self.voices.results), "voices": self.voices.names()}
        return Response(render_page(values), mimetype="text/html")

    def _voice(self, request: Request) -> Response:
        return _answer(self.voices.describe(request.args.get("name", "")))

    def _speak(self, request: Request) -> Response:
        if request.mimetype != "application/json":
            return _answer({"error": "expected JSON"}, 415)
        given = request.get_json()
        return _answer(speak(self.voices, given if isinstance(given, dict) else {}))


def speak(voices: Voices, given: Mapping[str, Any]) -> dict[str, Any]:
    """Speak a text, and return the sound as a WAV file in base64 with what is to be told of it.

    Parameters
    ----------
    given
        ``voice``, ``speaker``, ``text``, and perhaps ``speed`` and ``seed``.

    Raises
    ------
    ValueError
        Saying what of it is wrong.
    """
    text, speed = str(given.get("text", "")).strip(), given.get("speed", 1.0)
    slowest, fastest = SPEEDS
    if not text:
        raise ValueError("there is no text: type what the voice should say")
    if len(text) > MAX_LENGTH:
        raise ValueError(f"the text has {len(text):,} characters, expected {MAX_LENGTH:,} at most")
    if not isinstance(speed, int | float) or not slowest <= speed <= fastest:
        raise ValueError(f"the speed is {speed!r}, expected {slowest:g} to {fastest:g}")
    seed = given.get("seed", 0)
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"the seed is {seed!r}, expected a whole number, 0 or more")
    voice = voices.get(str(given.get("voice", "")))
    row = voice.row(given.get("speaker"))
    settings = SpeechSettings(speed=float(speed), seed=seed)
    planned = voice.plan(text, settings)
    speech = np.concatenate(list(voice.stream(planned, row, Sound.from_settings(settings))))
    buffer = io.BytesIO()
    soundfile.write(buffer, speech, voice.sample_rate, subtype="PCM_16", format="WAV")
    return {
        "audio": base64.b64encode(buffer.getvalue()).decode("ascii"),
        "seconds": len(speech) / voice.sample_rate,
        "unknown": planned.unknown,
    }


def render_page(values: Mapping[str, Any]) -> str:
    """Return the page."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        write_page(_TEMPLATE, values, page)
        return page.read_text("utf-8")


class _QuietHandler(WSGIRequestHandler):
    """Says nothing of requests: what was typed is nobody's business."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


def start_server(voices: Voices, port: int) -> BaseWSGIServer:
    """Return a server that listens on this machine; port 0 takes a free one.

    Raises
    ------
    ValueError
        If the port is taken.
    """
    try:
        return make_server(
            HOST, port, TalkApp(voices), threaded=True, request_handler=_QuietHandler
        )
    except (OSError, SystemExit) as error:
        raise ValueError(f"port {port} cannot be used ({error}): choose another") from None


def _answer(value: Mapping[str, Any], status: int = 200) -> Response:
    content = json.dumps(value, ensure_ascii=False)
    return Response(content, status, mimetype="application/json")
