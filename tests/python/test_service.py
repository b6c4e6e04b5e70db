"""The service on a loop of this thread: a first user, a token, an MCP session, the end. And what an operator does offline."""

import gc
import json
import logging
import tempfile
import threading
import unittest
import warnings
from pathlib import Path

import hosts
import mcptoken
from mcptoken import Config, Exchange, Loop, Service, Timer


class Answer:
    """A sink that keeps what it gets."""

    def __init__(self, loop):
        self.loop, self.status, self.headers, self.length, self.body, self.ok = loop, None, [], None, b"", None

    def head(self, status, headers, length):
        self.status, self.headers, self.length = status, headers, length

    def write(self, data):
        self.body += data
        return 0

    def end(self, ok):
        self.ok = ok
        self.loop.stop()

    @property
    def json(self):
        return json.loads(self.body)


class Host(unittest.TestCase):
    """A service on a loop of this thread, and requests to it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.data = Path(folder.name) / "data"
        self.records = []
        logger = logging.Logger("library")
        handler = logging.Handler()
        handler.emit = self.records.append
        logger.addHandler(handler)
        self.logger = logger
        self.open()

    def open(self):
        self.service, self.loop = Service(Config(data_dir=self.data), self.logger), Loop()
        self.addCleanup(self.loop.close)
        self.addCleanup(self.service.close)
        self.accesses = []
        self.service.on_access(None)
        self.service.on_access(self.accesses.append)
        self.service.attach(self.loop)

    def ask(self, method, target, bearer=None, body=None, *more):
        data = hosts.encode(body)
        answer = Answer(self.loop)
        with Exchange(self.service, self.loop, answer, method, target, hosts.headers(bearer, body, *more), "127.0.0.1",
                      len(data)) as exchange:
            for at in range(0, len(data), 10):
                exchange.body(data[at:at + 10])
            if not exchange.answered:
                exchange.end()
            late = []
            limit = Timer(self.loop, lambda: (late.append(1), self.loop.stop()))
            limit.start(30)
            while answer.ok is None and not late:  # a stop from before ends the first run
                self.loop.run()
            limit.close()
            self.assertTrue(answer.ok, "no answer in time")
            self.assertTrue(exchange.answered)
            exchange.writable()
        return answer

    def bearers(self):
        way, answer = hosts.steps(self.data), None
        try:
            while True:
                got = self.ask(*way.send(answer))
                answer = got.status, got.json
        except StopIteration as end:
            return end.value


class Hosting(Host):
    def test_main_job(self):
        self.assertTrue(self.service.needs_bootstrap)
        login, token = self.bearers()
        self.assertFalse(self.service.needs_bootstrap)
        known = self.ask("GET", "/api/v1/mcptokens/introspect", token).json
        self.assertEqual((known["tokenName"], known["projectName"], known["tokenSha"]), ("t", "p", mcptoken.token.sha(token)))
        answer = self.ask("POST", "/projects/p/mcp", token, hosts.initialize("i"), hosts.ACCEPT)
        self.assertEqual((answer.status, answer.json["id"], answer.length), (200, "i", len(answer.body)))
        self.assertIn("Mcp-Session-Id", dict(answer.headers))
        other = self.ask("POST", "/projects/q/mcp", token, hosts.initialize(), hosts.ACCEPT)
        self.assertEqual((other.status, other.json["error"]), (403, "wrong_project"))
        self.assertEqual(self.ask("DELETE", "/api/v1/mcptokens/t?project=p", login).status, 200)
        self.assertEqual(self.ask("POST", "/projects/p/mcp", token, hosts.initialize(), hosts.ACCEPT).status, 401)
        self.assertEqual([one.getMessage() for one in self.records if one.levelno >= logging.WARNING], [])
        text = self.service.metrics()
        self.assertIn('mcptoken_authentications_total{outcome="wrong_project"} 1\n', text)
        self.assertNotIn(token, text)
        self.assertIn({"status": 403, "method": "POST", "path": "/projects/q/mcp", "route": "/projects/:project/mcp",
                       "client_address": "127.0.0.1"}, [{key: value for key, value in one.items() if key in (
                           "status", "method", "path", "route", "client_address")} for one in self.accesses])
        self.service.close()
        self.assertTrue(self.service.closed)
        with self.assertRaises(mcptoken.Misuse):
            self.service.needs_bootstrap
        self.open()
        self.assertEqual(self.ask("GET", "/api/v1/projects/p", login).status, 200)

    def test_client_goes(self):
        login, _ = self.bearers()
        silent = Answer(self.loop)
        exchange = Exchange(self.service, self.loop, silent, "GET", "/api/v1/projects", hosts.headers(login), tls=True)
        exchange.end()
        exchange.peer_closed()
        self.assertEqual(self.ask("GET", "/readyz").status, 200)
        exchange.close()
        self.assertEqual((silent.status, silent.ok), (None, None))

    def test_sink_that_raises(self):
        class Broken(Answer):
            def head(self, *_):
                raise KeyError("mine")

        exchange = Exchange(self.service, self.loop, Broken(self.loop), "GET", "/healthz", [("Host", "localhost")])
        exchange.end()
        with self.assertRaisesRegex(KeyError, "mine"):
            self.loop.run_once()
        exchange.close()

    def test_misuse(self):
        with self.assertRaises(mcptoken.Misuse):
            self.service.attach(self.loop)
        other = Loop()
        self.addCleanup(other.close)
        with self.assertRaises(mcptoken.Misuse):
            Exchange(self.service, other, Answer(other), "GET", "/healthz")
        for method, rows, length in (("G\0T", [], 0), ("GET", [("Host", "a\0b")], 0), ("GET", [], 2**63)):
            with self.assertRaises(ValueError):
                Exchange(self.service, self.loop, Answer(self.loop), method, "/healthz", rows, content_length=length)
        caught = []

        def elsewhere():
            for use in (lambda: Exchange(self.service, self.loop, Answer(self.loop), "GET", "/healthz"), self.service.close):
                try:
                    use()
                except mcptoken.Misuse as failure:
                    caught.append(str(failure))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        self.assertEqual(len(caught), 2, caught)

    def test_drain_under_way(self):
        login, _ = self.bearers()
        exchange = Exchange(self.service, self.loop, Answer(self.loop), "POST", "/api/v1/projects", hosts.headers(login, {}))
        done = []
        self.service.drain(self.loop, 0.1, lambda: done.append(1))
        with self.assertRaisesRegex(mcptoken.Misuse, "draining"):
            self.service.drain(self.loop, 5, print)
        gc.collect()
        self.service.close()
        self.assertEqual((done, exchange.closed), ([1], True))

    def test_busy(self):
        with self.assertRaises(mcptoken.Busy):
            Service({"data_dir": self.data})
        config = Config(data_dir=self.data)
        with self.assertRaises(mcptoken.Busy):
            mcptoken.reset_password(config, hosts.EMAIL, "another password")
        with self.assertRaises(mcptoken.Busy):
            mcptoken.verify_audit(config)

    def test_offline(self):
        login, _ = self.bearers()
        self.service.close()
        config = Config(data_dir=self.data)
        with self.assertRaises(mcptoken.NotFound):
            mcptoken.reset_password(config, "eve@example.com", "another password")
        with self.assertRaises(mcptoken.Invalid):
            mcptoken.reset_password(config, hosts.EMAIL, "short")
        mcptoken.reset_password(config, hosts.EMAIL, "another password")
        report = mcptoken.verify_audit(config)
        self.assertTrue(report["intact"])
        self.assertGreater(report["checked"], 0)
        head = f"{report['head']['seq']}:{report['head']['hash']}"
        self.assertTrue(mcptoken.verify_audit(config, head)["intact"])
        with self.assertRaises(mcptoken.Invalid):
            mcptoken.verify_audit(config, "7")
        self.open()
        self.assertEqual(self.ask("GET", "/api/v1/projects", login).status, 401)

    def test_not_closed(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        service, loop = Service({"data_dir": folder.name + "/d"}), Loop()
        service.attach(loop)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            del service
        self.assertEqual([one.category for one in told], [ResourceWarning])


class Settings(unittest.TestCase):
    def test_values(self):
        with Config(allowed_hosts=["a.example", "b.example"], require_sandbox=False, max_tokens=100, audit="strict") as config:
            config.set("loopback_only", True)
            config.set("data_dir", b"/a/folder")
            for key, value, kind in (("colour", "red", mcptoken.NotSupported), ("audit", "none", mcptoken.Invalid),
                                     ("max_tokens", 0, mcptoken.Invalid), ("token_ceiling", "a\0", ValueError),
                                     ("data_dir", None, TypeError), ("data_dir", object(), TypeError), ("max_tokens", 1.5, TypeError)):
                with self.assertRaises(kind, msg=key):
                    config.set(key, value)
        with self.assertRaises(mcptoken.Misuse):
            config.set("audit", "strict")
        with self.assertRaises(mcptoken.Invalid):
            Service({})

    def test_gateway_role(self):
        service = Service(Config(control_plane_url="http://127.0.0.1:1"))
        self.assertFalse(service.needs_bootstrap)
        service.close()
