"""Who may include whom. lib/meson.build holds the table of lib/; the rest of the tree and third parties are here."""

import re

from tree import ROOT, blank, files, finish, folder, line_of, report

LIB = {name: set(re.findall(r"'(\w+)'", uses)) | {name}
       for name, uses in re.findall(r"\['(\w+)', \[[\w, ]*\], \[([^\]]*)\]\]", (ROOT / "lib/meson.build").read_text())}
PROTOCOL = {"revision", "message", "header", "rewrite", "handshake", "trace"}  # of lib/mcp: no I/O, so base and json alone

# Header prefix: the folders that may name it, and whether their own headers may, too.
THIRD_PARTY = {
    "fmt/": (["lib/"], True), "tl/expected.hpp": (["lib/base"], True), "rapidjson/": (["lib/json"], False),
    "sodium.h": (["lib/crypto"], False), "nettle/": (["lib/crypto"], False), "sqlite3.h": (["lib/db"], False),
    "uv.h": (["lib/loop"], False), "curl/": (["lib/http"], False), "re2/": (["lib/pattern"], False),
    "microhttpd.h": (["bin/mcpd", "bin/mcpctl"], True), "CLI/": (["bin/mcpctl"], False),
    "yaml.h": (["bin/"], False), "curses.h": (["bin/mcpctl"], False), "doctest/": (["tests/unit", "tests/pch"], True)}
SYSTEM = re.compile(r"(sys|netinet|arpa|net|linux)/\w+\.h|[a-z_0-9]+|(assert|ctype|dirent|dlfcn|emmintrin|errno|fcntl|immintrin|inttypes|"
                    r"limits|malloc|math|netdb|poll|pthread|pty|sched|signal|spawn|stdarg|stdatomic|stdbool|stddef|stdint|stdio|"
                    r"stdlib|string|syslog|termios|time|unistd|wchar)\.h")
PUBLIC_ONLY = ("bin/", "examples", "tests/capi", "tests/abi", "tests/e2e", "tests/python")


def quoted(place, path, name):
    first = name.split("/")[0] if "/" in name else ""
    if place.startswith("include"):
        return None if not first else "public headers include one another by bare name"
    if place.startswith(PUBLIC_ONLY):
        own = not first and (path.parent / name).exists()
        return None if own or first == "mcptoken" else "only include/mcptoken and files of its own folder"
    if place == "capi":
        return None if first in {"capi", "mcptoken", *LIB} else "capi uses include/ and lib/, as folder/file.h"
    if place.startswith("lib/"):
        own = place.split("/")[1]
        allowed = {"base", "json"} if own == "mcp" and path.stem in PROTOCOL else LIB.get(own, set())
        first = "base" if own == first == "mcp" and name[4:-2] in PROTOCOL else first  # they may include one another
        return None if first in allowed else f"lib/{own} may include {', '.join(sorted(allowed))}, as folder/file.h"
    return None


def angled(place, path, name):
    if name.startswith("mcptoken/"):
        return "the core never includes the public header" if place.startswith("lib/") else None
    for prefix, (owners, in_headers) in THIRD_PARTY.items():
        if name.startswith(prefix):
            if not place.startswith(tuple(owners + [owner.replace("lib/", "tests/unit/") for owner in owners])):
                return f"only {' and '.join(owners)} may include {prefix}"
            return "third-party headers belong into .cc files" if path.suffix == ".h" and not in_headers else None
    if place.startswith("include") and path.suffix == ".hpp":
        return None if re.fullmatch("[a-z_]+", name) else "the C++ header needs the C++ standard library alone"
    if place.startswith("include"):
        return None if name in ("stddef.h", "stdint.h") else "public headers need stddef.h and stdint.h alone"
    return None if SYSTEM.fullmatch(name) else "a third party without a row in tests/style/layering.py"


for path in files(*(f"{top}/*.{kind}" for top in ("include", "lib", "capi", "bin", "examples", "tests")
                    for kind in ("h", "hpp", "c", "cc"))):
    text = blank(path.read_text(), strings=False)
    for match in re.finditer(r'^\s*#\s*include\s*([<"])([^>"]+)', text, re.M):
        wrong = (quoted if match[1] == '"' else angled)(folder(path), path, match[2])
        if wrong:
            report(path, line_of(text, match.start(2)), f"includes {match[2]}: {wrong}")
finish(f"layers of {len(LIB)} folders of lib/ and of what is built on them")
