"""Tokens, bindings, kinds, JSON and errors."""

import builtins
import gc
import hashlib
import pickle
import sys
import unittest

import mcptoken
from mcptoken import json, kind, rbac, token
from mcptoken.json import JsonType


class Names(unittest.TestCase):
    def test_all_of_them_at_once(self):
        """`from mcptoken import *` hides nothing that everybody has, and every name is there."""
        names = set(mcptoken.__all__)
        self.assertEqual(names & (sys.stdlib_module_names | set(dir(builtins))), set())
        self.assertEqual([name for name in names if not hasattr(mcptoken, name)], [])
        user = {}
        exec("import json, token\nfrom mcptoken import *", user)
        self.assertEqual((user["json"].dumps([1]), user["token"].NAME), ("[1]", 1))
        self.assertIs(user["Session"], mcptoken.Session)


class Tokens(unittest.TestCase):
    def test_generate(self):
        raw, other = token.generate(), token.generate()
        self.assertEqual(len(raw), 54)
        self.assertEqual(token.classify(raw), mcptoken.TokenKind.PAT)
        self.assertEqual(token.sha(raw), hashlib.sha256(raw.encode()).hexdigest())
        self.assertTrue(token.equal(raw, raw.encode()))
        self.assertFalse(token.equal(raw, other))
        self.assertFalse(token.equal(raw, raw[:-1]))

    def test_not_canonical(self):
        raw = token.generate()
        for wrong in ("", raw[:-1], raw + "0", raw[:-1] + "-", "x" + raw, raw.upper(), b"\xff" * 54, raw[:20] + "\0" + raw[21:]):
            for function in (token.classify, token.sha):
                with self.assertRaises(mcptoken.Invalid, msg=wrong):
                    function(wrong)

    def test_ttl(self):
        self.assertEqual(token.parse_ttl("1h", 5), 3605)
        self.assertEqual(token.parse_ttl("2w", 0.5), 14 * 86400 + 0.5)
        self.assertIsNone(token.parse_ttl("never"))
        self.assertEqual(token.parse_ttl("2033-05-18T03:33:20Z"), 2e9)
        for wrong in ("", "1", "1y", "-1d", "2001-01-01T00:00:00Z", "2033-05-18"):
            with self.assertRaises(ValueError, msg=wrong):
                token.parse_ttl(wrong)
        for words in (("1h\0",), ("1h", 1e300)):
            with self.assertRaises(ValueError):
                token.parse_ttl(*words)


class Bindings(unittest.TestCase):
    def test_both_ways(self):
        text = "role:view,resource:servers,name:my-ha"
        self.assertEqual(rbac.parse_binding(text), {"role": "view", "resource": "servers", "name": "my-ha"})
        self.assertEqual(rbac.print_binding(rbac.parse_binding(text)), text)
        self.assertEqual(rbac.parse_binding("action:logs"), {"role": "run", "action": "logs"})

    def test_wrong(self):
        with self.assertRaises(mcptoken.Invalid) as caught:
            rbac.parse_binding("role:king,resource:servers")
        self.assertIn("king", str(caught.exception))
        self.assertEqual((caught.exception.status, caught.exception.name), (-100, "invalid"))
        with self.assertRaises(mcptoken.Invalid):
            rbac.print_binding({"role": "view"})

    def test_error_travels(self):
        try:
            rbac.parse_binding("")
        except mcptoken.Error as failure:
            copy = pickle.loads(pickle.dumps(failure))
            self.assertEqual((type(copy), str(copy), copy.status), (type(failure), str(failure), failure.status))


