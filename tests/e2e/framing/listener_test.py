#!/usr/bin/env python3
"""Streams, deadlines, limits, several loops and the end of the process, against the program given as argument."""
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from corpus import statuses
from server import Server

PROGRAM = sys.argv.pop(1)
with open(PROGRAM, "rb") as program_file:
    SANITIZED = b"__asan_init" in program_file.read()
HOST = b"Host: 127.0.0.1\r\n"


def connect(server, timeout=60):
    sock = socket.create_connection(server.address, timeout=timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def request(target, method="GET", fields="", body=b"", version="1.1"):
    length = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
    return f"{method} {target} HTTP/{version}\r\nHost: 127.0.0.1\r\n{fields}{length}\r\n".encode() + body


def read_until(sock, needle, limit=1 << 24):
    data = b""
    while needle not in data and len(data) < limit:
        piece = sock.recv(65536)
        if not piece:
            break
        data += piece
    return data


def read_to_end(sock):
    data = b""
    while piece := sock.recv(1 << 20):
        data += piece
    return data


def call(server, target, method="GET", body=b"", fields=None):
    connection = http.client.HTTPConnection(*server.address, timeout=60)
    connection.request(method, target, body=body or None, headers=fields or {})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data


def counters(server):
    return json.loads(call(server, "/counters")[1])


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return condition()


class Requests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(PROGRAM, "--loops", "1", "--debuggable")

    @classmethod
    def tearDownClass(cls):
        cls.server.signal()
        status = cls.server.wait()
        log = cls.server.log()
        cls.server.__exit__()
        assert status == 0, log

    def test_keep_alive_and_pipelining(self):
        with connect(self.server) as sock:
            for i in range(50):
                body = b"x" * i
                sock.sendall(request("/echo", "POST", body=body))
                self.assertIn(b"Content-Length: %d\r\n" % i, read_until(sock, b"\r\n\r\n" + body))
            sock.sendall(b"".join(request("/echo", "POST", body=b"body-%02d" % i) for i in range(20)))
            data = read_until(sock, b"body-19")
            self.assertEqual(re.findall(rb"body-(\d\d)", data), [b"%02d" % i for i in range(20)])

    def test_pipelining_behind_a_suspended_call(self):
        with connect(self.server) as sock:
            sock.sendall(request("/slow?ms=120") + request("/echo", "POST", body=b"second"))
            data = read_until(sock, b"second")
            self.assertLess(data.index(b"slow"), data.index(b"second"))

    def test_bodies_of_many_sizes(self):
        for size in (0, 1, 8191, 16384, 16385, 100_000, 33 * 1024 * 1024):
            body = os.urandom(size)
            status, answer = call(self.server, "/echo", "POST", body)
            self.assertEqual((status, answer == body), (200, True), size)

    def test_large_answer(self):
        status, answer = call(self.server, "/big?bytes=20000000")
        self.assertEqual((status, len(answer)), (200, 20_000_000))

    def test_chunked_body_over_the_limit(self):
        with connect(self.server) as sock:
            sock.sendall(b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
            block = b"10000\r\n" + b"x" * 65536 + b"\r\n"
            try:
                for _ in range(540):
                    sock.sendall(block)
                sock.sendall(b"0\r\n\r\n" + request("/marker"))
            except ConnectionError:
                pass
            self.assertTrue(read_to_end(sock).startswith(b"HTTP/1.1 413 "))

    def test_announced_body_over_the_limit_is_refused_before_it_comes(self):
        with connect(self.server) as sock:
            sock.sendall(b"POST /echo HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 50000000\r\n\r\n")
            self.assertTrue(read_to_end(sock).startswith(b"HTTP/1.1 413 "))

    def test_refusal_reaches_a_client_that_goes_on_sending(self):
        with connect(self.server) as sock:
            sock.sendall(b"POST /early HTTP/1.1\r\n" + HOST + b"Content-Length: 3000000\r\n\r\n")
            for _ in range(30):
                sock.sendall(b"z" * 100_000)  # a reset connection would raise here
                time.sleep(0.002)
            self.assertTrue(read_to_end(sock).startswith(b"HTTP/1.1 401 "))

    def test_suspended_calls_are_answered_at_once(self):
        started = time.monotonic()
        with connect(self.server) as sock:
            for _ in range(20):
                sock.sendall(request("/slow?ms=5"))
                read_until(sock, b"slow")
        self.assertLess(time.monotonic() - started, 15)  # a turn that nobody asks for comes after a second

    def test_answer_before_the_body_closes(self):
        for path, status in (("/early", b"401"), ("/midbody", b"400")):
            with connect(self.server) as sock:
                sock.sendall(request(path, "POST", body=b"abc") + request("/marker"))  # nor is what follows looked at
                data = read_to_end(sock)
                self.assertTrue(data.startswith(b"HTTP/1.1 " + status), data)
                self.assertEqual(data.count(b"HTTP/1.1 "), 1)
                self.assertIn(b"Connection: close\r\n", data)
            with connect(self.server) as sock:
                sock.sendall(b"POST %s HTTP/1.1\r\n" % path.encode() + HOST + b"Content-Length: 9\r\n\r\nabc")
                data = read_until(sock, b"\r\n\r\n")
                try:
                    sock.sendall(b"abcabc" + request("/marker"))
                except ConnectionError:
                    pass
                data += read_to_end(sock)
                self.assertTrue(data.startswith(b"HTTP/1.1 " + status), data)
                self.assertEqual(data.count(b"HTTP/1.1 "), 1)
                self.assertIn(b"Connection: close\r\n", data)

    def test_who_announces_much_is_refused_before_it_comes(self):
        for length in (b"Content-Length: 8193", b"Transfer-Encoding: chunked"):
            with connect(self.server) as sock:
                sock.sendall(b"POST /early HTTP/1.1\r\n" + HOST + length + b"\r\n\r\n")
                self.assertTrue(read_to_end(sock).startswith(b"HTTP/1.1 401 "))

    def test_a_client_that_nothing_is_read_of_holds_up_no_other(self):
        with connect(self.server) as stuck:
            filler = b"".join(b"F%d: x\r\n" % i for i in range(60)) + b"Big: " + b"x" * 11_000 + b"\r\n"
            stuck.sendall(b"POST /echo HTTP/1.1\r\n" + HOST + filler + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 1000)
            began = time.monotonic()
            asked = 0
            while time.monotonic() - began < 1.5:  # it is refused after two looks, a second apart
                sent = time.monotonic()
                self.assertEqual(call(self.server, "/slow?ms=1"), (200, b"slow"))  # needs timers, too
                self.assertLess(time.monotonic() - sent, 1)
                asked += 1
            self.assertGreater(asked, 3)
            self.assertTrue(read_to_end(stuck).startswith(b"HTTP/1.1 400 "))

    def test_chunk_framing_is_judged_wherever_it_is_cut(self):
        head = b"POST /echo HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
        good = head + b"3;x\r\nabc\r\n10\r\n" + b"\0" * 16 + b"\r\n0\r\nT: x\r\n\r\n"
        bad = (good.replace(b"x\r\na", b"x\na"), good.replace(b"abc\r\n", b"abc\n"), good.replace(b"\r\n0\r\n", b"\r\n0\n"),
               good.replace(b"3;x", b"3;\0"), good.replace(b"T: x", b"T: \0"), good[:-2] + b"\n")
        before = counters(self.server)["marker"]
        for first in (b"", request("/echo"), request("/echo", "POST", body=b"abc"), good, good + good):
            with connect(self.server) as sock:
                sock.sendall(first + good + request("/echo", fields="Connection: close\r\n"))
                codes = statuses(read_to_end(sock))
            self.assertEqual(set(codes), {200}, codes)
            for malformed in bad:
                with connect(self.server) as sock:
                    sock.sendall(first + malformed + request("/marker"))
                    self.assertEqual(statuses(read_to_end(sock)), codes[:-2] + [400], malformed)
        for malformed in (good, *bad):
            with connect(self.server) as sock:
                for byte in malformed:
                    sock.sendall(bytes([byte]))
                    time.sleep(0.0005)
                try:
                    sock.sendall(request("/echo", fields="Connection: close\r\n"))
                except ConnectionError:
                    pass  # refused while it was still coming
                self.assertEqual(statuses(read_to_end(sock)), [200, 200] if malformed == good else [400], malformed)
        self.assertEqual(counters(self.server)["marker"], before)

    def test_a_request_that_breaks_off_is_heard_of(self):
        heads = (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"Content-Length: 9\r\n\r\n")
        for head in heads:
            before = counters(self.server)
            with connect(self.server) as sock:
                sock.sendall(b"POST /marker HTTP/1.1\r\n" + HOST + head)
                sock.shutdown(socket.SHUT_WR)
                read_to_end(sock)
            self.assertTrue(until(lambda: counters(self.server)["cancelled"] == before["cancelled"] + 1, 20))
            self.assertEqual(counters(self.server)["marker"], before["marker"])

    def test_answer_without_a_body_keeps_the_connection(self):
        with connect(self.server) as sock:
            sock.sendall(request("/early") + request("/marker"))
            data = read_until(sock, b"marker")
            self.assertTrue(data.startswith(b"HTTP/1.1 401 "), data)
            self.assertTrue(data.endswith(b"marker"), data)

    def test_head_request(self):
        with connect(self.server) as sock:
            sock.sendall(request("/big?bytes=77", "HEAD") + request("/marker"))
            data = read_until(sock, b"marker")
            self.assertIn(b"Content-Length: 77\r\n", data)
            self.assertNotIn(b"bbb", data)

    def test_cut_answer(self):
        with connect(self.server) as sock:
            sock.sendall(request("/cut"))
            self.assertEqual(read_to_end(sock), b"")

    def test_expectation(self):
        with connect(self.server) as sock:
            sock.sendall(b"POST /echo HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            self.assertTrue(read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 100 "))
            sock.sendall(b"abc")
            self.assertIn(b"HTTP/1.1 200 ", read_until(sock, b"abc"))
        with connect(self.server) as sock:
            sock.sendall(b"POST /early HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            data = read_to_end(sock)
            self.assertTrue(data.startswith(b"HTTP/1.1 401 "), data)  # no leave before it
            self.assertEqual(data.count(b"HTTP/1.1 "), 1)

    def test_expectation_without_a_body(self):
        for target in ("/echo", "/slow?ms=20"):
            for behind in (b"", request("/marker")):
                with connect(self.server) as sock:
                    sock.sendall(request(target, fields="Expect: 100-continue\r\n") + behind)
                    self.assertEqual(statuses(read_to_end(sock)), [200])

    def test_what_is_executed_is_answered(self):
        def head_of(size, fields):
            filler = "".join(f"F{i}: x\r\n" for i in range(fields - 2))
            return request("/marker", fields=filler + f"Big: {'x' * (size - len(request('/marker', fields=filler)) + 2 - 7)}\r\n")

        before = counters(self.server)["marker"]
        answered = 0
        sizes = (*range(7_000, 18_000, 331), 11_999, 12_000, 12_001, 15_820, 16_384, 40_000)
        heads = [(size, head_of(size, fields)) for fields in (2, 33, 64) for size in sizes]
        heads += [(0, request("/marker?" + "a&" * n)) for n in range(60, 200, 7)]
        heads += [(0, request("/marker", fields=f"Cookie: {'a=b; ' * n}\r\n")) for n in range(40, 200, 7)]
        for size, head in heads:
            for behind in (b"", b"GET /echo HTTP/1.1\r\nX: " + b"x" * 9_000):
                with connect(self.server) as sock:
                    sock.sendall(head + behind)
                    first = read_until(sock, b"\r\n\r\n")
                self.assertEqual(statuses(first), [200] if 0 < size <= 12_000 else [431] if size else statuses(first), size)
                self.assertIn(statuses(first), ([200], [431]))
                answered += statuses(first) == [200]
        self.assertEqual(counters(self.server)["marker"], before + answered)

    def test_closed_client_is_noticed_while_the_call_runs(self):
        before = counters(self.server)["cancelled"]
        sock = connect(self.server)
        sock.sendall(request("/slow?ms=60000"))
        time.sleep(0.02)
        sock.close()
        self.assertTrue(until(lambda: counters(self.server)["cancelled"] == before + 1, 20))
        self.assertTrue(until(lambda: counters(self.server)["live"] == 1))

    def test_the_service_sees_the_head_as_sent(self):
        _, text = call(self.server, "/head?a=%41&b", fields={"X-Forwarded-For": "9.9.9.9", "Forwarded": "for=9.9.9.9", "A": "b"})
        first, *fields = text.decode().splitlines()
        self.assertEqual(first, "GET /head?a=%41&b 127.0.0.1 0 0")
        self.assertIn("A: b", fields)
        self.assertFalse([field for field in fields if "9.9.9.9" in field])

    def test_slow_headers_split_anywhere(self):
        whole = request("/echo", "POST", body=b"abc")
        for cut in range(1, len(whole)):
            with connect(self.server) as sock:
                sock.sendall(whole[:cut])
                time.sleep(0.001)
                sock.sendall(whole[cut:])
                self.assertIn(b"HTTP/1.1 200 ", read_until(sock, b"abc"))


class Streams(unittest.TestCase):
    def open(self, server, target, version="1.1"):
        sock = connect(server)
        sock.sendall(request(target, version=version))
        data = read_until(sock, b"hello\n\n")
        self.assertIn(b"200 OK\r\n", data)
        return sock, data

    def test_framing(self):
        with Server(PROGRAM, "--loops", "1") as server:
            sock, head = self.open(server, "/stream")
            self.assertIn(b"Transfer-Encoding: chunked\r\n", head)
            self.assertIn(b"Connection: close\r\n", head)
            call(server, "/publish", "POST", b"news")
            self.assertIn(b"c\r\ndata: news\n\n\r\n", read_until(sock, b"news\n\n\r\n"))
            sock.close()
            sock, head = self.open(server, "/stream", "1.0")
            self.assertNotIn(b"chunked", head)
            call(server, "/publish", "POST", b"news")
            self.assertTrue(read_until(sock, b"news\n\n").endswith(b"data: news\n\n"))
            sock.close()
            for target in ("/slowstream?ms=80", "/slowstream?ms=0", "/slowstream?events=0"):
                with connect(server) as sock:
                    sock.sendall(request(target) + request("/marker"))
                    data = read_to_end(sock)
                    self.assertTrue(data.endswith(b"\r\n0\r\n\r\n"), data)
                    self.assertEqual(data.count(b"tick"), 0 if "events=0" in target else 3)
            self.assertTrue(until(lambda: counters(server)["live"] == 1))
            self.assertEqual(counters(server)["marker"], 0)

    def test_a_thousand_idle_streams(self):
        with Server(PROGRAM, "--loops", "1", "--connections-per-address", "0", "--debuggable") as server:
            warm = [self.open(server, "/stream")[0] for _ in range(100)]
            until(lambda: counters(server)["streams"] == 100)
            memory_kb = server.status("VmRSS")
            streams = [self.open(server, "/stream")[0] for _ in range(1000)]
            each = (server.status("VmRSS") - memory_kb) * 1024 / 1000
            print(f"memory of a stream with the fake's state: {each:.0f} bytes")
            self.assertLess(each, 64 * 1024 if SANITIZED else 3072)
            ticks = server.cpu_ticks()
            time.sleep(1)
            self.assertLessEqual(server.cpu_ticks() - ticks, 3, "idle streams cost time")
            open_descriptors = server.descriptors()
            call(server, "/publish", "POST", b"to all")
            for sock in streams:
                self.assertIn(b"to all", read_until(sock, b"to all"))
            started = time.monotonic()
            for sock in streams:
                sock.close()
            self.assertTrue(until(lambda: counters(server)["streams"] == 100))
            print(f"1000 ends noticed after {time.monotonic() - started:.3f} s")
            self.assertTrue(until(lambda: server.descriptors() <= open_descriptors - 1000))
            self.assertEqual(counters(server)["live"], 101)
            for sock in warm:
                sock.close()
            self.assertTrue(until(lambda: counters(server)["live"] == 1))

    def test_slow_reader_is_held_back_and_then_served(self):
        with Server(PROGRAM, "--loops", "1") as server:
            sock = connect(server)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            sock.sendall(request("/flood"))
            self.assertTrue(until(lambda: counters(server)["streams"] == 1))
            stalled = None

            def is_held_back():
                nonlocal stalled
                before, stalled = stalled, counters(server)["writable"]
                time.sleep(0.2)
                return before == stalled
            self.assertTrue(until(is_held_back))
            total = 0
            while total < 30_000_000:
                total += len(sock.recv(1 << 20))
            self.assertGreater(counters(server)["writable"], stalled)
            sock.close()
            self.assertTrue(until(lambda: counters(server)["live"] == 1))


class Limits(unittest.TestCase):
    # Fast beside the 10, 30 and 60 seconds that they are else; slow enough for a client that is given no time in between.
    FAST = ("--loops", "1", "--header-deadline-ms", "1000", "--body-deadline-ms", "1200", "--idle-ms", "1000")
    BOUND_S = 8

    def drip(self, sock, data, pause=0.05):
        """Sends byte by byte until the server closes; what it said, and when."""
        started = time.monotonic()
        sock.settimeout(pause)
        received = b""
        for i in range(200):
            try:
                sock.sendall(data[i % len(data):i % len(data) + 1])
                piece = sock.recv(4096)
                received += piece
                if not piece:
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        return received, time.monotonic() - started

    def test_deadlines(self):
        with Server(PROGRAM, *self.FAST) as server:
            with connect(server) as sock:
                received, seconds = self.drip(sock, b"GET /marker?" + b"a" * 1000)
                self.assertTrue(received.startswith(b"HTTP/1.1 408 "), received)
                self.assertLess(seconds, self.BOUND_S)
            with connect(server) as sock:
                started = time.monotonic()
                self.assertEqual(read_to_end(sock), b"")  # never sent a byte
                self.assertLess(time.monotonic() - started, self.BOUND_S)
            with connect(server) as sock:
                sock.sendall(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 5000\r\n\r\n")
                received, seconds = self.drip(sock, b"x")
                self.assertTrue(received.startswith(b"HTTP/1.1 408 "), received)
                self.assertLess(seconds, self.BOUND_S)
            with connect(server) as sock:
                sock.sendall(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 5000\r\n\r\n")
                self.assertTrue(read_to_end(sock).startswith(b"HTTP/1.1 408 "))
            with connect(server) as sock:
                sock.sendall(request("/marker"))
                read_until(sock, b"marker")
                _, seconds = self.drip(sock, request("/marker")[:-2] + b"A: b\r\n" * 100)
                self.assertLess(seconds, self.BOUND_S)
            with connect(server) as sock:
                sock.sendall(request("/marker"))
                read_until(sock, b"marker")
                time.sleep(0.2)  # of the time that it may be idle
                received, seconds = self.drip(sock, b"GET /marker?" + b"a" * 1000)
                self.assertTrue(received.startswith(b"HTTP/1.1 408 "), received)
                self.assertLess(seconds, self.BOUND_S)
            self.assertEqual(counters(server)["marker"], 2)

    def test_a_client_that_takes_its_answer_in_drips(self):
        with Server(PROGRAM, *self.FAST) as server, socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(60)
            sock.connect(server.address)
            sock.sendall(request("/big?bytes=30000000"))
            self.assertTrue(until(lambda: counters(server)["live"] == 2))

            def is_dropped():
                sock.recv(20)
                time.sleep(0.05)
                return counters(server)["live"] == 1
            self.assertTrue(until(is_dropped, 25))  # libmicrohttpd itself waits a minute for the next byte

    def test_a_large_answer_that_is_taken_slowly_but_steadily(self):
        with Server(PROGRAM, *self.FAST) as server, connect(server) as sock:
            sock.sendall(request("/big?bytes=10000000"))
            total, started = 0, time.monotonic()
            while piece := sock.recv(1 << 20 if time.monotonic() - started > 5 else 20_000):
                total += len(piece)
                if total >= 10_000_000:
                    break
                time.sleep(0.05)
            self.assertGreaterEqual(total, 10_000_000)

    def test_a_call_that_takes_longer_than_all_deadlines(self):
        with Server(PROGRAM, *self.FAST) as server:
            self.assertEqual(call(server, "/slow?ms=2500"), (200, b"slow"))

    def test_slow_body_average(self):
        with Server(PROGRAM, "--loops", "1") as server, connect(server) as sock:
            sock.sendall(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 5000\r\n\r\nabc")
            started = time.monotonic()
            self.assertTrue(read_to_end(sock).startswith(b"HTTP/1.1 408 "))
            self.assertTrue(4.5 < time.monotonic() - started < 25)  # the deadline of a body is 30 s

    def test_connections_per_address(self):
        with Server(PROGRAM, "--loops", "2", "--connections-per-address", "5") as server:
            held = [connect(server) for _ in range(5)]
            for sock in held:
                self.addCleanup(sock.close)
                sock.sendall(request("/marker"))
                read_until(sock, b"marker")
            with connect(server) as sock:
                self.assertEqual(sock.recv(1), b"")
            held.pop().close()

            def again():
                with connect(server) as sock:
                    try:
                        sock.sendall(request("/marker"))
                        return b"marker" in read_until(sock, b"marker")
                    except ConnectionError:
                        return False
            self.assertTrue(until(again))

    def test_no_descriptors_left(self):
        with Server(PROGRAM, "--loops", "1", "--connections-per-address", "0") as server:
            call(server, "/marker")
            limit = server.descriptors() + 10
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
            held = [connect(server) for _ in range(60)]
            for sock in held:
                self.addCleanup(sock.close)
                sock.sendall(request("/slow?ms=3000"))
            self.assertTrue(until(lambda: "cannot accept connections" in server.log()))
            ticks = server.cpu_ticks()
            time.sleep(1)
            self.assertLess(server.cpu_ticks() - ticks, 10, "spins without descriptors")
            for sock in held:
                sock.close()
            self.assertTrue(until(lambda: call(server, "/marker")[0] == 200))
            if not SANITIZED:  # without descriptors UBSan cannot look at memory and reports every object
                self.assertLess(server.log().count("\n"), 10, server.log())

    def test_fewer_connections_than_descriptors(self):
        with Server(PROGRAM, "--loops", "1", "--connections-per-address", "0", descriptors=64) as server:
            held = [connect(server) for _ in range(100)]
            for sock in held:
                self.addCleanup(sock.close)
                try:
                    sock.sendall(request("/stream"))
                except ConnectionError:
                    pass
            self.assertTrue(until(lambda: "too many connections" in server.log()))
            self.assertNotIn("cannot accept", server.log())

class Process(unittest.TestCase):
    def test_second_server_on_the_port(self):
        with Server(PROGRAM, "--loops", "2") as server:
            for flags in ((), ("--loops", "3")):
                with Server(PROGRAM, "--listen", f"127.0.0.1:{server.port}", *flags, wait=False) as second:
                    self.assertEqual(second.wait(), 1)
                    self.assertIn("address in use", second.log())
            self.assertEqual(call(server, "/marker")[0], 200)

    def test_restart_on_the_same_port(self):
        with Server(PROGRAM, "--loops", "2") as server:
            port = server.port
            sock = connect(server)
            sock.sendall(request("/marker"))
            read_until(sock, b"marker")
            server.signal()
            self.assertEqual(server.wait(), 0)
            sock.close()
        with Server(PROGRAM, "--listen", f"127.0.0.1:{port}") as server:
            self.assertEqual(call(server, "/marker")[0], 200)

    def test_two_loops_share_the_connections(self):
        with Server(PROGRAM, "--loops", "2") as server:
            seen = {counters(server)["loop"] for _ in range(60)}
            self.assertEqual(seen, {0, 1})

    def test_drain(self):
        with Server(PROGRAM, "--loops", "2") as server:
            idle = connect(server)
            idle.sendall(request("/marker"))
            read_until(idle, b"marker")
            stream = connect(server)
            stream.sendall(request("/stream"))
            read_until(stream, b"hello\n\n")
            slow = connect(server)
            slow.sendall(request("/slow?ms=3000"))
            self.assertTrue(until(lambda: counters(server)["live"] == 3))  # with the one that asks
            server.signal()
            self.assertTrue(read_to_end(stream).endswith(b"0\r\n\r\n"))
            self.assertEqual(read_to_end(idle), b"")
            for _ in range(8):  # of both loops: who comes now is answered
                with connect(server) as late:
                    late.sendall(request("/marker"))
                    data = read_to_end(late)
                    self.assertTrue(data.startswith(b"HTTP/1.1 503 "), data)
                    self.assertIn(b"Connection: close\r\n", data)
            data = read_to_end(slow)
            self.assertTrue(data.startswith(b"HTTP/1.1 200 "), data)
            self.assertIn(b"Connection: close\r\n", data)
            self.assertEqual(server.wait(), 0)
            with self.assertRaises(ConnectionError):
                connect(server)
            self.assertNotIn("ERROR", server.log())

    def test_drain_waits_for_a_body_on_its_way(self):
        # Beside nothing, and beside a call that keeps the service from being done.
        for beside in (b"", request("/slow?ms=1500")):
            with Server(PROGRAM, "--loops", "1") as server, connect(server) as other, connect(server) as sock:
                other.sendall(beside)
                sock.sendall(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\n")
                time.sleep(0.2)
                server.signal()
                time.sleep(0.2)
                sock.sendall(b"abc")
                data = read_to_end(sock)
                self.assertTrue(data.startswith(b"HTTP/1.1 200 "), data)
                self.assertIn(b"Connection: close\r\n", data)
                self.assertTrue(data.endswith(b"abc"), data)
                self.assertEqual(server.wait(), 0)

    def test_second_signal_ends_the_grace(self):
        with Server(PROGRAM, "--loops", "2") as server, connect(server) as slow:
            slow.sendall(request("/slow?ms=60000"))
            self.assertTrue(until(lambda: counters(server)["live"] == 2))
            server.signal()
            time.sleep(0.1)
            self.assertIsNone(server.process.poll())
            server.signal(signal.SIGINT)
            self.assertEqual(server.wait(20), 0)

    def test_grace_is_bounded(self):
        with Server(PROGRAM, "--loops", "1", "--grace-ms", "200") as server, connect(server) as slow:
            slow.sendall(request("/slow?ms=60000"))
            self.assertTrue(until(lambda: counters(server)["live"] == 2))
            server.signal()
            self.assertTrue(read_to_end(slow).startswith(b"HTTP/1.1 503 "))
            self.assertEqual(server.wait(20), 0)

    def test_start_lines_and_bad_settings(self):
        with Server(PROGRAM) as server:
            self.assertIn(f"mcpd listening on http://127.0.0.1:{server.port} (data ", server.log())
            self.assertIn("/bootstrap-code", server.log())
        environment = {"HOME": "/nonexistent", "PATH": os.environ["PATH"]}
        for arguments, extra, words in (
            (["--nonsense"], {}, "unknown argument '--nonsense'"),
            (["--loops", "many"], {}, "--loops: many: must be an integer"),
            (["--max-token-ttl", "soon"], {}, "max-token-ttl: not a lifetime"),
            ([], {"MCPD_AUDIT": "maybe"}, "MCPD_AUDIT: maybe: must be one of buffered|strict"),
            ([], {"MCPD_ADUIT": "strict"}, "unknown environment variable MCPD_ADUIT"),
        ):
            done = subprocess.run([PROGRAM, "--listen", "127.0.0.1:0", "--data-dir", "/tmp", *arguments], capture_output=True,
                                  text=True, env={**environment, **extra}, timeout=60, check=False)
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertIn(words, done.stderr)

    def test_load_on_two_loops(self):
        """Many clients at once, some of which leave in the middle."""
        with Server(PROGRAM, "--loops", "2", "--debuggable") as server:
            failures = []

            def client(number):
                try:
                    for i in range(60):
                        text = f"{number}-{i}".encode()
                        if i % 10 == 7:
                            sock = connect(server)
                            sock.sendall(request("/slow?ms=5000") if i % 20 == 7 else request("/stream?every=1"))
                            sock.close()
                        elif call(server, "/echo", "POST", text) != (200, text) or call(server, "/slow?ms=2")[0] != 200:
                            failures.append(text)
                except OSError as error:
                    failures.append(error)
            threads = [threading.Thread(target=client, args=(n,)) for n in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])
            self.assertTrue(until(lambda: counters(server)["live"] == 1))
            server.signal()
            self.assertEqual(server.wait(), 0)


if __name__ == "__main__":
    unittest.main()
