"""A blocking HTTP request whose answer is taken as it comes: a body in pieces, or the events of an event stream."""

import ctypes
import enum
from typing import Any, Iterable, NamedTuple, Optional, Tuple, Union

from . import _native
from ._handle import Handle
from .errors import call, check, take

Text = Union[str, bytes]
Headers = Iterable[Tuple[str, str]]


class What(enum.IntEnum):
    NOTHING = 0  # nothing came within the time
    HEAD = 1
    DATA = 2
    EVENT = 3
    END = 4


class Step(NamedTuple):
    what: What
    data: bytes  # of DATA and EVENT


class Stream(Handle):
    """One request at a time, one thread at a time; its connection is kept for the next one."""

    _free = "mcptoken_stream_free"

    def __init__(self, url: str, bearer: Optional[Text] = None) -> None:
        raw = _native.data(bearer or b"")
        super().__init__(call(_native.lib.mcptoken_stream_new, _native.text(url, "URL"), raw or None, len(raw)))

    def send(self, method: str, headers: Headers = (), body: Text = b"") -> None:
        """Begins a request; what is left of the answer before it is dropped."""
        rows, data = _rows(headers), _native.data(body)
        check(_native.lib.mcptoken_stream_send, self.pointer, _native.text(method), rows, len(rows), data or None, len(data))

    def send_message(self, message: Text, session_headers: Headers = ()) -> None:
        """Posts one MCP message, with the headers that follow from it."""
        rows, data = _rows(session_headers), _native.data(message)
        check(_native.lib.mcptoken_stream_send_message, self.pointer, data, len(data), rows, len(rows))

    def next(self, timeout: float) -> Step:
        """What comes next, waiting for `timeout` seconds at most."""
        what = ctypes.c_int32()
        bytes_ = call(_native.lib.mcptoken_stream_next, self.pointer, _native.milliseconds(timeout), ctypes.byref(what))
        return Step(What(what.value), take(bytes_) if bytes_ else b"")

    @property
    def status(self) -> int:
        """HTTP status of the answer, 0 before its head."""
        return int(_native.lib.mcptoken_stream_status(self.pointer))

    def header(self, name: str) -> str:
        """Of the answer, "" when it is not there."""
        return _native.word(_native.lib.mcptoken_stream_header(self.pointer, _native.text(name)), "replace")

    @property
    def event(self) -> Tuple[str, str]:
        """Type and id of the event that came last."""
        kind, identity = (_native.word(function(self.pointer), "replace") for function in
                          (_native.lib.mcptoken_stream_event_type, _native.lib.mcptoken_stream_event_id))
        return kind, identity


def _rows(headers: Headers) -> Any:
    pairs = [(_native.text(name), _native.text(value)) for name, value in headers]
    return (_native.Header * len(pairs))(*[_native.Header(*pair) for pair in pairs])
