"""A blocking MCP client session over Streamable HTTP, in both eras of the protocol."""

import contextlib
import ctypes
import enum
import json
from typing import Any, Callable, Dict, Iterator, List, Optional, Union

from . import _native
from ._handle import Handle
from .errors import call, check, take

Text = Union[str, bytes]


class Era(enum.IntEnum):
    AUTO = 0  # server/discover first, initialize when that fails as with an older server
    LEGACY = 1
    MODERN = 2


class Session(Handle):
    """One thread at a time. `with Session(url, bearer) as session:` connects, and says farewell at the end."""

    _free = "mcptoken_session_free"

    def __init__(self, url: str, bearer: Optional[Text] = None, timeout: float = 30.0, era: Era = Era.AUTO) -> None:
        """`timeout`: seconds for each operation, at least a millisecond. Nothing is sent yet."""
        raw = _native.data(bearer or b"")
        self._callback = _native.nobody(_native.NotificationFn)
        self._input = _native.nobody(_native.InputFn)
        self._failure: Optional[BaseException] = None
        super().__init__(call(_native.lib.mcptoken_session_new, _native.text(url, "URL"), raw or None, len(raw),
                              _native.milliseconds(timeout, 1), _native.whole(era, 32)))

    def __enter__(self) -> "Session":
        self.connect()
        return self

    def __exit__(self, *failure: Any) -> None:
        try:
            if not failure[0]:
                self.farewell()
        finally:
            self.close()

    def introduce(self, name: str, version: str) -> None:
        """How the host calls itself towards the server, instead of "libmcptoken" and its version. Before connect."""
        check(_native.lib.mcptoken_session_introduce, self.pointer, _native.text(name, "name"), _native.text(version, "version"))

    def connect(self) -> Dict[str, Any]:
        """Negotiates the era and opens the session; what info() answers."""
        self._say(_native.lib.mcptoken_session_connect)
        return self.info()

    @property
    def challenge(self) -> str:
        """The WWW-Authenticate fields of the last answer that was a refusal; "" when it had none."""
        return _native.word(_native.lib.mcptoken_session_challenge(self.pointer))

    def info(self) -> Dict[str, Any]:
        """era, protocolVersion, serverInfo, capabilities, instructions."""
        known: Dict[str, Any] = json.loads(take(call(_native.lib.mcptoken_session_info, self.pointer)))
        return known

    def list_tools(self) -> List[Dict[str, Any]]:
        """All pages."""
        tools: List[Dict[str, Any]] = self._ask(_native.lib.mcptoken_session_list_tools)["tools"]
        return tools

    def call_tool(self, name: str, arguments: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """The call's result; one with "isError": true is a result, too. RemoteError for a JSON-RPC error."""
        data = _parameters(arguments)
        return self._ask(_native.lib.mcptoken_session_call_tool, _native.text(name, "name"), data, len(data or b""))

    def request(self, method: str, params: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Any other request."""
        data = _parameters(params)
        return self._ask(_native.lib.mcptoken_session_request, _native.text(method), data, len(data or b""))

    def notify(self, method: str, params: Optional[Dict[str, Any]] = None) -> None:
        data = _parameters(params)
        self._say(_native.lib.mcptoken_session_notify, _native.text(method), data, len(data or b""))

    def on_notification(self, callback: Optional[Callable[[Dict[str, Any]], Any]]) -> None:
        """Receives what arrives while a call runs; None stops. What it raises comes out of that call."""

        def received(_: Any, data: Any, size: int) -> None:
            try:
                assert callback
                callback(json.loads(ctypes.string_at(data, size)))
            except BaseException as failure:
                self._failure = self._failure or failure

        kept = _native.NotificationFn(received) if callback else _native.nobody(_native.NotificationFn)
        _native.lib.mcptoken_session_on_notification(self.pointer, kept, None)
        self._callback = kept  # the old one only after the library has let go of it

    def on_input(self, capabilities: Dict[str, Any], callback: Optional[Callable[[str, Dict[str, Any]], Optional[Dict[str, Any]]]]) -> None:
        """Answers questions of the server: method and params in, the result out, None declines. `capabilities` says which ones,
        like {"elicitation": {"form": {}}}; a callback of None declares nothing. Before connect. What it raises declines, and comes
        out of the call."""

        def asked(_: Any, method: bytes, data: Any, size: int) -> None:
            try:
                assert callback
                answer = callback(method.decode(), json.loads(ctypes.string_at(data, size)))
                if answer is not None:
                    text = json.dumps(answer).encode()
                    check(_native.lib.mcptoken_session_answer, self.pointer, text, len(text))
            except BaseException as failure:
                self._failure = self._failure or failure

        kept = _native.InputFn(asked) if callback else _native.nobody(_native.InputFn)
        data = json.dumps(capabilities).encode()
        check(_native.lib.mcptoken_session_on_input, self.pointer, data, len(data), kept, None)
        self._input = kept

    def farewell(self) -> None:
        """Ends a legacy session with DELETE; nothing to do in the modern era."""
        self._say(_native.lib.mcptoken_session_close)

    def _ask(self, function: Any, *arguments: Any) -> Dict[str, Any]:
        with self._heard():
            text = take(call(function, self.pointer, *arguments))
        answer: Dict[str, Any] = json.loads(text)
        return answer

    def _say(self, function: Any, *arguments: Any) -> None:
        with self._heard():
            check(function, self.pointer, *arguments)

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        """A call: what a callback raised meanwhile comes out of it, also when the call failed, and of no other one."""
        try:
            yield
        finally:
            failure, self._failure = self._failure, None
            if failure:
                raise failure


def _parameters(value: Optional[Dict[str, Any]]) -> Optional[bytes]:
    return None if value is None else json.dumps(value).encode()


def base_url(url: str) -> str:
    """"http://host:3100" of "http://host:3100/projects/p/mcp"."""
    return take(call(_native.lib.mcptoken_session_base_url, _native.text(url, "URL"))).decode()


def health(base: str, timeout: float = 5.0) -> None:
    """GET <base>/healthz: returns for 2xx. Unavailable, NetworkFailure, TimedOut, RemoteError."""
    check(_native.lib.mcptoken_session_health, _native.text(base, "URL"), _native.milliseconds(timeout, 1))
