"""What the headers of a folder declare, for the scripts that compare or call it."""

import re
from pathlib import Path

COMMENT = re.compile(r"/\*.*?\*/", re.S)
DECLARED = re.compile(r"^MCPTOKEN_API\s+([^;()]*?)\b(mcptoken_\w+)\(([^;]*)\);", re.M)


def functions(include):
    """(result, name, parameters) of each function under INCLUDE/mcptoken, as text."""
    found = []
    for path in sorted((Path(include) / "mcptoken").glob("*.h")):
        found += [(result.strip(), name, " ".join(parameters.split()))
                  for result, name, parameters in DECLARED.findall(COMMENT.sub("", path.read_text()))]
    if len(found) < 90:
        raise SystemExit(f"only {len(found)} functions found in {include}: the pattern does not fit the headers")
    return found
