"""An exception for each status of base.h, in the header's four groups. `Error` catches all of them."""

import ctypes
from ctypes import byref, c_void_p
from typing import Any, Callable, Dict, NoReturn, Tuple, Type

from . import _native


class Error(Exception):
    """A function of the library failed. `status` is for programs, `str()` is one line for people."""

    def __init__(self, status: int, message: str = "", code: str = "", hint: str = "", request_id: str = "", http_status: int = 0,
                 jsonrpc_code: int = 0, data: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.name = _native.word(_native.lib.mcptoken_status_name(status))
        self.message = message or self.name
        self.code = code  # the stable word of a control plane's answer, like "wrong_project"
        self.hint = hint  # what to do next
        self.request_id = request_id  # under which the peer has logged the request
        self.http_status = http_status  # of the answer behind the failure, 0: there was none
        self.jsonrpc_code = jsonrpc_code
        self.data = data  # of the JSON-RPC error, as the server sent it: JSON, "" when there was none

    def __str__(self) -> str:
        return self.message + (f" ({self.hint})" if self.hint else "")

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.status, self.message, self.code, self.hint, self.request_id, self.http_status,
                            self.jsonrpc_code, self.data)


class OutcomeError(Error):
    """An expected outcome: it works, and the answer is no."""


class UsageError(Error):
    """The caller's fault."""


class SystemFailure(Error):
    """The environment's: disk, network, memory, time."""


class PeerError(Error):
    """The other side's."""


class NotFound(OutcomeError, LookupError):
    pass


class Denied(OutcomeError, PermissionError):
    pass


class Unauthenticated(OutcomeError):
    pass


class Exists(OutcomeError):
    pass


class Conflict(OutcomeError):
    pass


class Expired(OutcomeError):
    pass


class Invalid(UsageError, ValueError):
    pass


class Misuse(UsageError):
    pass


class NotSupported(UsageError):
    pass


class TooLarge(UsageError):
    pass


class StorageFailure(SystemFailure):
    pass


class NetworkFailure(SystemFailure, ConnectionError):
    """The connection broke: the request may have run."""


class TimedOut(SystemFailure, TimeoutError):
    pass


class NoMemory(SystemFailure, MemoryError):
    pass


class LimitReached(SystemFailure):
    pass


class Cancelled(SystemFailure):
    pass


class Unavailable(SystemFailure, ConnectionError):
    """Nothing was sent, or the other side said that it cannot now: trying again is safe."""


class Corrupt(SystemFailure):
    pass


class Busy(SystemFailure):
    pass


class InternalError(SystemFailure):
    pass


class ProtocolError(PeerError):
    """The peer does not speak the protocol."""


class RemoteError(PeerError):
    """The peer answered with an error of its own."""


BY_STATUS: Dict[int, Type[Error]] = {-1: NotFound, -2: Denied, -3: Unauthenticated, -4: Exists, -5: Conflict, -6: Expired,
             -100: Invalid, -101: Misuse, -102: NotSupported, -103: TooLarge,
             -200: StorageFailure, -201: NetworkFailure, -202: TimedOut, -203: NoMemory, -204: LimitReached,
             -205: Cancelled, -206: Unavailable, -207: Corrupt, -208: Busy, -299: InternalError,
             -300: ProtocolError, -301: RemoteError}


def raise_for(status: int, handle: Any = None) -> NoReturn:
    """Raises what a failed status means; `handle` is the error object or None, and is released."""
    lib = _native.lib
    try:
        known = (*(_native.word(one(handle)) for one in (lib.mcptoken_error_message, lib.mcptoken_error_code,
                                                         lib.mcptoken_error_hint, lib.mcptoken_error_request_id)),
                 lib.mcptoken_error_http_status(handle), lib.mcptoken_error_jsonrpc_code(handle), _data_of(handle))
        told = lib.mcptoken_error_status(handle) or status
    finally:
        lib.mcptoken_error_free(handle)
    raise BY_STATUS.get(told, Error)(told, *known)


def _data_of(handle: Any) -> str:
    size = ctypes.c_size_t()
    data = _native.lib.mcptoken_error_data(handle, byref(size))
    return ctypes.string_at(data, size.value).decode(errors="replace") if size.value else ""


def check(function: Callable[..., Any], *arguments: Any) -> None:
    """Calls a function whose last parameter is the error."""
    error = c_void_p()
    status = function(*arguments, byref(error))
    if status < 0:
        raise_for(status, error.value)


def call(function: Any, *arguments: Any) -> Any:
    """Calls a function that ends in (out, error): the out's value."""
    out = function.argtypes[-2]._type_()
    check(function, *arguments, byref(out))
    return out.value


def take(handle: Any) -> bytes:
    """The content of an owned mcptoken_bytes, which is released."""
    try:
        return ctypes.string_at(_native.lib.mcptoken_bytes_data(handle), _native.lib.mcptoken_bytes_size(handle))
    finally:
        _native.lib.mcptoken_bytes_free(handle)
