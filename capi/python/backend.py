"""Builds the wheel, library included, with nothing but the standard library: as a PEP 517 backend, or by hand.

    pip wheel --no-index --no-deps --config-settings=library=build/capi/libmcptoken.so.0 capi/python
    backend.py FOLDER [LIBRARY]

The library in it needs the system's libcurl, libuv, libsodium, SQLite and fmt: the wheel is for the distribution that it was
built on, which is what its linux_… tag says.
"""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGE = HERE / "mcptoken"

METADATA = """Metadata-Version: 2.1
Name: mcptoken
Version: {version}
Summary: MCP gateway, project-scoped tokens and roles as a library
License: Apache-2.0
Requires-Python: >=3.9
Classifier: Programming Language :: Python :: 3
Classifier: Operating System :: POSIX :: Linux
Classifier: Typing :: Typed

"""
WHEEL = """Wheel-Version: 1.0
Generator: mcptoken
Root-Is-Purelib: false
Tag: {tag}
"""


def version():
    return re.search(r'#define MCPTOKEN_VERSION "([^"]+)"', (ROOT / "include/mcptoken/version.h").read_text())[1]


def abi():
    return re.search(r"#define MCPTOKEN_ABI_VERSION (\d+)", (ROOT / "include/mcptoken/version.h").read_text())[1]


def stripped(library):
    """The library's bytes without what only a debugger reads."""
    strip = shutil.which("strip")
    if not strip:
        return library.read_bytes()
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run([strip, "--strip-unneeded", "-o", out.name, library], check=True)
        return Path(out.name).read_bytes()


def contents(library, tag):
    """Name in the wheel -> bytes."""
    info = f"mcptoken-{version()}.dist-info"
    files = {f"mcptoken/{path.name}": path.read_bytes() for path in PACKAGE.iterdir() if path.suffix == ".py" or path.name == "py.typed"}
    files[f"mcptoken/libmcptoken.so.{abi()}"] = stripped(library)
    files[f"{info}/METADATA"] = (METADATA.format(version=version()) + (HERE / "README.md").read_text()).encode()
    files[f"{info}/WHEEL"] = WHEEL.format(tag=tag).encode()
    files[f"{info}/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    rows = []
    for name, data in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}\n")
    files[f"{info}/RECORD"] = ("".join(rows) + f"{info}/RECORD,,\n").encode()
    return files


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    # pip runs this in its own place: what is relative is so to the project.
    library = ROOT / ((config_settings or {}).get("library") or f"build/capi/libmcptoken.so.{abi()}")
    if not library.exists():
        raise SystemExit(f"{library} does not exist: build it, or say where it is (--config-settings=library=PATH)")
    tag = "py3-none-" + re.sub(r"[-.]", "_", sysconfig.get_platform())
    name = f"mcptoken-{version()}-{tag}.whl"
    moment = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), 315532800))[:6]  # zip begins in 1980
    with zipfile.ZipFile(Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in sorted(contents(library, tag).items()):
            entry = zipfile.ZipInfo(path, moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            wheel.writestr(entry, data)
    return name


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """What pip wants to know first, without the library."""
    info = Path(metadata_directory) / f"mcptoken-{version()}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA.format(version=version()))
    return info.name


def get_requires_for_build_wheel(config_settings=None):
    return []


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    os.makedirs(sys.argv[1], exist_ok=True)
    print(build_wheel(sys.argv[1], {"library": Path(sys.argv[2]).resolve()} if len(sys.argv) == 3 else None))
