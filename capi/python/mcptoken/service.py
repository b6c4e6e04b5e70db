"""The whole product without a socket: control plane and MCP gateway as requests in, answers out.

mcptoken.aio puts this behind asyncio; use this layer to mount it on another loop or server.
"""

import ctypes
import json
import logging
import os
import warnings
import weakref
from ctypes import POINTER, byref, cast, sizeof
from typing import Any, Callable, Dict, Iterable, List, Optional, Protocol, Tuple, Union

from . import _native, stage
from ._handle import Handle, weakly
from .errors import Misuse, call, check, take
from .loop import Loop, require_thread

Text = Union[str, bytes]
HEAD_TLS = 1
_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)


class Config(Handle):
    """Settings by key, as service.h lists them: Config(data_dir="/var/lib/x", allowed_hosts=["a.example"], audit="strict").

    And `stages`, content stages by name: {"shout": run} or {"shout": (run, version)}, as mcptoken.stage.register takes them.
    """

    _free = "mcptoken_config_free"

    def __init__(self, **settings: Any) -> None:
        super().__init__(call(_native.lib.mcptoken_config_new))
        for name, run in settings.pop("stages", {}).items():
            stage.register(self, name, *(run if isinstance(run, tuple) else (run,)))
        for key, value in settings.items():
            self.set(key, value)

    def set(self, key: str, value: Any) -> None:
        """NotSupported for an unknown key, Invalid for a bad value."""
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, int):
            value = str(value)
        elif isinstance(value, (list, tuple)):
            value = ",".join(value)
        elif isinstance(value, os.PathLike):
            value = os.fspath(value)
        if not isinstance(value, (str, bytes)):
            raise TypeError(f"{key}: a text, number, path, list of texts, True or False, not {type(value).__name__}")
        check(_native.lib.mcptoken_config_set, self.pointer, _native.text(key, "key"), _native.text(value, key))


class Service(Handle):
    """Shared by all loops. Attach each loop before the first exchange; close() drains what this thread's loops still do."""

    _free = "mcptoken_service_free"

    def __init__(self, config: Union[Config, Dict[str, Any]], logger: Optional[logging.Logger] = None) -> None:
        """`logger` gets the library's lines, from any thread; None: nobody does."""
        if not isinstance(config, Config):
            config = Config(**config)
        self._log = _native.LogFn(_forward(logger)) if logger else _native.nobody(_native.LogFn)
        super().__init__(call(_native.lib.mcptoken_service_new, config.pointer, self._log, None), (self._log,))
        self._attached: List[Loop] = []  # loops that have not drained
        self._exchanges: "weakref.WeakSet[Exchange]" = weakref.WeakSet()
        self._draining: Dict[Loop, Any] = {}
        self._closing = False

    def attach(self, loop: Loop) -> None:
        check(_native.lib.mcptoken_service_attach, self.pointer, loop.pointer)
        self._attached.append(loop)

    @property
    def needs_bootstrap(self) -> bool:
        """While no user exists: the first one is made with the code in <data_dir>/bootstrap-code."""
        return bool(_native.lib.mcptoken_service_needs_bootstrap(self.pointer) == 1)

    def metrics(self) -> str:
        """What is counted, in the Prometheus text format; its labels name servers and tools, and nobody who calls."""
        return take(call(_native.lib.mcptoken_service_metrics, self.pointer)).decode()

    def on_access(self, callback: Optional[Callable[[Dict[str, Any]], None]]) -> None:
        """`callback(record)` for each request that has ended, on its loop's thread: what stands in service.h, without what
        there is nothing to say of. Before the first exchange; None: no longer."""
        kept = _native.AccessFn(_records(callback)) if callback else _native.nobody(_native.AccessFn)
        check(_native.lib.mcptoken_service_on_access, self.pointer, kept, None)
        self._access = kept

    def drain(self, loop: Loop, grace: float, done: Callable[[], Any]) -> None:
        """Begins the end on this loop; `done()` runs on its thread when nothing is left. Once a loop, on its thread."""
        require_thread(loop, "drain")
        if loop not in self._attached:
            raise Misuse(-101, "this loop is not attached, or has drained")
        if loop in self._draining:
            raise Misuse(-101, "this loop is draining")

        def finished(_: Any) -> None:
            self._attached.remove(loop)
            if self._closing:
                loop.stop()
            done()

        kept = self._draining[loop] = _native.LoopFn(loop.guarded(finished))
        _native.lib.mcptoken_service_drain(self.pointer, loop.pointer, _native.milliseconds(grace), kept, None)

    def close(self, grace: float = 5.0) -> None:
        """Drains the attached loops, which are this thread's, and releases the service: everything is written."""
        if self.closed:
            return
        for loop in list(self._attached):
            require_thread(loop, "close")
        self._closing = True
        for loop in list(self._attached):
            if loop not in self._draining:
                self.drain(loop, grace, lambda: None)
        for loop in list(self._draining):
            while loop in self._attached:
                loop.run()
        for exchange in list(self._exchanges):
            exchange.close()
        super().close()

    def __del__(self) -> None:
        finalizer = getattr(self, "_finalizer", None)
        if finalizer and finalizer.alive and self._attached:
            finalizer.detach()  # it and its loops still use each other: the process's end frees both
            for loop in self._attached:
                loop._finalizer.detach()
            warnings.warn("a mcptoken.Service was not closed", ResourceWarning, source=self)


