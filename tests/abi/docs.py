"""Every function says since when it exists, every handle type how it may be shared between threads.

    docs.py SOURCE-ROOT
"""

import re
import sys
from pathlib import Path

DECLARED = re.compile(r"(?P<comment>/\*(?:(?!\*/).)*\*/\s*)?(?P<what>(?m:^)MCPTOKEN_API\s[^;{}]*;|typedef struct (\w+) \3;)", re.S)
wrong, functions, handles = [], 0, 0
for path in sorted((Path(sys.argv[1]) / "include/mcptoken").glob("*.h")):
    text = path.read_text()
    for match in DECLARED.finditer(text):
        line, comment = text.count("\n", 0, match.start("what")) + 1, match["comment"] or ""
        if match[3]:
            handles += 1
            if not re.search(r"Thread-safety: \w", comment):
                wrong.append(f"{path.name}:{line}: {match[3]} has no `Thread-safety:` line above it")
            continue
        functions += 1
        name = re.search(r"(mcptoken_\w+)\s*\(", match["what"])[1]
        if not re.search(r"Since: \d+\.\d+", comment):
            wrong.append(f"{path.name}:{line}: {name} has no `Since:` in the comment above it")
if functions < 90 or handles < 12:
    wrong.append(f"only {functions} functions and {handles} handle types were recognised: the script does not fit the headers")
print("\n".join(wrong) if wrong else f"ok: {functions} functions, {handles} handle types")
sys.exit(1 if wrong else 0)
