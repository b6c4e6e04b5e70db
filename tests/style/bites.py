"""A check that cannot fail is a defect: each rule is broken once in a copy of the tree, and its script has to say so."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT, HERE = Path(sys.argv[1]).resolve(), Path(__file__).parent
RAW = "/ro" "ot/x registry." "npmjs.org"

# script, file that gets a line at its end (or is made), the line, words of the finding
BREAKS = [
    ("layering", "lib/json/value.cc", '#include "http/url.h"', "lib/json may include base, json"),
    ("layering", "lib/mcp/message.h", '#include "loop/task.h"', "lib/mcp may include base, json"),
    ("layering", "lib/base/bytes.cc", "#include <sodium.h>", "only lib/crypto may include"),
    ("layering", "lib/crypto/crypto.h", "#include <sodium.h>", "belong into .cc files"),
    ("layering", "lib/base/log.cc", "#include <mcptoken/base.h>", "never includes the public header"),
    ("layering", "include/mcptoken/json.h", "#include <stdio.h>", "public headers need"),
    ("layering", "include/mcptoken/mcptoken.hpp", "#include <unistd.h>", "needs the C++ standard library alone"),
    ("layering", "bin/mcpd/main.cc", '#include "base/bytes.h"', "only include/mcptoken"),
    ("layering", "tests/capi/json.c", '#include "../../capi/guard.h"', "only include/mcptoken"),
    ("layering", "lib/http/url.cc", "#include <boost/url.hpp>", "a third party without a row"),
    ("guard", "capi/kind_c.cc", 'extern "C" {\nint mcptoken_x(void) { return work(); }\n}', "mcptoken_x is not a single call"),
    ("guard", "capi/kind_c.cc", 'extern "C" {\nint mcptoken_y(int* p) {\n  f(p);\n  return guard(p, [] {});\n}\n}', "mcptoken_y is not"),
    ("coroutines", "lib/loop/task.cc", "Task f() { co_await g({1, 2}); }", "a '{' between"),
    ("coroutines", "lib/loop/task.cc", 'Task f() { co_await g("text", 1); }', 'the temporary `"text"`'),
    ("coroutines", "lib/loop/task.cc", "Task f() { MCPT_CO_TRY(auto x, co_await g(h(1))); }", "the temporary `h(1)`"),
    ("banned", "lib/base/log.cc", "void f(char* a) { std::strcpy(a, a); }", "writes without a bound"),
    ("banned", "bin/mcpd/log.cc", "int f(char* a) { return atoi(a); }", "parse_decimal"),
    ("banned", "lib/base/log.cc", "void f() { std::cerr << 1; }", "no stream"),
    ("banned", "lib/base/log.cc", "void f() { try { g(); } catch (...) { } }", "only capi/guard.h stops everything"),
    ("banned", "lib/base/log.cc", "void f() { try { g(); } catch (const E& e) { } }", "no exception but"),
    ("banned", "lib/token/token.cc", "int f(char* a) { return std::memcmp(a, a, 1); }", "crypto::equal"),
    ("banned", "lib/base/log.cc", 'auto x = std::getenv("HOME");', "no environment"),
    ("security_cases", "docs/security-cases.md", '| X | x | control "no such case" |', "no test of control"),
    ("security_cases", "docs/security-cases.md", "| X | x | `test_that_is_not_there` |", "no function"),
    ("listed", "tests/e2e/test_nobody_runs.py", "X = 1", "no meson.build names it"),
    ("words", "README.md", RAW, "a path of one machine"),
    ("words", "README.md", RAW, "a registry's host name"),
    ("lines", "lib/base/log.cc", "// " + "x" * 140, "143 columns"),
    ("lines", "README.md", "blank ", "blanks at the end"),
]

failed = 0
with tempfile.TemporaryDirectory() as folder:
    copy = Path(folder) / "tree"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("build*", ".git", "node_modules", "__pycache__"))
    for script in sorted({row[0] for row in BREAKS}):
        rows = [row[1:] for row in BREAKS if row[0] == script]
        before = {name: (copy / name).read_text() if (copy / name).exists() else None for name, _, _ in rows}
        for name, line, _ in rows:
            with (copy / name).open("a") as file:
                file.write(line + "\n")
        done = subprocess.run([sys.executable, "-B", HERE / f"{script}.py", copy], capture_output=True, text=True)
        for name, text in before.items():
            if text is None:
                (copy / name).unlink()
            else:
                (copy / name).write_text(text)
        for name, line, words in rows:
            if done.returncode == 1 and any(told.startswith(name + ":") and words in told for told in done.stdout.splitlines()):
                continue
            failed += 1
            print(f"{script}.py does not find `{line}` in {name}:\n{done.stdout}{done.stderr}")
print(f"{len(BREAKS)} broken rules, {failed} not found")
sys.exit(1 if failed else 0)
