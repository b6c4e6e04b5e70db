"""Every function of symbols.txt is called by a C program of this folder.

    coverage.py SOURCE-ROOT
"""

import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1])
names = [line.split()[0] for line in (ROOT / "capi/symbols.txt").read_text().splitlines() if line and line[0] != "#"]
text = "".join(path.read_text() for path in sorted((ROOT / "tests/capi").glob("*.[ch]")))
text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
called = set(re.findall(r"\b(mcptoken_\w+)\s*\(", text))
missing = [name for name in names if name not in called]
print("\n".join(f"{name} is called by no program in tests/capi" for name in missing) or f"ok: {len(names)} functions are called")
sys.exit(1 if missing or not names else 0)
