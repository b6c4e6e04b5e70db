"""Start here: the library as ctypes sees it. Everything else in this package is built on `lib`, `call` and `take`.

PROTOTYPES and the structures repeat the headers of include/mcptoken; tests/python/test_prototypes.py holds them to it.
"""

import ctypes
import math
import os
from ctypes import CFUNCTYPE, POINTER, Structure, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

Text = Union[str, bytes]
ABI_VERSION = 0  # of the headers that this file repeats
NEVER_MS = 2**63 - 1

# Bytes whose length is told otherwise: a char pointer would end at the first NUL.
Raw = POINTER(c_char)


class Header(Structure):
    _fields_ = [("name", c_char_p), ("value", c_char_p)]


class Head(Structure):
    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32), ("method", c_char_p), ("target", c_char_p),
                ("peer_address", c_char_p), ("headers", POINTER(Header)), ("header_count", c_size_t),
                ("content_length", c_int64)]


SinkHead = CFUNCTYPE(None, c_void_p, c_int32, POINTER(Header), c_size_t, c_int64)
SinkWrite = CFUNCTYPE(c_size_t, c_void_p, Raw, c_size_t)
SinkEnd = CFUNCTYPE(None, c_void_p, c_int32)


class Sink(Structure):
    _fields_ = [("struct_size", c_uint32), ("reserved", c_uint32), ("user_data", c_void_p), ("head", SinkHead),
                ("write", SinkWrite), ("end", SinkEnd)]


class Access(Structure):
    _fields_ = [("struct_size", c_uint32), ("status", c_int32), ("duration_us", c_int64), ("sent_bytes", c_uint64)] + [
        (name, c_char_p) for name in ("request_id", "client_address", "method", "path", "route", "principal", "project",
                                      "mcp_method", "subject", "trace_id")]


STRUCTURES = {"mcptoken_header": Header, "mcptoken_head": Head, "mcptoken_sink": Sink, "mcptoken_access": Access}

LogFn = CFUNCTYPE(None, c_void_p, c_int32, c_char_p)
LoopFn = CFUNCTYPE(None, c_void_p)
WatchFn = CFUNCTYPE(None, c_void_p, c_int32)
NotificationFn = CFUNCTYPE(None, c_void_p, Raw, c_size_t)
InputFn = CFUNCTYPE(None, c_void_p, c_char_p, Raw, c_size_t)
StageFn = CFUNCTYPE(None, c_void_p, c_void_p)
DestroyFn = CFUNCTYPE(None, c_void_p)
AccessFn = CFUNCTYPE(None, c_void_p, POINTER(Access))
CALLBACKS = {"mcptoken_access_fn": AccessFn, "mcptoken_log_fn": LogFn, "mcptoken_loop_fn": LoopFn, "mcptoken_watch_fn": WatchFn,
             "mcptoken_notification_fn": NotificationFn, "mcptoken_input_fn": InputFn, "mcptoken_stage_fn": StageFn,
             "mcptoken_destroy_fn": DestroyFn}

_H = c_void_p  # a handle
_O = POINTER(c_void_p)  # where a new handle goes
_S = c_char_p
_N = c_size_t
_STATUS = c_int32

