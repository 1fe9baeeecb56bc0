"""Server side of the tab: static files, and the data that the page requests.

A response with numbers is a frame: length of the header, u32, little-endian; header, JSON; bytes of
all parts.
"""

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tensorboard import errors, plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug import wrappers

from lm.gradient_flow.plugin.data_reader import RecordReader
from lm.gradient_flow.plugin.tags import PLUGIN

STATIC = Path(__file__).parent / "static"
CONTENT_TYPES = {".js": "text/javascript", ".css": "text/css"}
BINARY = "application/octet-stream"

App = Callable[[Any, Any], Any]


class Plugin(base_plugin.TBPlugin):  # type: ignore[misc]
    """Serves the gradient flow of TensorBoard's runs."""

    plugin_name = PLUGIN

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._reader = RecordReader(context.data_provider)

    def get_plugin_apps(self) -> dict[str, App]:
        """WSGI application of each route."""
        return {
            "/static/*": _app(_static),
            "/runs": _app(self._runs),
            "/overview": _app(self._overview),
            "/batch": _app(self._batch),
        }

    def is_active(self) -> bool:
        """Always false: TensorBoard itself greys the tab out where no run has records."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Address of the page's module, and name of the tab."""
        return base_plugin.FrontendMetadata(
            es_module_path="/static/index.js", tab_name="Gradient flow"
        )

    def _runs(self, request: Any) -> Any:
        found = self._reader.runs(*_context_and_experiment(request))
        return http_util.Respond(request, {"runs": found}, "application/json")

    def _overview(self, request: Any) -> Any:
        found = self._reader.overview(*_context_and_experiment(request), _argument(request, "run"))
        header = {"steps": found.steps, "shape": found.values.shape}
        return http_util.Respond(request, encode_frame(header, found.values.tobytes()), BINARY)

    def _batch(self, request: Any) -> Any:
        run, step = _argument(request, "run"), _argument(request, "step")
        if not step.isdecimal():
            raise errors.InvalidArgumentError(f"{step!r} is no step")
        found = self._reader.batch(*_context_and_experiment(request), run, int(step))
        header = {"labels": found.labels, "parts": part_sizes(found.records)}
        return http_util.Respond(request, encode_frame(header, *found.records.values()), BINARY)


def encode_frame(header: Mapping[str, Any], *parts: bytes) -> bytes:
    """Encode a header and the parts that it describes as one response."""
    text = json.dumps(header).encode()
    return struct.pack("<I", len(text)) + text + b"".join(parts)


def part_sizes(records: Mapping[str, bytes]) -> list[list[str | int]]:
    """Name and size of each record, in bytes."""
    return [[name, len(record)] for name, record in records.items()]


def _app(answer: Callable[[Any], Any]) -> App:
    """Make a WSGI application; a wrong request gets one sentence that says what is wrong."""

    @wrappers.Request.application
    def app(request: wrappers.Request) -> Any:
        try:
            return answer(request)
        except errors.PublicError as error:
            return http_util.Respond(request, str(error), "text/plain", code=error.http_code)

    return app


def _context_and_experiment(request: Any) -> tuple[Any, str]:
    return plugin_util.context(request.environ), plugin_util.experiment_id(request.environ)


def _argument(request: Any, name: str) -> str:
    given = request.args.get(name)
    if given is None:
        raise errors.InvalidArgumentError(f"the argument {name} is missing")
    return str(given)


def _static(request: Any) -> Any:
    """Serve one of the files in the page's folder, and no other."""
    name = str(request.path).rpartition("/static/")[2]
    if name not in {path.name for path in STATIC.iterdir()}:
        raise errors.NotFoundError(f"there is no {name}")
    path = STATIC / name
    return http_util.Respond(
        request, path.read_bytes(), CONTENT_TYPES.get(path.suffix, "text/plain")
    )
