"""The schema table of resource kinds that is compiled into the library."""

import json
from typing import Any, Dict, List

from . import _native
from .errors import call, take


def table() -> List[Dict[str, Any]]:
    """One entry a kind: name, plural, aliases, scope, verbs, fields, columns, applyOrder, help."""
    kinds: List[Dict[str, Any]] = json.loads(take(call(_native.lib.mcptoken_kind_table)))["kinds"]
    return kinds
