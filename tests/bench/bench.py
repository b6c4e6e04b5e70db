"""Measures mcpd beside nginx on this machine, in alternation. scripts/bench builds what it needs and runs it.

Ratios, not seconds: on a small machine a neighbour moves requests per second and latency at will, but hardly the CPU time
that a process takes for one call. A sample during which others used more than 12 % of a core is taken again.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
sys.path.insert(0, str(HERE))

import instructions  # noqa: E402
import noise  # noqa: E402
import rows  # noqa: E402
import wire  # noqa: E402
from harness import BUILD, MCPD, Gateway, Process, free_port, until  # noqa: E402

LOAD, UPSTREAM = BUILD / "tests/bench/bench-load", BUILD / "tests/bench/bench-upstream"
NOISE = 0.12  # of a core
GATES = (  # what, the bound, whether it is the most or the least, and what is aimed at
    ("call, CPU against nginx + auth_request", 0.95, "most", 0.8),
    ("call, calls per second against nginx + auth_request", 1.1, "least", 1.3),
    ("100 KB call, CPU against nginx + auth_request", 1.2, "most", 0.9),
    ("one connection, added p50 in us", 35, "most", 20),
    ("user memory per idle stream in bytes", 3072, "most", 1024),
    ("call p50 beside idle streams against none", 1.2, "most", 1.05),
    ("resident memory at rest in MB", 25, "most", 16),
    ("start to first answer in ms", 30, "most", 15),
    ("calls per second against Fastify + SDK", 25, "least", 45),
    ("calls per second against mcp-proxy", 25, "least", 45),
    ("tools/list of 500 tools, user CPU in us", 50, "most", 10),
    ("authentication and decision among 100,000 tokens in us", 0.8, "most", 0.4),
    ("1,000,000 tokens, extra start in s", 0.8, "most", 0.4),
    ("1,000,000 tokens, bytes each", 160, "most", 110),
)
HERE_ROWS = ("nginx", "start")  # of this file; the others are in rows.py


class Target:
    def __init__(self, name, port, pids, tool="echo", path="/mcp", token_file=None):
        self.name, self.port, self.pids, self.tool, self.path, self.token_file = name, port, pids, tool, path, token_file

    def load(self, *flags):
        words = [LOAD, "--port", self.port, "--path", self.path, "--tool", self.tool, *flags]
        words += ["--token-file", self.token_file] if self.token_file else []
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
        assert done.returncode == 0, f"{self.name}: {done.stderr}"
        return json.loads(done.stdout)

    patience_s = 30  # for a quiet moment before each sample

    def sample(self, known, *flags):
        for _ in range(3 if self.patience_s else 1):
            noise.wait_quiet(known, NOISE, self.patience_s)
            watch, before = noise.Watch(known), noise.cpu_s(self.pids)
            result = self.load(*flags)
            result["noise"] = watch.noise()
            result["cpu_us"] = (noise.cpu_s(self.pids) - before) / result["ok"] * 1e6
            if result["noise"] < NOISE:
                break
        return result


def started(stack, words, port_file, log):
    process = stack.enter_context(closing(Process(words, log)))
    return process.popen.pid, int(until(lambda: port_file.exists() and port_file.read_text().strip()))


def upstream(stack, folder, name, *flags):
    port_file = folder / f"{name}.port"
    return started(stack, [UPSTREAM, "--port-file", port_file, *flags], port_file, folder / f"{name}.log")


def nginx(stack, folder, upstream_port, auth_port):
    ports = {"upstream": upstream_port, "auth": auth_port, "plain": free_port(), "checked": free_port()}
    text = re.sub(r"@(\w+)@", lambda match: str(ports[match[1]]), (HERE / "nginx.conf.in").read_text())
    (folder / "nginx.conf").write_text(text)
    process = stack.enter_context(closing(Process(["nginx", "-p", folder, "-c", folder / "nginx.conf"], folder / "nginx.log")))

    def listening():
        assert process.popen.poll() is None, process.text()
        return (folder / "nginx.pid").exists()

    until(listening)
    return process.popen.pid, ports


class Bed:
    """An upstream, nginx and mcpd in front of it, and a token."""

    def __init__(self, stack, loops=1):
        self.gateway = stack.enter_context(Gateway(loops=loops, settings=["--connections-per-address", "0"]))
        folder = self.gateway.dir
        up_pid, up_port = upstream(stack, folder, "upstream")
        auth_pid, auth_port = upstream(stack, folder, "auth")
        nginx_pid, ports = nginx(stack, folder, up_port, auth_port)
        self.gateway.http("up", up_port)
        self.gateway.project("bench", "up")
        token = self.gateway.token("bench", "bench")
        self.gateway.ready(token, "up", project="bench")
        self.token, token_file = token, folder / "token"
        token_file.touch(0o600)
        token_file.write_text(token)
        mcpd_pid = self.gateway.process.popen.pid
        self.direct = Target("direct", up_port, [up_pid])
        self.plain = Target("nginx", ports["plain"], [nginx_pid])
        self.checked = Target("nginx + auth_request", ports["checked"], [nginx_pid])
        self.mcpd = Target("mcpd", self.gateway.port, [mcpd_pid], "up__echo", "/projects/bench/mcp", token_file)
        self.known = [up_pid, auth_pid, nginx_pid, mcpd_pid]


def paired(bed, rounds, *flags):
    """CPU per call and calls per second of mcpd over those of nginx + auth_request: pairs, and what each did."""
    pairs = []
    for number in range(-1, rounds):  # the first warms up
        # Without a warm-up of its own: all calls are counted, as is all CPU time.
        pair = [target.sample(bed.known, "--warmup", 0, *flags) for target in (bed.checked, bed.mcpd)]
        if number >= 0:
            pairs.append(pair)
    cpu = [mine["cpu_us"] / theirs["cpu_us"] for theirs, mine in pairs]
    rate = [mine["rps"] / theirs["rps"] for theirs, mine in pairs]
    medians = [{key: statistics.median(pair[side][key] for pair in pairs) for key in ("cpu_us", "rps", "p50_us", "p99_us", "noise")}
               for side in (0, 1)]
    return cpu, rate, medians


def latency(bed, rounds):
    """p50 of one connection that asks again and again, in microseconds: what mcpd adds to the direct call, in pairs, and what each did."""
    targets = (bed.direct, bed.mcpd, bed.plain, bed.checked)
    found = {target.name: [] for target in targets}
    for _ in range(rounds):
        for target in targets:
            found[target.name].append(target.sample(bed.known, "--conns", 1, "--secs", 1)["p50_us"])
    added = [mine - theirs for theirs, mine in zip(found[bed.direct.name], found[bed.mcpd.name])]
    return added, {name: statistics.median(values) for name, values in found.items()}


def memory(pid):
    """Resident, and private bytes."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return tuple(int(re.search(rf"^{key}:\s+(\d+)", text, re.M)[1]) * 1024 for key in ("Rss", "Private_Dirty"))


