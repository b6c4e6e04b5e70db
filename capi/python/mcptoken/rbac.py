"""Role bindings: their text, and the rights that a set of them gives."""

import enum
import json
from typing import Any, Dict, Iterable, List, Optional

from . import _native
from ._handle import Handle
from .errors import call, take


class ToolGrant(enum.IntEnum):
    VIEW = 0  # whoever may view a server may call its tools
    RUN = 1  # the right `run tools` is needed


def parse_binding(text: str) -> Dict[str, str]:
    """"role:view,resource:servers,name:my-ha" or "action:logs" to the stored shape, with aliases resolved."""
    binding: Dict[str, str] = json.loads(take(call(_native.lib.mcptoken_rbac_parse_binding, _native.text(text))))
    return binding


def print_binding(binding: Dict[str, str]) -> str:
    """The text of a stored binding."""
    data = json.dumps(binding).encode()
    return take(call(_native.lib.mcptoken_rbac_print_binding, data, len(data))).decode()


class Rights(Handle):
    """What somebody may do, judged by the function that the servers use: verify(url, raw).rights, or of bindings."""

    _free = "mcptoken_rights_free"

    def __init__(self, bindings: Iterable[Dict[str, str]], tool_grant: ToolGrant = ToolGrant.VIEW) -> None:
        data = json.dumps(list(bindings)).encode()
        super().__init__(call(_native.lib.mcptoken_rights_new, data, len(data), _native.whole(tool_grant, 32)))

    @classmethod
    def of(cls, owner: Handle, pointer: int) -> "Rights":
        """Those that another object has; it is kept as long as they are."""
        self = cls.__new__(cls)
        Handle.__init__(self, pointer, (owner,), owned=False)
        return self

    def can_access(self, action: str, resource: str, name: Optional[str] = None) -> bool:
        """Without a name: on all of them."""
        return bool(call(_native.lib.mcptoken_rights_can_access, self.pointer, _native.text(action), _native.text(resource),
                         None if name is None else _native.text(name)) == 1)

    def can_run(self, operation: str) -> bool:
        return bool(call(_native.lib.mcptoken_rights_can_run, self.pointer, _native.text(operation)) == 1)

    def can_use_tool(self, server: str, tool: str) -> bool:
        """Of a server that belongs to the project."""
        return bool(call(_native.lib.mcptoken_rights_can_use_tool, self.pointer, _native.text(server), _native.text(tool)) == 1)

    def allowed_scope(self, action: str, resource: str) -> Optional[List[str]]:
        """The names that a list may show, where a trailing * stands for anything; None: all."""
        scope: Dict[str, Any] = json.loads(take(call(_native.lib.mcptoken_rights_allowed_scope, self.pointer,
                                                     _native.text(action), _native.text(resource))))
        return None if scope["all"] else scope["names"]
