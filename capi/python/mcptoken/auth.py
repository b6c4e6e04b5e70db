"""Who a token is and what it may do, asked of the control plane."""

from datetime import datetime, timezone
from typing import Optional, Union

from . import _native
from ._handle import Handle
from .client import Client
from .errors import call
from .rbac import Rights

Text = Union[str, bytes]


class Identity(Handle):
    """What the control plane knows of a token, at the time of asking. See verify()."""

    _free = "mcptoken_identity_free"

    @property
    def token_name(self) -> str:
        return _native.word(_native.lib.mcptoken_identity_token_name(self.pointer))

    @property
    def token_sha(self) -> str:
        """Its name in roles and in the audit record."""
        return _native.word(_native.lib.mcptoken_identity_token_sha(self.pointer))

    @property
    def project(self) -> str:
        """The one project that it opens."""
        return _native.word(_native.lib.mcptoken_identity_project(self.pointer))

    @property
    def owner(self) -> str:
        return _native.word(_native.lib.mcptoken_identity_owner(self.pointer))

    @property
    def expires(self) -> Optional[datetime]:
        """None: never."""
        ms = _native.lib.mcptoken_identity_expires_ms(self.pointer)
        return None if ms == _native.NEVER_MS else datetime.fromtimestamp(ms / 1000, timezone.utc)

    @property
    def rights(self) -> Rights:
        """What it may do now, the owner's rights considered."""
        return Rights.of(self, _native.lib.mcptoken_identity_rights(self.pointer))


def verify(base_url: str, raw: Text, timeout: float = 10.0) -> Identity:
    """Asks the control plane about a raw token. Unauthenticated when it is malformed, unknown, revoked or expired: `code` and the
    message say which. Unavailable, NetworkFailure and TimedOut mean that nothing is known, which is no refusal.
    """
    with Client(base_url, raw, timeout) as client:
        return Identity(call(_native.lib.mcptoken_auth_verify, client.pointer))
