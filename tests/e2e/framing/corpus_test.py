#!/usr/bin/env python3
"""The corpus against the program given as argument, which has the fake service unless --real is given."""
import sys

import corpus
from server import Server

LEAST = 120  # different requests, each of which is sent whole and in pieces
different = {case[1] for case in corpus.REFUSED + corpus.ACCEPTED}
assert len(different) >= LEAST, len(different)

with Server(sys.argv[1], "--loops", "1", "--debuggable") as server:
    cases, failures = corpus.run(server.address, fake="--real" not in sys.argv)
    for failure in failures:
        print("FAILED", failure)
    print(f"{cases - len(failures)} passed, {len(failures)} failed")
    server.signal()
    assert server.wait() == 0, server.log()
sys.exit(1 if failures or cases < 2 * LEAST else 0)
