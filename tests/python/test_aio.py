"""The gateway behind asyncio, and as an ASGI application."""

import asyncio
import gc
import json
import tempfile
import threading
import unittest
import weakref
from pathlib import Path

import hosts
import mcptoken
from mcptoken import aio, asgi


class Aio(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.data = Path(folder.name) / "data"
        self.gateway = aio.Gateway(data_dir=self.data)
        await self.gateway.__aenter__()

    async def asyncTearDown(self):
        await asyncio.wait_for(self.gateway.aclose(), 30)

    async def ask(self, method, target, bearer=None, body=None, *more):
        response = await asyncio.wait_for(
            self.gateway.request(method, target, hosts.headers(bearer, body, *more), hosts.encode(body), "127.0.0.1"), 30)
        return response.status, json.loads(await response.read() or b"null")

    async def bearers(self):
        way, answer = hosts.steps(self.data), None
        try:
            while True:
                answer = await self.ask(*way.send(answer))
        except StopIteration as end:
            return end.value

    async def test_main_job(self):
        _, token = await self.bearers()
        answers = await asyncio.gather(*(self.ask("POST", "/projects/p/mcp", token, hosts.initialize(n), hosts.ACCEPT)
                                         for n in range(20)))
        self.assertEqual([(status, answer["id"]) for status, answer in answers], [(200, n) for n in range(20)])

    async def test_kinds_of_body(self):
        login, _ = await self.bearers()
        for body in (bytearray(b"{}"), memoryview(b"{}")):
            response = await self.gateway.request("POST", "/api/v1/projects", hosts.headers(login, {}), body)
            self.assertIn(b"name", await response.read())
        for body in ("{}", None, 5, [b"{}"]):
            with self.assertRaisesRegex(TypeError, "a body is bytes"):
                await self.gateway.request("POST", "/api/v1/projects", hosts.headers(login, {}), body)

    async def test_body_that_is_not_wanted(self):
        async def endless():
            while True:
                yield b"x" * 1000

        response = await self.gateway.request("POST", "/projects/p/mcp", hosts.headers(), endless())
        self.assertEqual((response.status, response.header("www-authenticate")[:6]), (401, "Bearer"))
        await response.read()

    async def test_stream_is_given_up(self):
        """A legacy session's listen stream: it stays open until the client goes, and then a second one is allowed."""
        _, token = await self.bearers()
        hello = await self.gateway.request("POST", "/projects/p/mcp", hosts.headers(token, {}, hosts.ACCEPT),
                                           hosts.encode(hosts.initialize()))
        session = ("Mcp-Session-Id", hello.header("Mcp-Session-Id"))
        await hello.read()
        fields = hosts.headers(token, None, session, ("Accept", "text/event-stream"), ("MCP-Protocol-Version", "2025-06-18"))
        stream = await self.gateway.request("GET", "/projects/p/mcp", fields)
        self.assertEqual((stream.status, stream.length), (200, -1))

        async def read():
            return [piece async for piece in stream]

        reader = asyncio.ensure_future(read())
        await asyncio.sleep(0.05)
        self.assertFalse(reader.done())
        stream.abandon()
        with self.assertRaises(aio.Cut):
            await asyncio.wait_for(reader, 10)
        again = await asyncio.wait_for(self.gateway.request("GET", "/projects/p/mcp", fields), 10)
        self.assertEqual(again.status, 200)
        again.close()

    async def test_end(self):
        login, _ = await self.bearers()
        await self.gateway.aclose()
        await self.gateway.aclose()
        with self.assertRaises(mcptoken.Misuse):
            await self.ask("GET", "/readyz")
        async with aio.Gateway(data_dir=self.data) as self.gateway:
            self.assertEqual((await self.ask("GET", "/api/v1/projects/p", login))[0], 200)

    async def test_end_that_is_given_up(self):
        """What it has begun goes on, and ends once, whoever waits for it."""
        login, _ = await self.bearers()
        going, go_on = asyncio.Event(), asyncio.Event()

        async def slow():
            yield b"{"
            going.set()
            await go_on.wait()
            yield b"}"

        request = asyncio.ensure_future(
            self.gateway.request("POST", "/api/v1/projects", hosts.headers(login, {}), slow()))
        await asyncio.wait_for(going.wait(), 10)
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(self.gateway.aclose(), 0.05)
        gc.collect()
        self.assertEqual((await self.ask("GET", "/api/v1/projects", login))[0], 503)
        go_on.set()
        await asyncio.gather(*(asyncio.wait_for(self.gateway.aclose(), 30) for _ in range(3)))
        answer = await request
        self.assertEqual(answer.status, 400)
        self.assertTrue(self.gateway.service.closed)
        async with aio.Gateway(data_dir=self.data):
            pass

    async def test_responses_that_another_thread_drops(self):
        """The collector runs on any thread; callbacks live as long as the library may call them."""
        login, _ = await self.bearers()
        kept = [[await self.gateway.request("GET", "/api/v1/projects", hosts.headers(login)) for _ in range(20)]]
        callbacks = [weakref.ref(one) for response in kept[0] for one in response._exchange._calls]
        thread = threading.Thread(target=lambda: (kept.clear(), gc.collect()))
        thread.start()
        thread.join()
        self.assertTrue(all(one() for one in callbacks))  # the loop has not turned yet
        self.assertEqual((await self.ask("GET", "/api/v1/projects", login))[0], 200)
        gc.collect()
        self.assertEqual([one() for one in callbacks], [None] * len(callbacks))

    async def test_busy(self):
        with self.assertRaises(mcptoken.Busy):
            async with aio.Gateway(data_dir=self.data):
                pass


class Asgi(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.app = asgi.App(data_dir=folder.name + "/data")
        self.inbox, self.outbox = asyncio.Queue(), asyncio.Queue()
        self.lifespan = asyncio.ensure_future(self.app({"type": "lifespan"}, self.inbox.get, self.outbox.put))
        await self.inbox.put({"type": "lifespan.startup"})
        self.assertEqual((await self.outbox.get())["type"], "lifespan.startup.complete")

    async def asyncTearDown(self):
        await self.inbox.put({"type": "lifespan.shutdown"})
        await asyncio.wait_for(self.lifespan, 30)
        self.assertEqual((await self.outbox.get())["type"], "lifespan.shutdown.complete")

    async def ask(self, method, path, *messages, headers=(), query=b"", **more):
        inbox, sent = asyncio.Queue(), []
        for one in messages or ({"type": "http.request"},):
            inbox.put_nowait(one)

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query,
                 "headers": [(b"host", b"localhost"), *headers], "client": ("127.0.0.1", 1), "scheme": "http"} | more
        await asyncio.wait_for(self.app(scope, inbox.get, send), 30)
        return sent

    async def test_answer(self):
        sent = await self.ask("GET", "/readyz")
        self.assertEqual((sent[0]["status"], sent[1]["body"]), (200, b'{"status":"ok"}'))
        self.assertIn((b"content-length", b"15"), sent[0]["headers"])
        self.assertEqual(sent[-1], {"type": "http.response.body", "body": b""})

    async def test_mounted(self):
        """Servers that say the whole path, and older ones that say what is below the mount."""
        for path, status in (("/a%20b/readyz", 200), ("/readyz", 200), ("/a%20bc/readyz", 404), ("/a%20b", 404)):
            sent = await self.ask("GET", path, root_path="/a b/")
            self.assertEqual(sent[0]["status"], status, path)
        sent = await self.ask("GET", "/readyz", raw_path=None)
        self.assertEqual(sent[0]["status"], 200)

    async def test_lengths_that_are_none(self):
        for length in (b"9" * 19, b"9" * 5000, b"18446744073709551617"):
            fields = [(b"content-type", b"application/json"), (b"content-length", length)]
            sent = await self.ask("POST", "/api/v1/auth/login", headers=fields)
            self.assertEqual(sent[0]["status"], 413, length)

    async def test_body_in_pieces(self):
        whole = json.dumps({"email": hosts.EMAIL, "password": "wrong wrong"}).encode()
        sent = await self.ask("POST", "/api/v1/auth/login", {"type": "http.request", "body": whole[:9], "more_body": True},
                              {"type": "http.request", "body": whole[9:]},
                              headers=[(b"content-type", b"application/json"), (b"content-length", b"%d" % len(whole))])
        self.assertEqual(sent[0]["status"], 401)
        sent = await self.ask("GET", "/mcp", query=b"access_token=x")
        self.assertEqual(sent[0]["status"], 400)  # a credential in the query: so the query arrived

    async def test_client_goes(self):
        sent = await self.ask("POST", "/api/v1/auth/login", {"type": "http.request", "body": b"{", "more_body": True},
                              {"type": "http.disconnect"})
        self.assertEqual(sent, [])
        with self.assertRaises(NotImplementedError):
            await self.app({"type": "websocket"}, None, None)

    async def test_cannot_start(self):
        inbox, outbox = asyncio.Queue(), asyncio.Queue()
        await inbox.put({"type": "lifespan.startup"})
        await asgi.App(audit="none")({"type": "lifespan"}, inbox.get, outbox.put)
        told = await outbox.get()
        self.assertEqual(told["type"], "lifespan.startup.failed")
        self.assertIn("audit", told["message"])
