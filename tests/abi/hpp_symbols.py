"""mcptoken.hpp leaves no symbol behind: a library that uses all of it exports nothing of it. And it wraps every function.

    hpp_symbols.py SOURCE-ROOT MODULE NM
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1])
dynamic = subprocess.run([sys.argv[3], "-DC", "--defined-only", sys.argv[2]], check=True, capture_output=True, text=True).stdout
wrong = [f"exported: {line.split(None, 2)[2]}" for line in dynamic.splitlines() if "mcptoken::" in line]
if not re.search(r" T main$", dynamic, re.M):
    wrong.append("the module exports nothing at all: the check would pass for nothing")
names = [line.split()[0] for line in (ROOT / "capi/symbols.txt").read_text().splitlines() if line and line[0] != "#"]
header = (ROOT / "include/mcptoken/mcptoken.hpp").read_text()
wrong += [f"mcptoken.hpp does not use {name}" for name in names if not re.search(rf"\b{name}\b", header)]
print("\n".join(wrong) or f"ok: {len(names)} functions wrapped, no symbol exported")
sys.exit(1 if wrong else 0)
