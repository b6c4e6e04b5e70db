"""The macros of the headers are what the library answers.

    constants.py SOURCE-ROOT LIBRARY PROJECT-VERSION ABI-NUMBER
"""

import ctypes
import re
import sys
from pathlib import Path

ROOT, PROJECT_VERSION, PROJECT_ABI = Path(sys.argv[1]), sys.argv[3], int(sys.argv[4])
library = ctypes.CDLL(sys.argv[2])
library.mcptoken_status_name.restype = library.mcptoken_version.restype = ctypes.c_char_p
base, version = ((ROOT / "include/mcptoken" / name).read_text() for name in ("base.h", "version.h"))

statuses = [(name, int(value)) for name, value in re.findall(r"^#define MCPTOKEN_(\w+) \(?(-?\d+)\)?$", base, re.M)]
codes = [value for _, value in statuses]
wrong = [] if len(statuses) >= 24 else [f"only {len(statuses)} statuses found in base.h"]
for name, value in statuses:
    told = library.mcptoken_status_name(value).decode()
    if told != name.lower():
        wrong.append(f"mcptoken_status_name({value}) is {told!r}, the header calls it MCPTOKEN_{name}")
    if codes.count(value) > 1:
        wrong.append(f"MCPTOKEN_{name} shares the number {value}")
for value in range(-1000, 1000):
    if value not in codes and library.mcptoken_status_name(value) != b"unknown":
        wrong.append(f"mcptoken_status_name({value}) is {library.mcptoken_status_name(value)!r}, the header has no such status")

header_version = re.search(r'#define MCPTOKEN_VERSION "([^"]*)"', version)[1]
header_abi = int(re.search(r"#define MCPTOKEN_ABI_VERSION (\d+)", version)[1])
for what, one, other in (("MCPTOKEN_VERSION and mcptoken_version()", header_version, library.mcptoken_version().decode()),
                         ("MCPTOKEN_VERSION and the project's version", header_version, PROJECT_VERSION),
                         ("MCPTOKEN_ABI_VERSION and mcptoken_abi_version()", header_abi, library.mcptoken_abi_version()),
                         ("MCPTOKEN_ABI_VERSION and the number in the library's name", header_abi, PROJECT_ABI)):
    if one != other:
        wrong.append(f"{what} differ: {one} and {other}")
print("\n".join(wrong) if wrong else f"ok: {len(statuses)} statuses, version {header_version}, ABI {header_abi}")
sys.exit(1 if wrong else 0)
