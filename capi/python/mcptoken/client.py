"""A blocking client of the control plane's REST interface. From asyncio: `await asyncio.to_thread(client.call, …)`."""

import json
from typing import Any, Optional, Union

from . import _native
from ._handle import Handle
from .errors import call, check, take

Text = Union[str, bytes]


class Client(Handle):
    """One thread at a time. Connects when first used."""

    _free = "mcptoken_client_free"

    def __init__(self, base_url: str, bearer: Optional[Text] = None, timeout: float = 30.0) -> None:
        raw = _native.data(bearer or b"")
        super().__init__(call(_native.lib.mcptoken_client_new, _native.text(base_url, "URL"), raw or None, len(raw),
                              _native.milliseconds(timeout, 1)))

    def introduce(self, name: str, version: str) -> None:
        """How the host calls itself from now on, as User-Agent; the control plane's record of audit events shows it."""
        check(_native.lib.mcptoken_client_introduce, self.pointer, _native.text(name, "name"), _native.text(version, "version"))

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request: the answer's JSON, None for an empty one. `body`: what json.dumps takes, or text as it is.

        Unauthenticated (401), Denied (403), NotFound (404), Exists or Conflict (409), Invalid (400, 422), Unavailable
        (503, or no connection), NetworkFailure, TimedOut, RemoteError (other).
        """
        data = None if body is None else _native.data(body if isinstance(body, (str, bytes)) else json.dumps(body))
        answer = take(call(_native.lib.mcptoken_client_call, self.pointer, _native.text(method), _native.text(path, "path"),
                           data, len(data or b"")))
        return json.loads(answer) if answer else None

    @property
    def http_status(self) -> int:
        """Of the last call that got an answer; 0 before."""
        return int(_native.lib.mcptoken_client_http_status(self.pointer))

