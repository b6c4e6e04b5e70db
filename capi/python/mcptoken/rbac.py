"""The text of role bindings."""

import json
from typing import Dict

from . import _native
from .errors import call, take


def parse_binding(text: str) -> Dict[str, str]:
    """"role:view,resource:servers,name:my-ha" or "action:logs" to the stored shape, with aliases resolved."""
    return json.loads(take(call(_native.lib.mcptoken_rbac_parse_binding, _native.text(text))))


def print_binding(binding: Dict[str, str]) -> str:
    """The text of a stored binding."""
    data = json.dumps(binding).encode()
    return take(call(_native.lib.mcptoken_rbac_print_binding, data, len(data))).decode()