class RightsOfBindings(unittest.TestCase):
    def test_decisions(self):
        with rbac.Rights([rbac.parse_binding("role:view,resource:servers,name:ha"), rbac.parse_binding("action:logs")]) as rights:
            self.assertTrue(rights.can_access("view", "servers", "ha"))
            self.assertFalse(rights.can_access("view", "servers"))
            self.assertFalse(rights.can_access("edit", "server", "ha"))
            self.assertEqual((rights.can_run("logs"), rights.can_run("backup")), (True, False))
            self.assertEqual((rights.can_use_tool("ha", "on"), rights.can_use_tool("x", "on")), (True, False))
            self.assertEqual(rights.allowed_scope("view", "servers"), ["ha"])
            with self.assertRaises(mcptoken.Invalid):
                rights.can_access("jump", "servers")
        self.assertFalse(rbac.Rights([{"role": "view", "resource": "servers"}], rbac.ToolGrant.RUN).can_use_tool("ha", "on"))
        self.assertIsNone(rbac.Rights([{"role": "view", "resource": "*"}]).allowed_scope("view", "servers"))
        with self.assertRaisesRegex(mcptoken.Invalid, r"bindings\[1\]"):
            rbac.Rights([{"role": "view", "resource": "servers"}, {}])


class Kinds(unittest.TestCase):
    def test_table(self):
        table = {one["name"]: one for one in kind.table()}
        self.assertLessEqual({"user", "group", "secret", "server", "project", "rbac", "mcptoken"}, set(table))
        for one in table.values():
            self.assertLessEqual({"plural", "scope", "verbs", "fields", "columns", "applyOrder", "help"}, set(one), one["name"])


class Json(unittest.TestCase):
    TEXT = '{"ü":[1,2.50,null,true,"a\\u0000b"],"k":{}}'

    def test_read(self):
        with json.Document(self.TEXT) as document:
            root = document.root
            self.assertEqual((root.type, len(root), root.keys()), (JsonType.OBJECT, 2, ["ü", "k"]))
            items = root["ü"]
            self.assertEqual([one.type.name for one in items], ["NUMBER", "NUMBER", "NULL", "BOOLEAN", "STRING"])
            self.assertEqual((items[0].integer(), items[1].text(), items[1].integer(7)), (1, "2.50", 7))
            self.assertEqual((items[3].boolean(), items[2].boolean(True)), (True, True))
            self.assertEqual(items[4].text(), "a\0b")
            self.assertEqual(root.print(), self.TEXT)
            self.assertIn("\n  ", root.print(2))
            self.assertEqual(root[1].type, JsonType.OBJECT)
            for absent in (root["x"], items[9], items[-1], root["x"]["y"][3]):
                self.assertEqual((absent.type, bool(absent), len(absent), absent.text()), (JsonType.ABSENT, False, 0, ""))

    def test_value_keeps_its_document(self):
        value = json.Document('{"a":{"b":"deep"}}').root["a"]["b"]
        gc.collect()
        self.assertEqual(value.text(), "deep")

    def test_closed(self):
        document = json.Document("[]")
        root = document.root
        document.close()
        document.close()
        self.assertTrue(document.closed)
        for use in (lambda: document.root, lambda: root.type, lambda: root[0], root.print):
            with self.assertRaises(mcptoken.Misuse):
                use()

    def test_strict(self):
        for wrong in ('{"a":1,"a":2}', "", "[1,]", b'"\xff"', "NaN", "[1] x"):
            with self.assertRaises(mcptoken.Invalid, msg=wrong):
                json.Document(wrong)

    def test_write(self):
        source = json.Document('{"n":1e400}')
        with json.Writer() as writer:
            writer.begin_object().key("list").begin_array().string("a\0ü").integer(-(2**63)).boolean(True).null().end_array()
            text = writer.key("raw").raw("[1.0]").key("copy").value(source.root["n"]).end_object().finish()
        self.assertEqual(text, '{"list":["a\\u0000ü",-9223372036854775808,true,null],"raw":[1.0],"copy":1e400}')

    def test_write_wrong(self):
        with self.assertRaises(mcptoken.Misuse):
            json.Writer().begin_object().string("no key").end_object().finish()
        with self.assertRaises(mcptoken.Invalid):
            json.Writer().raw("[1").finish()
        root = json.Document("1").root
        for cut in (lambda: json.Writer().integer(2**63), lambda: root.print(2**32), lambda: root.integer(2**63)):
            with self.assertRaises(ValueError):
                cut()
        with self.assertRaises(ValueError):
            json.Writer().begin_object().key("a\0")
