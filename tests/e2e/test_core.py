"""The library with -Dcore_only=true: what is built, and the tests of its own that pass.

The folder stays for the next time. The checks that read the tree, and the oracle, are the whole build's.
"""

import re
import subprocess

from harness import BUILD, ROOT

SUITES = ("unit", "capi", "fuzz")
TESTS = {"base", "json", "crypto", "token", "rbac", "capi-error_bytes", "capi-json", "capi-rbac", "capi-token", "capi-coverage",
         "fuzz-json_outline"}


def run(*words):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout[-8000:]}"
    return done.stdout


def test_the_core_alone():
    folder = BUILD / "core"
    if not (folder / "build.ninja").exists():
        run("meson", "setup", "-Dcore_only=true", folder, ROOT)
    run("ninja", "-C", folder)
    said = run("meson", "test", "-C", folder, "--no-rebuild", "--timeout-multiplier", "8", *(f"--suite={suite}" for suite in SUITES))
    assert set(re.findall(r"libmcptoken:\w+ / (\S+) +OK", said)) == TESTS, said
    needed = run("objdump", "-p", folder / "capi/libmcptoken.so")
    assert "libsodium" in needed and not re.search("NEEDED.*(curl|libuv|sqlite|microhttpd|yaml|ncurses|re2)", needed), needed
