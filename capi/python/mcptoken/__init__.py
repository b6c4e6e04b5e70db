"""libmcptoken for Python: project-scoped tokens, roles, MCP sessions, and the whole gateway inside your program.

    token, rbac, kind, json     pure functions and the schema table
    verify, Identity            who a token is and what it may do
    Client                      the control plane's REST interface
    Session                     any MCP server, in both eras of the protocol
    stage                       content stages of your own
    Loop, Service, Exchange     the gateway without a socket; aio and asgi put it behind asyncio

Every failure is an `Error`, one class for each status. What owns something is a context manager. The C headers in
include/mcptoken are the reference for what the functions do.
"""

from . import aio, asgi, json, kind, rbac, stage, token
from ._native import ABI_VERSION, lib as _lib, word as _word
from .auth import Identity, verify
from .client import Client
from .errors import (Busy, Cancelled, Conflict, Corrupt, Denied, Error, Exists, Expired, InternalError, Invalid, LimitReached,
                     Misuse, NetworkFailure, NoMemory, NotFound, NotSupported, OutcomeError, PeerError, ProtocolError,
                     RemoteError, StorageFailure, SystemFailure, TimedOut, TooLarge, Unauthenticated, Unavailable, UsageError)
from .loop import Events, Loop, Timer, Watch
from .service import Config, Exchange, Service, reset_password, verify_audit
from .session import Call, Era, Session, base_url, health
from .stream import Step, Stream, What
from .token import TokenKind

__version__ = _word(_lib.mcptoken_version())


def version() -> str:
    """Of the library that is loaded."""
    return _word(_lib.mcptoken_version())


def abi_version() -> int:
    return int(_lib.mcptoken_abi_version())


# For `from mcptoken import *`: without json and token, which have the names of modules of the standard library.
__all__ = ["aio", "asgi", "kind", "rbac", "stage", "ABI_VERSION",
           "Client", "Identity", "verify", "Events", "Loop", "Timer",
           "Watch", "Config", "Exchange", "Service", "reset_password", "verify_audit", "Call", "Era", "Session", "base_url", "health",
           "Step", "Stream", "What",
           "TokenKind", "version", "abi_version", "Busy", "Cancelled", "Conflict", "Corrupt", "Denied", "Error", "Exists",
           "Expired", "InternalError", "Invalid", "LimitReached", "Misuse", "NetworkFailure", "NoMemory", "NotFound",
           "NotSupported", "OutcomeError", "PeerError", "ProtocolError", "RemoteError", "StorageFailure", "SystemFailure",
           "TimedOut", "TooLarge", "Unauthenticated", "Unavailable", "UsageError"]
