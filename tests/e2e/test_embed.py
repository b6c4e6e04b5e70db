"""The library as other programs use it, against a real mcpd: the wheel and the examples."""

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import harness
from harness import BUILD, PATIENCE_S, ROOT, Gateway

LIBRARY = BUILD / "capi/libmcptoken.so.0"


@contextmanager
def fixture():
    with Gateway() as gateway:
        gateway.example()
        gateway.project("demo", "example")
        gateway.project("other")
        yield gateway


def environment():
    """Of a foreign program that loads the library: a sanitized one needs its runtime first."""
    known = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    if harness.SANITIZED:
        runtimes = [subprocess.run(["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
                    for name in ("libasan.so", "libstdc++.so")]
        known |= {"LD_PRELOAD": " ".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0"}
    return known


def run(*words, code=0, input="", **more):
    """Standard output of a program that has to end with `code`."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=PATIENCE_S, input=input,
                          env=environment() | more)
    assert done.returncode == code, f"{words[0]}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


VERIFY = """
import sys
import mcptoken
try:
    known = mcptoken.introspect(sys.argv[1], sys.stdin.read())
    print(mcptoken.__file__, known["tokenName"], known["projectName"], known["tokenSha"])
except mcptoken.Unauthenticated as failure:
    sys.exit(f"{failure.http_status} {failure.code}: {failure}")
"""


def test_wheel_in_an_empty_environment(gateway):
    """Built by pip and by hand alike, installed with neither index nor network, and it knows what mcpctl has minted."""
    token = gateway.token("wheel")
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-B", ROOT / "capi/python/backend.py", f"{folder}/wheels", LIBRARY)
        run(sys.executable, "-m", "venv", f"{folder}/env")
        python, offline = f"{folder}/env/bin/python", ["unshare", "--net"] if os.geteuid() == 0 else []
        pip = [*offline, python, "-m", "pip", "--no-cache-dir", "--disable-pip-version-check"]
        run(*pip, "wheel", "--no-index", "--no-deps", "-w", f"{folder}/pip", f"--config-settings=library={LIBRARY}",
            ROOT / "capi/python")
        (wheel,), (other,) = Path(folder, "wheels").iterdir(), Path(folder, "pip").iterdir()
        assert wheel.name == other.name and wheel.read_bytes() == other.read_bytes(), (wheel.name, other.name)
        assert "-py3-none-linux_" in wheel.name, wheel.name
        run(*pip, "install", "--no-index", wheel)
        words = run(python, "-c", VERIFY, gateway.url, input=token).split()
        assert words[0].startswith(folder) and words[1:3] == ["wheel", "demo"], words
        gateway.mcpctl("delete", "mcptoken", "wheel", "-p", "demo")
        run(python, "-c", VERIFY, gateway.url, input=token, code=1)
        run(*pip, "uninstall", "-y", "mcptoken")
        assert not list(Path(folder).glob("env/lib/python*/site-packages/mcptoken*"))
