"""Content stages in Python: what they are told, every way to answer, and what comes of those that fail."""

import sys
import threading
import time

import hosts
import mcptoken
import test_service
from mcptoken import Config, Loop, Service, stage

SERVER = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    method, said = asked["method"], {"error": {"code": -32601, "message": "x"}}
    if method == "initialize":
        said = {"result": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}}
    if method == "tools/call":
        said = {"result": {"content": [{"type": "text", "text": asked["params"]["arguments"]["text"]}]}}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], **said}), flush=True)
"""


class Stages(test_service.Host):
    def open(self):
        self.seen = []
        config = Config(data_dir=self.data, stages={"probe": self.run_stage, "dated": (self.run_stage, "2024-1")})
        self.service, self.loop = Service(config, self.logger), Loop()
        config.close()
        self.addCleanup(self.loop.close)
        self.addCleanup(self.service.close)
        self.service.attach(self.loop)

    def run_stage(self, call):
        self.seen.append((threading.get_ident(), call.content, call.about, call.config))
        if call.content == "sections":
            return "an index", [("one", "First", "the first part"), ("two", "Zweiter Abschnitt", "größe 🙂")]
        if call.content == "raises":
            raise ValueError("so ist es " + "ö" * 300)
        if call.content == "nothing":
            return None
        if call.content == "refuses":
            return call.fail("not today")
        if call.content == "model":
            with self.assertRaises(mcptoken.NotSupported):
                call.ask_model("hello?")
            return "asked"
        if call.content == "keeps":
            before = call.cache_get("größe")
            call.cache_put("größe", (before or b"\0") + b"\xff")
            return str(before)
        if call.content == "later":
            def answer():
                time.sleep(0.05)
                self.assertFalse(call.abandoned)
                call.answer("answered later")
            threading.Thread(target=answer).start()
            return stage.LATER
        return call.original.upper()

    def tool(self, token, text, **more):
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                   "params": {"name": "s__say", "arguments": {"text": text, **more}}}
        answer = self.ask("POST", "/projects/q/mcp", token, message, hosts.ACCEPT)
        return answer.json["result"]["content"][0]["text"]

    def made(self, login, kind, body):
        answer = self.ask("POST", f"/api/v1/{kind}", login, body)
        self.assertEqual(answer.status, 201, answer.body)
        return answer.json

    def test_stages(self):
        login, _ = self.bearers()
        wrong = self.ask("POST", "/api/v1/proxymodels", login, {"name": "m", "stages": [{"type": "prob"}]})
        self.assertEqual(wrong.status, 400)
        self.assertIn("exec, probe, dated", wrong.json["message"])
        self.made(login, "proxymodels", {"name": "m", "stages": [{"type": "probe", "config": {"depth": [1, "x"]}}]})
        self.made(login, "servers", {"name": "s", "command": [sys.executable, "-c", SERVER]})
        self.made(login, "projects", {"name": "q", "servers": [{"server": "s"}], "proxyModel": "m"})
        token = self.made(login, "mcptokens", {"name": "u", "project": "q", "ttl": "1h",
                                               "bindings": ["role:view,resource:servers"]})["token"]
        self.assertEqual(self.tool(token, "größe 🙂"), "GRÖSSE 🙂")
        thread, content, about, config = self.seen[0]
        self.assertNotEqual(thread, threading.get_ident())
        self.assertEqual((content, config), ("größe 🙂", {"depth": [1, "x"]}))
        self.assertEqual(about, {"contentType": "toolResult", "source": "s/say", "project": "q", "principal": "u", "model": "m"})
        index = self.tool(token, "sections")
        self.assertTrue(index.startswith("an index"), index)
        found = index[index.index("res_"):][:24]
        self.assertEqual(self.tool(token, "sections", _resultId=found, _section="two"), "größe 🙂")
        self.assertEqual(self.tool(token, "later"), "answered later")
        self.assertEqual(self.tool(token, "model"), "asked")
        self.assertEqual([self.tool(token, "keeps") for _ in range(3)], ["None", str(b"\0\xff"), str(b"\0\xff\xff")])
        for text in ("raises", "nothing", "refuses"):
            self.assertEqual(self.tool(token, text), text)  # as it was
        self.service.close()
        self.assertNotIn(self.run_stage, stage._stages.values())  # nothing is kept of what nobody can call

    def test_registering(self):
        with Config() as config:
            stage.register(config, "mine", str)
            for name, kind in (("mine", mcptoken.Exists), ("paginate", mcptoken.Exists), ("No", mcptoken.Invalid)):
                with self.assertRaises(kind):
                    stage.register(config, name, str, "1")
