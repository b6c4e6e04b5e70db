"""Raw tokens and lifetimes: pure functions."""

import enum
import time
from typing import Optional, Union

from . import _native
from .errors import call, take

Text = Union[str, bytes]


class TokenKind(enum.IntEnum):
    PAT = 1  # a project's token, mcpctl_pat_…
    SESSION = 2  # a user's login session, mcpctl_ses_…


def generate() -> str:
    """A new raw project token from the system's random generator."""
    return take(call(_native.lib.mcptoken_token_generate)).decode()


def classify(raw: Text) -> TokenKind:
    """What it is, for exactly the canonical form; Invalid otherwise. Nothing is hashed."""
    data = _native.data(raw)
    return TokenKind(call(_native.lib.mcptoken_token_classify, data, len(data)))


def sha(raw: Text) -> str:
    """SHA-256 of a raw token as 64 hex digits: its name in roles and in the audit record."""
    data = _native.data(raw)
    return take(call(_native.lib.mcptoken_token_sha, data, len(data))).decode()


def equal(a: Text, b: Text) -> bool:
    """In a time that does not depend on where they differ."""
    one, other = _native.data(a), _native.data(b)
    return bool(_native.lib.mcptoken_token_equal(one, len(one), other, len(other)) == 1)


def parse_ttl(text: str, now: Optional[float] = None) -> Optional[float]:
    """"30d", "12h", "45m", "2w", "never", or an ISO-8601 instant with zone: seconds since the epoch, None for never."""
    now_ms = _native.whole(int((time.time() if now is None else now) * 1000))
    expires_ms: int = call(_native.lib.mcptoken_token_parse_ttl, _native.text(text), now_ms)
    return None if expires_ms == _native.NEVER_MS else expires_ms / 1000
