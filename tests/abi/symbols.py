"""The functions of the API are the same in the headers, symbols.txt, the version script and the built library.

    symbols.py SOURCE-ROOT LIBRARY NM
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1])
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def headers():
    """Name -> version of its `Since:`, in the order of the declarations; and what is declared without MCPTOKEN_API."""
    out, hidden = {}, []
    for path in sorted((ROOT / "include/mcptoken").glob("*.h")):
        text = path.read_text()
        for match in re.finditer(r"(MCPTOKEN_API\s[^;{}]*?)?\b(mcptoken_\w+)\s*\((?!\s*\*)[^;{}]*\)\s*;", COMMENT.sub("", text)):
            if not match[1]:
                hidden.append(f"{path.name}: {match[2]} is declared without MCPTOKEN_API")
            out[match[2]] = None
        for comment, declared in re.findall(r"/\*((?:(?!\*/).)*)\*/\s*MCPTOKEN_API\s([^;{}]*);", text, re.S):
            since = re.search(r"Since: ([\d.]+)", comment)
            out[re.search(r"(mcptoken_\w+)\s*\(", declared)[1]] = since and since[1].rstrip(".")
    return out, hidden


declared, wrong = headers()
rows = [line.split() for line in (ROOT / "capi/symbols.txt").read_text().splitlines() if line and line[0] != "#"]
listed = {row[0]: row[1] for row in rows}
script = COMMENT.sub("", (ROOT / "capi/libmcptoken.map").read_text())
exported = re.findall(r"^\s*(\w+);", script.split("local:")[0], re.M)
lines = subprocess.run([sys.argv[3], "-D", "--defined-only", sys.argv[2]], check=True, capture_output=True, text=True).stdout
built = {line.split()[-1].split("@")[0] for line in lines.splitlines() if line.split()[-2] != "A"}

SETS = {"the headers": set(declared), "capi/symbols.txt": set(listed), "capi/libmcptoken.map": set(exported),
        "the built library": built}
wrong += [f"{name} is in {one}, not in {other}" for one, names in SETS.items() for other, others in SETS.items()
          for name in sorted(names - others)]
for what, names in (("capi/symbols.txt", [row[0] for row in rows]), ("capi/libmcptoken.map", exported)):
    wrong += [f"{what} lists {name} twice" for name in sorted(set(names)) if names.count(name) > 1]
    wrong += [f"{what} is not sorted at {b}" for a, b in zip(names, names[1:]) if b < a]
wrong += [f"{name} has `Since: {since}` in its header and {listed[name]} in capi/symbols.txt" for name, since in declared.items()
          if since and name in listed and since != listed[name]]
wrong += [f"capi/symbols.txt: `{' '.join(row)}` is not NAME VERSION stable|unstable" for row in rows
          if len(row) != 3 or row[2] not in ("stable", "unstable")]
if "*;" not in script.split("local:")[-1]:
    wrong.append("capi/libmcptoken.map keeps nothing local")
print("\n".join(wrong) if wrong else f"ok: {len(declared)} functions in {', '.join(SETS)}")
sys.exit(1 if wrong else 0)
