"""User instructions of one call, counted by callgrind, and their gate: the committed baseline and 3 %.

The request path is the loop's thread, which does the same for each call however slow the machine is. The store's thread writes what
there is every 20 ms, so its share depends on the pace; bench-audit counts it for full batches.
"""

import json
import os
import re
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

from harness import BUILD, Gateway, until

BASELINE = Path(__file__).resolve().parent / "instructions.json"
SLACK = 1.03
AIM = {"call": 45_000}  # with all threads
JOBS = {"call": (2000, ()), "100 KB call": (200, ("--bytes", 100_000))}
AUDIT = BUILD / "tests/bench/bench-audit"
EVENTS = 4000
# glibc clears and copies large blocks with one repeated instruction, which callgrind counts once a byte and processors carry out by
# the line (libmicrohttpd clears 16 KiB for each request). With vectors the count is what it costs.
PLAIN = "GLIBC_TUNABLES=glibc.cpu.x86_rep_stosb_threshold=1000000000:glibc.cpu.x86_rep_movsb_threshold=1000000000"


def totals(path):
    return int(re.search(r"^totals: (\d+)", path.read_text(errors="replace"), re.M)[1])


def call(bench, calls, flags):
    """Of one call: the loop's thread, and the store's at this pace."""
    with ExitStack() as stack:
        gateway = stack.enter_context(Gateway(loops=1))
        _, port = bench.upstream(stack, gateway.dir, "upstream")
        gateway.http("up", port)
        gateway.project("bench", "up")
        token = gateway.token("bench", "bench")
        gateway.stop()
        token_file = gateway.dir / "token"
        token_file.touch(0o600)
        token_file.write_text(token)
        port_file = gateway.dir / "port-callgrind"
        command = ["env", PLAIN, "valgrind", "--tool=callgrind", "--separate-threads=yes", "--instr-atstart=no",
                   f"--callgrind-out-file={gateway.dir}/callgrind", *gateway.command(0), "--port-file", port_file, "--debuggable"]
        pid, port = bench.started(stack, command, port_file, gateway.dir / "valgrind.log")
        target = bench.Target("mcpd", port, [pid], "up__echo", "/projects/bench/mcp", token_file)
        until(lambda: target.load("--conns", 1, "--requests", 200, "--warmup", 0, *flags)["bad"] == 0)
        subprocess.run(["callgrind_control", "-i", "on", str(pid)], check=True, capture_output=True)
        target.load("--conns", 1, "--requests", calls, "--warmup", 0, *flags)
        subprocess.run(["callgrind_control", "-i", "off", str(pid)], check=True, capture_output=True)
        os.kill(pid, signal.SIGTERM)

        def thread(function):
            """The output of the thread that runs it."""
            for path in gateway.dir.glob("callgrind-*"):
                text = path.read_text(errors="replace")
                if function in text and "totals:" in text:
                    return path
            return None

        loop = until(lambda: thread("MHD_run"))
        store = until(lambda: thread("sqlite3_step"))
        gateway.start()
        return totals(loop) / calls, totals(store) / calls


def event(folder):
    """Of one event of the audit record, in full batches."""
    words = ["env", PLAIN, "valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind.audit", "--collect-atstart=no",
             "--toggle-collect=audit_run", AUDIT, folder, EVENTS]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(re.search(r"Collected : (\d+)", done.stderr)[1]) / EVENTS


def measure(bench, folder):
    counts, paced = {}, {}
    for name, (calls, flags) in JOBS.items():
        counts[name], paced[name] = call(bench, calls, flags)
    counts["audit event"] = event(folder)
    return counts, paced


def gate(counts, write):
    """Rows for people, and how many are above their baseline."""
    if write:
        BASELINE.write_text(json.dumps({name: round(count) for name, count in counts.items()}, indent=1) + "\n")
    baseline = json.loads(BASELINE.read_text())
    rows, missed = [], 0
    for name, count in counts.items():
        good = count <= baseline[name] * SLACK
        missed += not good
        rows.append(f"| user instructions: {name} | {count:.0f} | {count / baseline[name] - 1:+.1%} | ≤ {baseline[name]} + 3 % | "
                    f"{AIM.get(name, '')} | {'' if good else 'missed'} |")
    return rows, missed
