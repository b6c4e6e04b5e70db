"""Servers that crash again and again: 1,000 cycles leave no process, descriptor, thread or file behind."""

import os
import threading
import time
from pathlib import Path

import wire
from harness import PATIENCE_S, Gateway, children_of, is_alive, until

SERVERS = 20  # side by side: each waits for its own backoff after a crash
BACKOFF_MS = 50
CYCLES = 50


def descriptors(gateway):
    """What each of mcpd's is, without the connections of clients that come and go."""
    folder = Path(f"/proc/{gateway.process.pid}/fd")
    kinds = []
    for link in folder.iterdir():
        try:
            kinds.append(os.readlink(link).split(":")[0])
        except OSError:
            pass  # closed meanwhile
    return sorted(kind for kind in kinds if kind != "socket")


def files(gateway):
    found = {path for path in gateway.data.rglob("*")} | {path for path in Path("/tmp").glob("mcpd*")}
    return {str(path) for path in found if not path.name.endswith(("-wal", "-shm"))}


def crash(gateway, token, server, failures):
    """Each cycle: a call that works, one that ends the process."""
    client = wire.Modern(gateway.port, token)
    for cycle in range(CYCLES):
        end = time.monotonic() + PATIENCE_S
        while "error" in (answer := client.call(f"{server}__echo", {"message": "x"})):
            if time.monotonic() > end:
                return failures.append(f"{server} did not come back in cycle {cycle}: {answer}")
            time.sleep(0.02)
        if "error" not in client.call(f"{server}__crash"):
            return failures.append(f"{server} did not crash in cycle {cycle}")
    client.connection.close()


def test_a_thousand_crash_cycles():
    with Gateway(settings=["--upstream-backoff-ms", BACKOFF_MS]) as gateway:
        names = [f"s{number}" for number in range(SERVERS)]
        for name in names:
            gateway.example(name)
        gateway.project("demo", *names)
        token = gateway.token("t")
        client = wire.Modern(gateway.port, token)
        for name in names:
            client.text(f"{name}__echo", {"message": "x"})
        before, known = descriptors(gateway), files(gateway)
        tasks = len(list(Path(f"/proc/{gateway.process.pid}/task").iterdir()))
        failures = []
        threads = [threading.Thread(target=crash, args=(gateway, token, name, failures)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures
        client = wire.Modern(gateway.port, token)
        for name in names:
            until(lambda: "result" in client.call(f"{name}__echo", {"message": "x"}), pause=0.05)
        children = lambda: children_of(gateway.process.pid)  # noqa: E731
        until(lambda: len(children()) == SERVERS, why=children)
        assert all(is_alive(child) for child in children()), "a zombie"
        until(lambda: descriptors(gateway) == before, why=lambda: f"{before}\n{descriptors(gateway)}")
        until(lambda: len(list(Path(f"/proc/{gateway.process.pid}/task").iterdir())) == tasks)
        until(lambda: not files(gateway) - known, why=lambda: files(gateway) - known)
