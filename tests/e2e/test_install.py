"""What `meson install` leaves, and programs built against it alone: through pkg-config, CMake and Meson."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from contextlib import contextmanager
from pathlib import Path

from harness import BUILD, PATIENCE_S, ROOT, Gateway

SOURCES = {"verify": ROOT / "examples/c/verify_token.c", "session": ROOT / "examples/cpp/mcp_session.cc"}
CMAKE = """cmake_minimum_required(VERSION 3.13)
project(user C CXX)
set(CMAKE_CXX_STANDARD 17)
find_package(mcptoken {version} REQUIRED)
add_executable(verify {verify})
add_executable(session {session})
target_link_libraries(verify PRIVATE mcptoken::mcptoken)
target_link_libraries(session PRIVATE mcptoken::mcptoken)
"""
MESON = """project('user', ['c', 'cpp'], default_options: ['cpp_std=c++17'])
mcptoken = dependency('libmcptoken', version: '>= {version}')
executable('verify', files('{verify}'), dependencies: mcptoken)
executable('session', files('{session}'), dependencies: mcptoken)
"""

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)
# What stands around the loop of docs/embedding.md: a timer that ends the program.
HOST = """#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <mcptoken/mcptoken.h>

static void ended(void *user_data) {
  puts((const char *)user_data);
  exit(0);
}

int main(void) {
  const nfds_t count = 1;
  mcptoken_loop *loop = NULL;
  mcptoken_timer *timer = NULL;
  if (mcptoken_loop_new(&loop, NULL) || mcptoken_timer_new(loop, ended, "ended", &timer, NULL)) return 1;
  mcptoken_timer_start(timer, 20, 0);
@LOOP@}
"""
# And around the calls of docs/ABI.md, which say the order and are not a whole program.
ORDER = """#include <mcptoken/mcptoken.h>

void serve(mcptoken_config *, mcptoken_log_fn, mcptoken_head, mcptoken_sink, const char *, size_t);
void serve(mcptoken_config *config, mcptoken_log_fn log, mcptoken_head head, mcptoken_sink sink, const char *data, size_t size) {
  mcptoken_service *service;
  mcptoken_loop *loop;
  mcptoken_exchange *exchange;
  mcptoken_error *error;
@CALLS@}
"""
# And around those of docs/embedding.md that are polled.
POLLED = """
#include <poll.h>
#include <string.h>
#include <mcptoken/session.h>
void polled(mcptoken_session *session, const char *params, nfds_t count) {
  mcptoken_status status;
  mcptoken_call *call = NULL;
  mcptoken_bytes *result = NULL;
  mcptoken_error *error = NULL;
@CALLS@
}
"""
GATEWAY = """
import asyncio, sys
import mcptoken

async def main():
    method, target, headers, body, peer = "GET", "/readyz", [("Host", "localhost")], b"", "127.0.0.1"

    async def send(piece):
        sys.stdout.write(piece.decode())