def start_to_answer(rounds):
    """Milliseconds from exec to the first answer, and what it holds at rest."""
    took, resident = [], []
    with Gateway(loops=1) as gateway:
        for _ in range(rounds):
            gateway.stop()
            command = [str(word) for word in gateway.command(gateway.port)]
            began = time.monotonic()
            with open(gateway.log, "ab") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log)
            while True:
                try:
                    with wire.Connection(gateway.port) as connection:
                        assert connection.request("GET", "/healthz").status == 200
                    break
                except OSError:
                    time.sleep(0.0005)
            took.append((time.monotonic() - began) * 1000)
            time.sleep(0.5)
            resident.append(memory(process.pid)[0])
            process.send_signal(signal.SIGTERM)
            process.wait()
        gateway.start()
    return statistics.median(took), statistics.median(resident) / 1e6


def measure(options):
    results, notes = {}, {}
    wanted = options.rows.split(",")
    unknown = set(wanted) - {*HERE_ROWS, *rows.ROWS, "instructions"}
    assert not unknown, f"no such rows: {', '.join(unknown)}"
    if "nginx" in wanted:
        beside_nginx(options, results, notes)
    if "start" in wanted:
        took, resident = start_to_answer(options.rounds)
        results["start to first answer in ms"] = [took]
        results["resident memory at rest in MB"] = [resident]
    for name, row in rows.ROWS.items():
        if name in wanted:
            results |= row(sys.modules[__name__], options)
    return results, notes


