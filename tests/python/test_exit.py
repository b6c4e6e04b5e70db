"""Programs that end, or fork, without having closed what they hold: each in a process of its own, with a limit of time."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

BEGIN = """
import os, sys, tempfile, threading, time
import mcptoken
from mcptoken import Exchange, Loop, Service, Session, Timer

class Answer:
    def __init__(self, loop): self.loop = loop
    def head(self, status, headers, length): self.status = status
    def write(self, data): return 0
    def end(self, ok): self.loop.stop()

def ask(service, loop):
    answer = Answer(loop)
    exchange = Exchange(service, loop, answer, "GET", "/readyz", [("Host", "localhost")])
    exchange.end()
    while not exchange.answered:
        loop.run()
    return answer.status, exchange

folder = tempfile.TemporaryDirectory()
"""


class Exit(unittest.TestCase):
    def end_of(self, text, code=0):
        """What the program has printed; it has to end by itself."""
        path = os.pathsep.join([str(Path(os.environ["MCPTOKEN_SOURCE"]) / "capi/python"), str(Path(__file__).parent)])
        done = subprocess.run([sys.executable, "-B", "-c", BEGIN + text], capture_output=True, text=True, timeout=60,
                              env=os.environ | {"PYTHONPATH": path})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout.split()

    def test_with_an_open_service(self):
        told = self.end_of("loop = Loop()\nservice = Service({'data_dir': folder.name + '/d'})\nservice.attach(loop)\n"
                           "timer = Timer(loop, print)\ntimer.start(0.001, 0.001)\nstatus, exchange = ask(service, loop)\nprint(status)\n")
        self.assertEqual(told, ["200"])

    def test_what_another_thread_has_dropped(self):
        """Its release waits for a turn of the loop, which may never come: the loop goes all the same."""
        told = self.end_of("""
import gc
from mcptoken import Events, Watch
pair = os.pipe()
for closes in (True, False):
    loop = Loop()
    kept = [Timer(loop, print), Watch(loop, pair[1], Events.WRITABLE, print)]
    kept[0].start(0.001, 0.001)
    dropping = threading.Thread(target=lambda: (kept.clear(), gc.collect()))
    dropping.start()
    dropping.join()
    if closes:
        loop.close()
    del loop
    gc.collect()
    print("gone")
""")
        self.assertEqual(told, ["gone", "gone"])

    def test_with_a_failure(self):
        told = self.end_of("loop = Loop()\nservice = Service({'data_dir': folder.name + '/d'})\nservice.attach(loop)\n"
                           "print(ask(service, loop)[0])\nraise SystemExit(7)\n", 7)
        self.assertEqual(told, ["200"])

    def test_with_a_call_in_a_daemon_thread(self):
        told = self.end_of("""
from test_clients import Server
import socket
silent = socket.create_server(("127.0.0.1", 0))
url = "http://127.0.0.1:%d/mcp" % silent.getsockname()[1]
session, client, stream = Session(url, timeout=30), mcptoken.Client(url, timeout=30), mcptoken.Stream(url)
stream.send("GET")
for call in (session.connect, lambda: client.call("GET", "/"), lambda: stream.next(30)):
    threading.Thread(target=call, daemon=True).start()
for _ in range(3):
    silent.accept()
time.sleep(0.05)
print("busy")
""")
        self.assertEqual(told, ["busy"])

    def test_a_child_leaves_the_loop_to_its_parent(self):
        """The descriptors are shared: what the child closes would be closed for the parent."""
        told = self.end_of("""
import gc, select
loop = Loop()
service = Service({"data_dir": folder.name + "/d"})
service.attach(loop)
timer = Timer(loop, lambda: print("tick"))
loop.run_once()
child = os.fork()
if child == 0:
    folder._finalizer.detach()
    timer.close(), loop.close()
    del timer, service
    gc.collect()
    sys.exit(0)
assert os.waitpid(child, 0) == (child, 0)
threading.Timer(0.1, lambda: loop.post(lambda: print("woken"))).start()
assert select.select([loop], [], [], 20)[0]
loop.run_once()
timer.start(0.01)
time.sleep(0.02)
loop.run_once()
status, exchange = ask(service, loop)
print(status)
service.close()
""")
        self.assertEqual(told, ["woken", "tick", "200"])