@BLOCK@
asyncio.run(main())
"""


class Installed:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.root = self.folder / "root"
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", self.root], check=True)
        (self.library,) = self.root.rglob("libmcptoken.so.0")
        self.libdir = self.library.parent
        self.prefix = next(path.parent for path in self.root.rglob("bin") if (path / "mcpd").exists())
        cached = {name: value for name, value in os.environ.items() if name.startswith("CCACHE_")}
        self.environment = cached | {"PATH": os.environ["PATH"], "HOME": str(folder), "LD_LIBRARY_PATH": str(self.libdir),
                            "PKG_CONFIG_PATH": str(self.libdir / "pkgconfig"), "PKG_CONFIG_SYSROOT_DIR": str(self.root)}

    def run(self, *words, code=0, input=""):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=8 * PATIENCE_S, input=input,
                              env=self.environment, cwd=self.folder)
        assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def version(self):
        return self.run("pkg-config", "--modversion", "libmcptoken")


@contextmanager
def fixture():
    with tempfile.TemporaryDirectory(prefix="mcptoken-install-") as folder, Gateway() as gateway:
        gateway.example()
        gateway.project("demo", "example")
        yield Installed(folder), gateway


def works(installed, gateway, name, folder):
    """Both programs of a build against the running server."""
    token = gateway.token(name)
    assert installed.run(folder / "verify", gateway.url, input=token) == f"{name} of project demo"
    said = installed.run(folder / "session", gateway.endpoint(), "example__echo", '{"message":"hi"}', input=token)
    assert said == "hi", said


def test_files(fixture):
    installed, _ = fixture
    headers = {path.name for path in (ROOT / "include/mcptoken").iterdir() if path.suffix in (".h", ".hpp")}
    assert {path.name for path in (installed.prefix / "include/mcptoken").iterdir()} == headers
    assert installed.run(installed.prefix / "bin/mcpd", "--version").split()[1] == installed.version()
    assert "Usage" in installed.run(installed.prefix / "bin/mcpctl", "--help").title()
    assert os.readlink(installed.prefix / "bin/mcplocal") == "mcpd"
    soname = installed.run("objdump", "-p", installed.library)
    assert "SONAME               libmcptoken.so.0" in soname, soname
    assert "RUNPATH" not in soname and "RPATH" not in soname, soname
    for path in installed.root.rglob("*"):
        if path.is_file() and path.suffix in (".pc", ".cmake"):
            assert str(BUILD) not in path.read_text() and str(ROOT) not in path.read_text(), path


def test_pkg_config(fixture):
    installed, gateway = fixture
    flags = installed.run("pkg-config", "--cflags", "--libs", "libmcptoken").split()
    folder = installed.folder / "pc"
    folder.mkdir()
    installed.run("cc", "-std=c11", SOURCES["verify"], *flags, "-o", folder / "verify")
    installed.run("c++", "-std=c++17", SOURCES["session"], *flags, "-o", folder / "session")
    works(installed, gateway, "pkg-config", folder)


def test_blocks_of_the_documents(fixture):
    """What docs/embedding.md and docs/ABI.md show, compiled and run as it stands."""
    installed, _ = fixture
    blocks = BLOCK.findall((ROOT / "docs/embedding.md").read_text())
    assert [language for language, _ in blocks] == ["sh", "cmake", "meson", "c", "python", "c", "python"], blocks
    compiling, cmake, meson, loop, python, polled, gathered = (text for _, text in blocks)
    folder = installed.folder / "documents"
    folder.mkdir()
    (folder / "host.c").write_text(HOST.replace("@LOOP@", loop))
    (folder / "CMakeLists.txt").write_text(f"cmake_minimum_required(VERSION 3.13)\nproject(host C)\nadd_executable(host host.c)\n{cmake}")
    (folder / "meson.build").write_text(f"project('host', 'c')\n{meson}executable('host', 'host.c', dependencies: mcptoken)\n")
    installed.run("sh", "-ec", f"cd {folder}\n{compiling}")
    installed.run("cmake", "-S", folder, "-B", folder / "cmake", f"-DCMAKE_PREFIX_PATH={installed.prefix}")
    installed.run("cmake", "--build", folder / "cmake")
    installed.run("meson", "setup", folder / "meson", folder)
    installed.run("meson", "compile", "-C", folder / "meson")
    for program in ("a.out", "cmake/host", "meson/host"):
        assert installed.run(folder / program) == "ended", program

    ((_, calls),) = BLOCK.findall((ROOT / "docs/ABI.md").read_text())
    flags = installed.run("pkg-config", "--cflags", "libmcptoken").split()
    for name, program, text in (("order.c", ORDER, calls), ("polled.c", POLLED, polled)):
        (folder / name).write_text(program.replace("@CALLS@", text))
        installed.run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", folder / name, *flags)
    compile(gathered, "embedding.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)  # the package's README has one like it that runs

    source = GATEWAY.replace("@BLOCK@", textwrap.indent(python, "    "))
    place = {"PYTHONPATH": str(ROOT / "capi/python"), "MCPTOKEN_LIBRARY": str(installed.library)}
    said = installed.run("env", *(f"{name}={value}" for name, value in place.items()), sys.executable, "-B", "-c", source)
    assert said == '{"status":"ok"}', said


def test_cmake(fixture):
    installed, gateway = fixture
    for version, code in ((installed.version(), 0), ("0.0.9", 1), ("9.0", 1)):
        source, build = installed.folder / f"cmake-{version}", installed.folder / f"cmake-build-{version}"
        source.mkdir()
        (source / "CMakeLists.txt").write_text(CMAKE.format(version=version, **SOURCES))
        installed.run("cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={installed.prefix}", code=code)
        if code == 0:
            installed.run("cmake", "--build", build)
            works(installed, gateway, "cmake", build)


def test_meson(fixture):
    installed, gateway = fixture
    source = installed.folder / "meson"
    source.mkdir()
    (source / "meson.build").write_text(MESON.format(version=installed.version(), **SOURCES))
    installed.run("meson", "setup", source / "build", source)
    installed.run("meson", "compile", "-C", source / "build")
    works(installed, gateway, "meson", source / "build")


def test_core_as_subproject(fixture):
    """meson.override_dependency: the core alone, with nothing of network, loop and database."""
    installed, _ = fixture
    source = installed.folder / "core"
    shutil.copytree(ROOT / "tests/core", source)
    (source / "subprojects").mkdir()
    (source / "subprojects/libmcptoken").symlink_to(ROOT)
    installed.run("meson", "setup", "--wrap-mode=forcefallback", source / "build", source)  # not the installed one
    installed.run("meson", "compile", "-C", source / "build")
    assert installed.run(source / "build/core-user") == "ok"
    needed = installed.run("objdump", "-p", source / "build/subprojects/libmcptoken/capi/libmcptoken.so")
    assert "libsodium" in needed and not re.search("NEEDED.*(curl|libuv|sqlite|microhttpd|yaml)", needed), needed