def beside_nginx(options, results, notes):
    with ExitStack() as stack:
        bed = Bed(stack)
        results["one connection, added p50 in us"], notes["p50_us"] = latency(bed, options.rounds)
        for name, flags in (("call", ("--secs", options.seconds)),
                            ("100 KB call", ("--secs", options.seconds, "--bytes", 100_000)),
                            ("1,000 connections, a call", ("--secs", options.seconds, "--conns", 1000))):
            cpu, rate, notes[name] = paired(bed, options.rounds, *flags)
            results[f"{name}, CPU against nginx + auth_request"] = cpu
            results[f"{name}, calls per second against nginx + auth_request"] = rate


def verdict(name, values):
    """A gate fails when the best and the median round both miss it: a noisy round is no slow program."""
    for what, bound, side, aim in GATES:
        if what == name:
            best = min(values) if side == "most" else max(values)
            middle = statistics.median(values)
            good = (best <= bound or middle <= bound) if side == "most" else (best >= bound or middle >= bound)
            return f"{'≤' if side == 'most' else '≥'} {bound:g} | {aim:g}", good
    return " | ", True


def count_instructions(options, results, notes):
    """Rows of the table, and how many miss their gate."""
    with tempfile.TemporaryDirectory(prefix="mcptoken-bench-") as folder:
        counts, paced = instructions.measure(sys.modules[__name__], folder)
    results["user instructions"] = counts
    notes["store thread at the pace of valgrind"] = {name: round(count) for name, count in paced.items()}
    return instructions.gate(counts, options.baseline)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--streams", type=int, default=9500, help="idle streams, as far as descriptors reach (default: %(default)d)")
    parser.add_argument("--patience", type=float, default=Target.patience_s,
                        help="seconds to wait for a quiet moment before each sample; 0: take what comes (default: %(default)g)")
    parser.add_argument("--rows", default=",".join((*HERE_ROWS, *rows.ROWS, "instructions")), help="what to measure (default: %(default)s)")
    parser.add_argument("--instructions", action="store_const", dest="rows", const="instructions",
                        help="count instructions alone (valgrind): the gate of every commit")
    parser.add_argument("--baseline", action="store_true", help="with --instructions: what they are becomes the baseline")
    parser.add_argument("--json", help="file for everything that was measured")
    options = parser.parse_args()
    assert MCPD.exists() and LOAD.exists(), "run scripts/bench"
    Target.patience_s = options.patience
    results, notes = measure(options)
    missed = 0
    print("| what | median | range | gate | aim | |\n|---|---|---|---|---|---|")
    for name, values in results.items():
        bound, good = verdict(name, values)
        missed += not good
        span = f"{min(values):.2f}–{max(values):.2f}" if len(values) > 1 else ""
        print(f"| {name} | {statistics.median(values):.2f} | {span} | {bound} | {'' if good else 'missed'} |")
    if "instructions" in options.rows.split(","):
        lines, above = count_instructions(options, results, notes)
        print(*lines, sep="\n")
        missed += above
    print(json.dumps(notes))
    if options.json:
        Path(options.json).write_text(json.dumps({"results": results, "notes": notes}, indent=1) + "\n")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
