"""The headers compile without a warning in each language they promise, with every compiler of this machine.

    headers.py SOURCE-ROOT CC CXX
"""

import shutil
import subprocess
import sys
from pathlib import Path

include = Path(sys.argv[1]) / "include"
ROWS = (("c", "mcptoken/mcptoken.h", ("c99", "c11"), {sys.argv[2], "gcc", "clang", "clang-14"}),
        ("c++", "mcptoken/mcptoken.h", ("c++11", "c++20"), {sys.argv[3], "g++", "clang++", "clang++-14"}),
        ("c++", "mcptoken/mcptoken.hpp", ("c++17", "c++20"), {sys.argv[3], "g++", "clang++", "clang++-14"}))
wrong, done = [], set()
for language, header, standards, compilers in ROWS:
    for compiler in {str(Path(path).resolve()) for path in map(shutil.which, compilers) if path}:
        for standard in standards:
            made = subprocess.run([compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                                   "-fsyntax-only", f"-I{include}", "-"], input=f"#include <{header}>\n", capture_output=True, text=True)
            done.add(Path(compiler).name)
            if made.returncode:
                wrong.append(f"{header} with {compiler} -std={standard}:\n{made.stderr}")
print("\n".join(wrong) or f"ok: {', '.join(sorted(done))}")
sys.exit(1 if wrong or not done else 0)
