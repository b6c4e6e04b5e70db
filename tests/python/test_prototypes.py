"""_native.py says the same as the headers of include/mcptoken: functions, structures, callbacks, statuses, numbers."""

import ctypes
import os
import re
import unittest
from ctypes import POINTER, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path

import mcptoken
from mcptoken import _native, errors

ROOT = Path(os.environ["MCPTOKEN_SOURCE"])
HEADERS = {path.name: re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
           for path in sorted((ROOT / "include/mcptoken").glob("*.h"))}
PLAIN = {"int32_t": c_int32, "mcptoken_status": c_int32, "int64_t": c_int64, "size_t": c_size_t, "int": c_int, "void": None,
         "uint32_t": c_uint32, "uint64_t": c_uint64}
# Text whose length is told otherwise: by a function of its own, or by an out.
COUNTED = {"mcptoken_bytes_data", "mcptoken_error_data", "mcptoken_json_text",
           "mcptoken_stage_call_content", "mcptoken_stage_call_original"}


def c_type(text):
    """The ctypes type of a parameter or result: handles are void pointers, outs pointers to what they get."""
    text = re.sub(r"\bconst\b", "", text).strip()
    stars, base = text.count("*"), text.replace("*", " ").split()[0]
    if stars == 0:
        return _native.CALLBACKS[base] if base in _native.CALLBACKS else PLAIN[base]
    if base == "char" and stars == 1:
        return c_char_p
    if base in _native.STRUCTURES and base != "mcptoken_header":
        return POINTER(_native.STRUCTURES[base])
    if base == "mcptoken_header":
        return POINTER(_native.Header)
    if base in PLAIN and base != "void" and stars == 1:
        return POINTER(PLAIN[base])
    return c_void_p if stars == 1 else POINTER(c_void_p)


def parameters(text, counted):
    """`counted`: a char pointer before a size is bytes."""
    parts = [] if text.strip() == "void" else [part.strip() for part in text.split(",")]
    types = [c_type(part) for part in parts]
    for at in range(len(parts) - 1):
        if counted and types[at] is c_char_p and parts[at + 1].startswith("size_t"):
            types[at] = _native.Raw
    return types


class Prototypes(unittest.TestCase):
    maxDiff = None

    def test_functions(self):
        declared = {}
        for text in HEADERS.values():
            for result, name, arguments in re.findall(r"^MCPTOKEN_API\s+([^;()]*?)(mcptoken_\w+)\(([^;]*)\);", text, re.M):
                kind = _native.Raw if name in COUNTED else c_type(result)
                declared[name] = (kind, parameters(arguments, counted=False))
        self.assertEqual(declared, _native.PROTOTYPES)

    def test_listed(self):
        names = {line.split()[0] for line in (ROOT / "capi/symbols.txt").read_text().splitlines() if line and line[0] != "#"}
        self.assertEqual(set(_native.PROTOTYPES), names)

    def test_callbacks(self):
        found = {}
        for text in HEADERS.values():
            for result, name, arguments in re.findall(r"^typedef (\w+) \(\*(mcptoken_\w+)\)\(([^;]*)\);", text, re.M):
                found[name] = ctypes.CFUNCTYPE(PLAIN[result], *parameters(arguments, counted=True))
        self.assertEqual(found, _native.CALLBACKS)

    def test_structures(self):
        found = {}
        for text in HEADERS.values():
            for name, body in re.findall(r"^typedef struct (mcptoken_\w+) \{(.*?)\} \1;", text, re.M | re.S):
                fields = found[name] = []
                for field in (line.strip() for line in body.split(";") if line.strip()):
                    callback = re.fullmatch(r"(\w+) \(\*(\w+)\)\((.*)\)", field, re.S)
                    if callback:
                        kind = ctypes.CFUNCTYPE(PLAIN[callback[1]], *parameters(callback[3], counted=True))
                        fields.append((callback[2], kind))
                    else:
                        fields.append((re.search(r"(\w+)$", field)[1], c_type(re.sub(r"\w+$", "", field))))
        self.assertEqual(found, {name: list(kind._fields_) for name, kind in _native.STRUCTURES.items()})

    def test_statuses(self):
        failed = {int(value): name for name, value in re.findall(r"^#define MCPTOKEN_(\w+) \((-\d+)\)$", HEADERS["base.h"], re.M)}
        self.assertEqual(set(failed), set(errors.BY_STATUS))
        groups = {0: mcptoken.OutcomeError, 1: mcptoken.UsageError, 2: mcptoken.SystemFailure, 3: mcptoken.PeerError}
        for status, name in failed.items():
            self.assertTrue(issubclass(errors.BY_STATUS[status], groups[-status // 100]), name)
            self.assertEqual(errors.BY_STATUS[status](status).name, name.lower())
        self.assertEqual(len(set(errors.BY_STATUS.values())), len(failed))

    def test_numbers(self):
        def macros(header, prefix):
            return {name: int(value) for name, value in
                    re.findall(rf"^#define MCPTOKEN_{prefix}_(\w+) \(?(-?\d+)\)?\s*$", HEADERS[header], re.M)}

        self.assertEqual(macros("json.h", "JSON"), {one.name: one.value for one in mcptoken.json.JsonType})
        self.assertEqual(macros("token.h", "TOKEN"), {one.name: one.value for one in mcptoken.TokenKind})
        self.assertEqual(macros("session.h", "ERA"), {one.name: one.value for one in mcptoken.Era})
        self.assertEqual(macros("stream.h", "STREAM"), {one.name: one.value for one in mcptoken.stream.What})
        self.assertEqual(macros("rbac.h", "TOOL_GRANT"), {one.name: one.value for one in mcptoken.rbac.ToolGrant})
        events = re.findall(r"^#define MCPTOKEN_(READABLE|WRITABLE|DISCONNECT) (\d)$", HEADERS["loop.h"], re.M)
        self.assertEqual(dict(events), {one.name: str(one.value) for one in mcptoken.Events if one})
        self.assertIn("#define MCPTOKEN_HEAD_TLS 1u", HEADERS["service.h"])
        self.assertEqual(mcptoken.service.HEAD_TLS, 1)
        version = re.search(r'#define MCPTOKEN_VERSION "(.*)"', HEADERS["version.h"])[1]
        self.assertEqual((mcptoken.version(), mcptoken.__version__), (version, version))
        self.assertIn(f"#define MCPTOKEN_ABI_VERSION {mcptoken.abi_version()}\n", HEADERS["version.h"])
        self.assertEqual(mcptoken.ABI_VERSION, mcptoken.abi_version())
