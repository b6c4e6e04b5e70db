"""The library through ctypes, as a Python program would use it.

    smoke_test.py LIBRARY SOURCE-ROOT [unittest arguments]
"""

import ctypes
import hashlib
import json
import re
import sys
import unittest
from ctypes import POINTER, byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_void_p
from pathlib import Path

LIBRARY, ROOT = sys.argv[1], Path(sys.argv[2])
C_TYPES = {"int32_t": c_int32, "mcptoken_status": c_int32, "int64_t": c_int64, "size_t": c_size_t, "int": c_int, "void": None}


def c_type(text):
    """The ctypes type of a parameter or result: handles and callbacks are void pointers, outs pointers to what they get."""
    text = re.sub(r"\bconst\b", "", text).strip()
    stars = text.count("*")
    base = text.replace("*", " ").split()[0]
    if stars == 0:
        return c_void_p if base.endswith("_fn") else C_TYPES[base]
    if base == "char" and stars == 1:
        return c_char_p
    if base in C_TYPES and base != "void" and stars == 1:
        return POINTER(C_TYPES[base])
    return c_void_p if stars == 1 else POINTER(c_void_p)


def prototypes():
    """Name -> (result, parameters) of every declaration in the public headers."""
    table = {}
    for path in sorted((ROOT / "include/mcptoken").glob("*.h")):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        for result, name, arguments in re.findall(r"^MCPTOKEN_API\s+([^;()]*?)(mcptoken_\w+)\(([^;]*)\);", text, re.M):
            parameters = [] if arguments.strip() == "void" else [c_type(one) for one in arguments.split(",")]
            table[name] = (c_type(result), parameters)
    return table


lib = ctypes.CDLL(LIBRARY)
PROTOTYPES = prototypes()
for function, (restype, argtypes) in PROTOTYPES.items():
    getattr(lib, function).restype, getattr(lib, function).argtypes = restype, argtypes


class Failed(Exception):
    def __init__(self, error):
        self.status = lib.mcptoken_error_status(error)
        self.message = lib.mcptoken_error_message(error).decode()
        lib.mcptoken_error_free(error)
        super().__init__(f"{lib.mcptoken_status_name(self.status).decode()}: {self.message}")


def call(name, *arguments):
    """Calls a function that ends in (out, error): the out's value."""
    out_type = PROTOTYPES[name][1][-2]._type_
    out, error = out_type(), c_void_p()
    status = getattr(lib, name)(*arguments, byref(out), byref(error))
    if status < 0:
        failure = Failed(error)
        assert failure.status == status, (failure.status, status)
        raise failure
    return out.value


def text_of(handle):
    value = ctypes.string_at(lib.mcptoken_bytes_data(handle), lib.mcptoken_bytes_size(handle))
    lib.mcptoken_bytes_free(handle)
    return value.decode()


class Smoke(unittest.TestCase):
    def test_prototypes(self):
        names = {line.split()[0] for line in (ROOT / "capi/symbols.txt").read_text().splitlines() if line and line[0] != "#"}
        self.assertEqual(set(PROTOTYPES), names)
        self.assertEqual(PROTOTYPES["mcptoken_token_sha"], (c_int32, [c_char_p, c_size_t, POINTER(c_void_p), POINTER(c_void_p)]))
        self.assertEqual(PROTOTYPES["mcptoken_json_text"], (c_char_p, [c_void_p, POINTER(c_size_t)]))
        self.assertEqual(PROTOTYPES["mcptoken_loop_post"], (c_int32, [c_void_p, c_void_p, c_void_p]))

    def test_version(self):
        header = (ROOT / "include/mcptoken/version.h").read_text()
        self.assertIn(f'"{lib.mcptoken_version().decode()}"', header)
        self.assertIn(f"MCPTOKEN_ABI_VERSION {lib.mcptoken_abi_version()}\n", header)

    def test_json(self):
        text = '{"ü":[1,2.50,null,true],"k":"\\u0000"}'.encode()
        document = call("mcptoken_json_parse", text, len(text))
        root = lib.mcptoken_json_root(document)
        self.assertEqual(lib.mcptoken_json_key(root, 0).decode(), "ü")
        self.assertEqual(lib.mcptoken_json_text(lib.mcptoken_json_at(lib.mcptoken_json_at(root, 0), 1), None), b"2.50")
        self.assertEqual(text_of(call("mcptoken_json_print", root, 0)), text.decode())
        lib.mcptoken_json_free(document)

    def test_token(self):
        raw = text_of(call("mcptoken_token_generate")).encode()
        self.assertEqual(len(raw), 54)
        self.assertEqual(call("mcptoken_token_classify", raw, len(raw)), 1)
        self.assertEqual(text_of(call("mcptoken_token_sha", raw, len(raw))), hashlib.sha256(raw).hexdigest())
        self.assertEqual(lib.mcptoken_token_equal(raw, len(raw), raw, len(raw)), 1)
        self.assertEqual(call("mcptoken_token_parse_ttl", b"1h", 5), 3600005)

    def test_binding(self):
        shape = text_of(call("mcptoken_rbac_parse_binding", b"role:view,resource:servers,name:my-ha"))
        self.assertEqual(json.loads(shape), {"role": "view", "resource": "servers", "name": "my-ha"})
        self.assertEqual(text_of(call("mcptoken_rbac_print_binding", shape.encode(), len(shape))),
                         "role:view,resource:servers,name:my-ha")

    def test_error(self):
        with self.assertRaises(Failed) as caught:
            call("mcptoken_rbac_parse_binding", b"role:king,resource:servers")
        self.assertEqual(caught.exception.status, -100)
        self.assertIn("king", caught.exception.message)
        self.assertTrue(str(caught.exception).startswith("invalid: "))

    def test_kinds(self):
        table = {kind["name"]: kind for kind in json.loads(text_of(call("mcptoken_kind_table")))["kinds"]}
        self.assertLessEqual({"user", "group", "secret", "server", "project", "rbac", "mcptoken"}, set(table))
        for kind in table.values():
            self.assertLessEqual({"plural", "scope", "verbs", "fields", "columns", "applyOrder", "help"}, set(kind), kind["name"])

    def test_loop_callback(self):
        loop, seen = call("mcptoken_loop_new"), []
        stop = ctypes.CFUNCTYPE(None, c_void_p)(lambda _: (seen.append(1), lib.mcptoken_loop_stop(loop)))
        self.assertEqual(lib.mcptoken_loop_post(loop, ctypes.cast(stop, c_void_p), None), 0)
        lib.mcptoken_loop_run(loop)
        lib.mcptoken_loop_free(loop)
        self.assertEqual(seen, [1])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
