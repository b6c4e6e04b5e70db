"""A program built against the headers of the first release runs with this library: it calls every function they declare,
with nothing, and all that can fail have to say INVALID.

    first.py SOURCE-ROOT CC LIBRARY
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from declared import functions

ROOT, CC, LIBRARY = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).resolve()
INCLUDE = ROOT / "tests/abi/first"
# They are content with nothing: the answer is not INVALID, or there is none.
CONTENT = {"mcptoken_error_status": "MCPTOKEN_OK"}

lines = ['#include "mcptoken/mcptoken.h"', "#include <stdio.h>", "int main(void) {", "  int wrong = 0;"]
for result, name, parameters in functions(INCLUDE):
    count = 0 if parameters == "void" else parameters.count(",") + 1
    call = f"{name}({', '.join(['0'] * count)})"
    if result == "mcptoken_status":
        wanted = CONTENT.get(name, "MCPTOKEN_INVALID")
        lines.append(f'  {{ int status = {call}; if (status != {wanted}) ++wrong, printf("{name}: %d\\n", status); }}')
    else:
        lines.append(f"  (void){call};")
lines += ['  printf("%d functions, %d wrong\\n", ' + str(len(functions(INCLUDE))) + ", wrong);", "  return wrong != 0;", "}", ""]

with tempfile.TemporaryDirectory() as folder:
    source, program = Path(folder, "first.c"), Path(folder, "first")
    source.write_text("\n".join(lines))
    subprocess.run([CC, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{INCLUDE}", source, "-o", program, LIBRARY], check=True)
    environment = os.environ | {"LD_LIBRARY_PATH": str(LIBRARY.parent)}
    sys.exit(subprocess.run([program], env=environment, timeout=60).returncode)
