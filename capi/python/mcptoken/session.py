"""An MCP client session over Streamable HTTP, in both eras of the protocol: calls that block, and calls that are polled.

`mcptoken.aio.Calls` has the latter under asyncio.
"""

import contextlib
import ctypes
import enum
import json
from typing import Any, Callable, Dict, Iterator, List, Optional, Union

from . import _native
from ._handle import Handle
from .errors import Error, Misuse, call, check, raise_for, take

Text = Union[str, bytes]


class Era(enum.IntEnum):
    AUTO = 0  # server/discover first, initialize when that fails as with an older server
    LEGACY = 1
    MODERN = 2


PENDING = 1


class Call(Handle):
    """A request under way, from Session.begin(). Closing it cancels what still runs."""

    _free = "mcptoken_call_free"

    def __init__(self, session: "Session", pointer: Any) -> None:
        self._session = session
        self._result: Optional[Dict[str, Any]] = None
        self._error: Optional[Error] = None
        super().__init__(pointer)

    def poll(self) -> bool:
        """Gets on with what has come for the session, without waiting; True when the call has ended. What a callback raised comes out."""
        if self._result is None and self._error is None:
            with self._session._heard():
                self._look()
        return self._result is not None or self._error is not None

    def result(self) -> Dict[str, Any]:
        """Of a call that has ended; raises what it failed with. Misuse while it is under way."""
        if not self.poll():
            raise Misuse(-101, "the call is under way")
        if self._error:
            raise self._error
        assert self._result is not None
        return self._result

    def cancel(self) -> None:
        """It ends with Cancelled, unless it has ended; the server is told. Also out of a callback."""
        _native.lib.mcptoken_call_cancel(self.pointer)

    def _look(self) -> None:
        out, error = ctypes.c_void_p(), ctypes.c_void_p()
        status = _native.lib.mcptoken_call_poll(self.pointer, ctypes.byref(out), ctypes.byref(error))
        if status == PENDING:
            return
        try:
            if status < 0:
                raise_for(status, error.value)
            self._result = json.loads(take(out.value))
        except Error as failure:
            self._error = failure


class Session(Handle):
    """One thread at a time. `with Session(url, bearer) as session:` connects, and says farewell at the end."""

    _free = "mcptoken_session_free"

    def __init__(self, url: str, bearer: Optional[Text] = None, timeout: float = 30.0, era: Era = Era.AUTO) -> None:
        """`timeout`: seconds for each operation, at least a millisecond. Nothing is sent yet."""
        raw = _native.data(bearer or b"")
        self._callback = _native.nobody(_native.NotificationFn)
        self._input = _native.nobody(_native.InputFn)
        self._failure: Optional[BaseException] = None
        self._busy, self._retired = 0, [self._callback]
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

    def begin(self, method: str, params: Optional[Dict[str, Any]] = None) -> Call:
        """A request that is polled, beside others. "subscriptions/listen" lasts until it is ended, others for the session's timeout."""
        data = _parameters(params)
        return Call(self, call(_native.lib.mcptoken_session_begin, self.pointer, _native.text(method), data, len(data or b"")))

    @property
    def fd(self) -> int:
        """Readable when there is something to do for what was begun: for selectors and asyncio."""
        return int(_native.lib.mcptoken_session_fd(self.pointer))

    def timeout(self) -> Optional[float]:
        """Seconds to wait for `fd` at most, None: no limit; then poll. To be asked anew after whatever was called."""
        wait = _native.lib.mcptoken_session_timeout(self.pointer)
        return None if wait < 0 else wait / 1000

    def poll(self) -> bool:
        """Gets on with what has come, without waiting: notifications, questions, calls, what is on its way to the server. True: there is
        more to wait for."""
        error = ctypes.c_void_p()
        with self._heard():
            status = int(_native.lib.mcptoken_session_poll(self.pointer, ctypes.byref(error)))
            if status < 0:
                raise_for(status, error.value)
        return status == PENDING

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
        if self._busy:
            self._retired.append(self._callback)  # it may be the one that runs
        self._callback = kept  # the old one only after the library has let go of it

    def on_input(self, capabilities: Dict[str, Any], callback: Optional[Callable[[str, Dict[str, Any]], Optional[Dict[str, Any]]]]) -> None:
        """Answers questions of the server: method and params in, the result out. None cancels an elicitation and refuses anything
        else. `capabilities` says which ones, like {"elicitation": {"form": {}}}; a callback of None declares nothing. Before connect.
        What it raises is as None, and comes out of the call."""

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
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            if not self._busy:
                self._retired.clear()
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
