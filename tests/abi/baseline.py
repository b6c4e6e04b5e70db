"""The types of the interface against the recorded ones, with abidiff: what a program was compiled for may grow, not change.

    baseline.py SOURCE-ROOT CC [--write | --mutant PATTERN REPLACEMENT]

The library itself is C++, whose debug information is what its handles hide. So a library of empty functions is made from the
headers and the version script, and that is compared: it has what users see and no more. --write records it anew, for a
release or, before 1.0, a change that is wanted. --mutant changes the headers first, which has to be noticed.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from declared import functions

ROOT = Path(sys.argv[1])
RECORD = ROOT / "tests/abi/libmcptoken.abi"


def make(folder, include):
    """The library of empty functions."""
    text = '#include "mcptoken/mcptoken.h"\n'
    for result, name, parameters in functions(include):
        text += f"{result} {name}({parameters}) {{ {'' if result == 'void' else 'return 0;'} }}\n"
    source, library = Path(folder, "empty.c"), Path(folder, "libmcptoken.so.0")
    source.write_text(text)
    subprocess.run([sys.argv[2], "-std=c11", "-g", "-O0", "-fPIC", "-shared", "-w", f"-I{include}", source, "-o", library,
                    f"-Wl,--version-script={ROOT}/capi/libmcptoken.map,-soname,libmcptoken.so.0"], check=True)
    return library


def describe(folder, library):
    described = Path(folder, "abi")
    subprocess.run(["abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--out-file", described, library], check=True)
    return described.read_text()


with tempfile.TemporaryDirectory() as folder:
    include = Path(folder, "include")
    shutil.copytree(ROOT / "include/mcptoken", include / "mcptoken")
    if sys.argv[3:4] == ["--mutant"]:
        changed = 0
        for path in (include / "mcptoken").glob("*.h"):
            text, count = re.subn(sys.argv[4], sys.argv[5], path.read_text())
            changed += count
            path.write_text(text)
        assert changed == 1, f"{changed} places changed"
    library = make(folder, include)
    if sys.argv[3:4] == ["--write"]:
        RECORD.write_text(describe(folder, library))
        sys.exit(0)
    machine = re.search(r"architecture='([^']*)'", RECORD.read_text())[1]
    if f"architecture='{machine}'" not in describe(folder, library):
        print(f"skipped: the record is of {machine}")
        sys.exit(77)
    done = subprocess.run(["abidiff", "--no-added-syms", RECORD, library], capture_output=True, text=True)
    print(done.stdout + done.stderr if done.returncode else f"ok: what {RECORD.name} records is as it was")
    sys.exit(1 if done.returncode else 0)
