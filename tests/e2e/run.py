#!/usr/bin/env python3
"""Runs the end-to-end tests: run.py [-k PATTERN] [FILE…]

Each function test_* of a file is one test. One that takes an argument gets what the file's own `fixture` context
manager makes, once for all of them. The last line is "N passed, N failed".
"""

import argparse
import contextlib
import importlib.util
import inspect
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import harness  # noqa: E402  (found through the path set above)


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_file(path, pattern):
    """(passed, failed)"""
    module = load(path)
    tests = [(name, test) for name, test in vars(module).items() if name.startswith("test_") and pattern in f"{path.stem}.{name}"]
    counts = [0, 0]
    with contextlib.ExitStack() as stack:
        fixture = None
        if any(inspect.signature(test).parameters for _, test in tests):
            fixture = stack.enter_context(module.fixture())  # what fails here fails the file
        for name, test in tests:
            start = time.monotonic()
            try:
                test(*([fixture] if inspect.signature(test).parameters else []))
                verdict = 0
            except Exception:
                traceback.print_exc(file=sys.stdout)
                for gateway in harness.Gateway.open:
                    print(gateway.report())
                verdict = 1
            counts[verdict] += 1
            print(f"{('ok  ', 'FAIL')[verdict]} {path.stem}.{name} {time.monotonic() - start:.1f} s", flush=True)
    return counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("-k", default="", metavar="PATTERN", help="only tests whose FILE.NAME contains it")
    options = parser.parse_args()
    counts = [run_file(path.resolve(), options.k) for path in options.files or sorted(HERE.glob("test_*.py"))]
    passed, failed = (sum(column) for column in zip(*counts))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