# Name: (result, parameters), in the order of the headers.
PROTOTYPES: Dict[str, Tuple[Any, List[Any]]] = {
    "mcptoken_version": (_S, []),
    "mcptoken_abi_version": (c_int32, []),
    # error.h, bytes.h
    "mcptoken_error_status": (_STATUS, [_H]),
    "mcptoken_error_message": (_S, [_H]),
    "mcptoken_error_code": (_S, [_H]),
    "mcptoken_error_hint": (_S, [_H]),
    "mcptoken_error_request_id": (_S, [_H]),
    "mcptoken_error_http_status": (c_int32, [_H]),
    "mcptoken_error_jsonrpc_code": (c_int64, [_H]),
    "mcptoken_error_data": (Raw, [_H, POINTER(_N)]),
    "mcptoken_error_free": (None, [_H]),
    "mcptoken_status_name": (_S, [_STATUS]),
    "mcptoken_bytes_data": (Raw, [_H]),
    "mcptoken_bytes_size": (_N, [_H]),
    "mcptoken_bytes_free": (None, [_H]),
    # token.h, rbac.h, kind.h
    "mcptoken_token_generate": (_STATUS, [_O, _O]),
    "mcptoken_token_classify": (_STATUS, [_S, _N, POINTER(c_int32), _O]),
    "mcptoken_token_sha": (_STATUS, [_S, _N, _O, _O]),
    "mcptoken_token_equal": (c_int32, [_S, _N, _S, _N]),
    "mcptoken_token_parse_ttl": (_STATUS, [_S, c_int64, POINTER(c_int64), _O]),
    "mcptoken_rbac_parse_binding": (_STATUS, [_S, _O, _O]),
    "mcptoken_rbac_print_binding": (_STATUS, [_S, _N, _O, _O]),
    "mcptoken_rights_new": (_STATUS, [_S, _N, c_int32, _O, _O]),
    "mcptoken_rights_free": (None, [_H]),
    "mcptoken_rights_can_access": (_STATUS, [_H, _S, _S, _S, POINTER(c_int32), _O]),
    "mcptoken_rights_can_run": (_STATUS, [_H, _S, POINTER(c_int32), _O]),
    "mcptoken_rights_can_use_tool": (_STATUS, [_H, _S, _S, POINTER(c_int32), _O]),
    "mcptoken_rights_allowed_scope": (_STATUS, [_H, _S, _S, _O, _O]),
    "mcptoken_kind_table": (_STATUS, [_O, _O]),
    # json.h
    "mcptoken_json_parse": (_STATUS, [_S, _N, _O, _O]),
    "mcptoken_json_root": (_H, [_H]),
    "mcptoken_json_free": (None, [_H]),
    "mcptoken_json_type": (c_int32, [_H]),
    "mcptoken_json_size": (_N, [_H]),
    "mcptoken_json_at": (_H, [_H, _N]),
    "mcptoken_json_key": (_S, [_H, _N]),
    "mcptoken_json_get": (_H, [_H, _S]),
    "mcptoken_json_text": (Raw, [_H, POINTER(_N)]),
    "mcptoken_json_boolean": (c_int32, [_H, c_int32]),
    "mcptoken_json_integer": (c_int64, [_H, c_int64]),
    "mcptoken_json_print": (_STATUS, [_H, c_int32, _O, _O]),
    "mcptoken_json_writer_new": (_STATUS, [_O, _O]),
    "mcptoken_json_writer_begin_object": (None, [_H]),
    "mcptoken_json_writer_end_object": (None, [_H]),
    "mcptoken_json_writer_begin_array": (None, [_H]),
    "mcptoken_json_writer_end_array": (None, [_H]),
    "mcptoken_json_writer_key": (None, [_H, _S]),
    "mcptoken_json_writer_string": (None, [_H, _S, _N]),
    "mcptoken_json_writer_integer": (None, [_H, c_int64]),
    "mcptoken_json_writer_boolean": (None, [_H, c_int32]),
    "mcptoken_json_writer_null": (None, [_H]),
    "mcptoken_json_writer_raw": (None, [_H, _S, _N]),
    "mcptoken_json_writer_value": (None, [_H, _H]),
    "mcptoken_json_writer_finish": (_STATUS, [_H, _O, _O]),
    "mcptoken_json_writer_free": (None, [_H]),
    # loop.h
    "mcptoken_loop_new": (_STATUS, [_O, _O]),
    "mcptoken_loop_free": (None, [_H]),
    "mcptoken_loop_fd": (c_int, [_H]),
    "mcptoken_loop_timeout": (c_int64, [_H]),
    "mcptoken_loop_run_once": (None, [_H]),
    "mcptoken_loop_run": (None, [_H]),
    "mcptoken_loop_set_busy_poll": (None, [_H, c_int64]),
    "mcptoken_loop_stop": (None, [_H]),
    "mcptoken_loop_post": (_STATUS, [_H, LoopFn, c_void_p]),
    "mcptoken_watch_new": (_STATUS, [_H, c_int, c_int32, WatchFn, c_void_p, _O, _O]),
    "mcptoken_watch_change": (None, [_H, c_int32]),
    "mcptoken_watch_expect": (None, [_H]),
    "mcptoken_watch_free": (None, [_H]),
    "mcptoken_timer_new": (_STATUS, [_H, LoopFn, c_void_p, _O, _O]),
    "mcptoken_timer_start": (None, [_H, c_int64, c_int64]),
    "mcptoken_timer_stop": (None, [_H]),
    "mcptoken_timer_free": (None, [_H]),
    # client.h, session.h
    "mcptoken_client_new": (_STATUS, [_S, _S, _N, c_int64, _O, _O]),
    "mcptoken_client_free": (None, [_H]),
    "mcptoken_client_introduce": (_STATUS, [_H, _S, _S, _O]),
    "mcptoken_client_call": (_STATUS, [_H, _S, _S, _S, _N, _O, _O]),
    "mcptoken_client_http_status": (c_int32, [_H]),
    # auth.h
    "mcptoken_auth_verify": (_STATUS, [_H, _O, _O]),
    "mcptoken_identity_token_name": (_S, [_H]),
    "mcptoken_identity_token_sha": (_S, [_H]),
    "mcptoken_identity_project": (_S, [_H]),
    "mcptoken_identity_owner": (_S, [_H]),
    "mcptoken_identity_expires_ms": (c_int64, [_H]),
    "mcptoken_identity_rights": (_H, [_H]),
    "mcptoken_identity_free": (None, [_H]),
    "mcptoken_session_new": (_STATUS, [_S, _S, _N, c_int64, c_int32, _O, _O]),
    "mcptoken_session_free": (None, [_H]),
    "mcptoken_session_introduce": (_STATUS, [_H, _S, _S, _O]),
    "mcptoken_session_on_notification": (None, [_H, NotificationFn, c_void_p]),
    "mcptoken_session_on_input": (_STATUS, [_H, _S, _N, InputFn, c_void_p, _O]),
    "mcptoken_session_answer": (_STATUS, [_H, _S, _N, _O]),
    "mcptoken_session_connect": (_STATUS, [_H, _O]),
    "mcptoken_session_challenge": (_S, [_H]),
    "mcptoken_session_info": (_STATUS, [_H, _O, _O]),
    "mcptoken_session_list_tools": (_STATUS, [_H, _O, _O]),
    "mcptoken_session_call_tool": (_STATUS, [_H, _S, _S, _N, _O, _O]),
    "mcptoken_session_request": (_STATUS, [_H, _S, _S, _N, _O, _O]),
    "mcptoken_session_begin": (_STATUS, [_H, _S, _S, _N, _O, _O]),
    "mcptoken_session_fd": (c_int, [_H]),
    "mcptoken_session_timeout": (c_int64, [_H]),
    "mcptoken_session_poll": (_STATUS, [_H, _O]),
    "mcptoken_call_poll": (_STATUS, [_H, _O, _O]),
    "mcptoken_call_cancel": (None, [_H]),
    "mcptoken_call_free": (None, [_H]),
    "mcptoken_session_notify": (_STATUS, [_H, _S, _S, _N, _O]),
    "mcptoken_session_close": (_STATUS, [_H, _O]),
    "mcptoken_session_base_url": (_STATUS, [_S, _O, _O]),
    "mcptoken_session_health": (_STATUS, [_S, c_int64, _O]),
    # stream.h
    "mcptoken_stream_new": (_STATUS, [_S, _S, _N, _O, _O]),
    "mcptoken_stream_free": (None, [_H]),
    "mcptoken_stream_send": (_STATUS, [_H, _S, POINTER(Header), _N, _S, _N, _O]),
    "mcptoken_stream_send_message": (_STATUS, [_H, _S, _N, POINTER(Header), _N, _O]),
    "mcptoken_stream_next": (_STATUS, [_H, c_int64, POINTER(c_int32), _O, _O]),
    "mcptoken_stream_status": (c_int32, [_H]),
    "mcptoken_stream_header": (_S, [_H, _S]),
    "mcptoken_stream_event_type": (_S, [_H]),
    "mcptoken_stream_event_id": (_S, [_H]),
    # service.h
    "mcptoken_config_new": (_STATUS, [_O, _O]),
    "mcptoken_config_set": (_STATUS, [_H, _S, _S, _O]),
    "mcptoken_config_free": (None, [_H]),
    "mcptoken_service_new": (_STATUS, [_H, LogFn, c_void_p, _O, _O]),
    "mcptoken_service_attach": (_STATUS, [_H, _H, _O]),
    "mcptoken_service_drain": (None, [_H, _H, c_int64, LoopFn, c_void_p]),
    "mcptoken_service_free": (None, [_H]),
    "mcptoken_service_needs_bootstrap": (c_int32, [_H]),
    "mcptoken_service_metrics": (_STATUS, [_H, _O, _O]),
    "mcptoken_service_on_access": (_STATUS, [_H, AccessFn, c_void_p, _O]),
    "mcptoken_admin_reset_password": (_STATUS, [_H, _S, _S, _N, _O]),
    "mcptoken_admin_verify_audit": (_STATUS, [_H, _S, _O, _O]),
    "mcptoken_exchange_new": (_STATUS, [_H, _H, POINTER(Head), POINTER(Sink), _O, _O]),
    "mcptoken_exchange_answered": (c_int32, [_H]),
    "mcptoken_exchange_body": (None, [_H, _S, _N]),
    "mcptoken_exchange_end": (None, [_H]),
    "mcptoken_exchange_writable": (None, [_H]),
    "mcptoken_exchange_peer_closed": (None, [_H]),
    "mcptoken_exchange_free": (None, [_H]),
    # stage.h
    "mcptoken_stage_register": (_STATUS, [_H, _S, _S, StageFn, c_void_p, DestroyFn, _O]),
    "mcptoken_stage_call_content": (Raw, [_H, POINTER(_N)]),
    "mcptoken_stage_call_original": (Raw, [_H, POINTER(_N)]),
    "mcptoken_stage_call_get": (_S, [_H, _S]),
    "mcptoken_stage_call_abandoned": (c_int32, [_H]),
    "mcptoken_stage_call_ask_model": (_STATUS, [_H, _S, _N, c_int64, _O, _O]),
    "mcptoken_stage_call_cache_get": (_STATUS, [_H, _S, _N, _O, _O]),
    "mcptoken_stage_call_cache_put": (_STATUS, [_H, _S, _N, _S, _N, _O]),
    "mcptoken_stage_call_add_section": (_STATUS, [_H, _S, _S, _S, _N, _O]),
    "mcptoken_stage_call_answer": (_STATUS, [_H, _S, _N, _O]),
    "mcptoken_stage_call_fail": (_STATUS, [_H, _S, _O]),
    "mcptoken_stage_call_free": (None, [_H]),
}