def _records(callback: Callable[[Dict[str, Any]], None]) -> Callable[[Any, Any], None]:
    names = [field[0] for field in _native.Access._fields_[1:]]

    def tell(_: Any, access: Any) -> None:
        record: Dict[str, Any] = {}
        for name in names:
            value = getattr(access.contents, name)
            if value != b"":
                record[name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        callback(record)

    return tell


def _forward(logger: logging.Logger) -> Callable[[Any, int, bytes], None]:
    def forward(_: Any, level: int, line: bytes) -> None:
        logger.log(_LEVELS[min(max(level, 0), 3)], "%s", line.decode("utf-8", "replace"))

    return forward


class Sink(Protocol):
    """Takes an answer; see mcptoken_sink."""

    def head(self, status: int, headers: List[Tuple[str, str]], length: int) -> Any: ...

    def write(self, data: bytes) -> Optional[int]: ...

    def end(self, ok: bool) -> Any: ...


class Exchange(Handle):
    """One request. The head is judged at once and may be answered; then body() any number of times, and end().

    `sink` has head(status, headers, length), write(data) -> bytes that wait to be sent, end(ok): see mcptoken_sink. They run
    on the loop's thread, during any call on the exchange or from the loop, never after close().
    """

    _free = "mcptoken_exchange_free"

    def __init__(self, service: Service, loop: Loop, sink: Sink, method: str, target: str,
                 headers: Iterable[Tuple[str, str]] = (), peer: Optional[str] = None, content_length: int = -1,
                 tls: bool = False) -> None:
        require_thread(loop, "an exchange")

        self._sink = sink
        self._calls = (_native.SinkHead(loop.guarded(weakly(self, _head))), _native.SinkWrite(loop.guarded(weakly(self, _write, 0), 0)),
                       _native.SinkEnd(loop.guarded(weakly(self, _end))))
        native_sink = _native.Sink(sizeof(_native.Sink), 0, None, *self._calls)
        pairs = [(_header_text(name), _header_text(value)) for name, value in headers]
        rows = (_native.Header * len(pairs))(*[_native.Header(*pair) for pair in pairs])
        native_head = _native.Head(sizeof(_native.Head), HEAD_TLS if tls else 0, _native.text(method), _native.text(target),
                                   None if peer is None else _native.text(peer), cast(rows, POINTER(_native.Header)),
                                   len(pairs), _native.whole(content_length))
        pointer = call(_native.lib.mcptoken_exchange_new, service.pointer, loop.pointer, byref(native_head), byref(native_sink))
        super().__init__(pointer, (service, loop, self._calls))
        service._exchanges.add(self)

    @property
    def answered(self) -> bool:
        return bool(_native.lib.mcptoken_exchange_answered(self.pointer) == 1)

    def body(self, data: bytes) -> None:
        """A piece of the body. Ignored once answered."""
        data = bytes(memoryview(data))
        _native.lib.mcptoken_exchange_body(self.pointer, data, len(data))

    def end(self) -> None:
        """The body is complete."""
        _native.lib.mcptoken_exchange_end(self.pointer)

    def writable(self) -> None:
        """Something of what write() said was waiting has been sent, or all of it."""
        _native.lib.mcptoken_exchange_writable(self.pointer)

    def peer_closed(self) -> None:
        """The client has gone: what runs for it is cancelled."""
        _native.lib.mcptoken_exchange_peer_closed(self.pointer)


def _head(exchange: Exchange, _: Any, status: int, rows: Any, count: int, length: int) -> None:
    fields = [(rows[i].name.decode("latin-1"), rows[i].value.decode("latin-1")) for i in range(count)]
    exchange._sink.head(status, fields, length)


def _write(exchange: Exchange, _: Any, data: Any, size: int) -> int:
    return int(exchange._sink.write(ctypes.string_at(data, size)) or 0)


def _end(exchange: Exchange, _: Any, ok: int) -> None:
    exchange._sink.end(ok == 1)


def _header_text(value: Text) -> bytes:
    data = value if isinstance(value, bytes) else value.encode("latin-1")
    if b"\0" in data:
        raise ValueError("a header holds a NUL")
    return data


def reset_password(config: Config, email: str, password: Text) -> None:
    """Sets a user's password while no service has the data directory open (Busy otherwise). Blocks for a hash."""
    data = _native.data(password)
    check(_native.lib.mcptoken_admin_reset_password, config.pointer, _native.text(email), data, len(data))


def verify_audit(config: Config, expected_head: Optional[str] = None) -> Dict[str, Any]:
    """Checks the audit record against its chain while no service has it open: intact, checked, head, problem…"""
    head = None if expected_head is None else _native.text(expected_head)
    found: Dict[str, Any] = json.loads(take(call(_native.lib.mcptoken_admin_verify_audit, config.pointer, head)))
    return found