def _load() -> ctypes.CDLL:
    """MCPTOKEN_LIBRARY, else the one in this folder (a wheel has it), else what the loader finds."""
    beside = Path(__file__).parent / f"libmcptoken.so.{ABI_VERSION}"
    name = os.environ.get("MCPTOKEN_LIBRARY") or (str(beside) if beside.exists() else beside.name)
    try:
        loaded = ctypes.CDLL(name)
        for function, (result, parameters) in PROTOTYPES.items():
            known = getattr(loaded, function)
            known.restype, known.argtypes = result, parameters
    except (OSError, AttributeError) as failure:
        raise ImportError(f"mcptoken: {name} cannot be used: {failure}") from None
    if loaded.mcptoken_abi_version() != ABI_VERSION:
        raise ImportError(f"mcptoken: {name} has ABI {loaded.mcptoken_abi_version()}, this package is for {ABI_VERSION}")
    return loaded


lib = _load()


def word(found: Optional[bytes], errors: str = "strict") -> str:
    """The text that a function returns."""
    return (found or b"").decode(errors=errors)


def nobody(kind: Any) -> Any:
    """No callback of that kind: NULL."""
    return kind()


def text(value: Text, what: str = "text") -> bytes:
    """UTF-8 for a NUL-terminated parameter."""
    encoded = data(value)
    if b"\0" in encoded:
        raise ValueError(f"{what} holds a NUL")
    return encoded


def data(value: Union[Text, bytearray, memoryview]) -> bytes:
    """Bytes for a parameter whose size is given: of a text, or of what has bytes."""
    return value.encode() if isinstance(value, str) else bytes(memoryview(value))


def whole(value: int, bits: int = 64) -> int:
    """A number for a parameter of so many bits: ctypes would cut it without a word."""
    if not -(1 << bits - 1) <= value < 1 << bits - 1:
        raise ValueError(f"{value} does not fit {bits} bits")
    return int(value)


def milliseconds(seconds: float, least: int = 0) -> int:
    """A time for the library; math.inf is its longest."""
    if not seconds >= 0:
        raise ValueError(f"{seconds} is no time: seconds, 0 or more")
    return NEVER_MS if seconds * 1000 >= NEVER_MS else max(math.ceil(seconds * 1000), least)
