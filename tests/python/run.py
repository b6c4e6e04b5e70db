"""The package mcptoken in this tree, on the library of this build: every test_*.py beside this file, in one process.

    run.py LIBRARY SOURCE-ROOT [unittest arguments]

Whether every function was called is asked at the end, so a selection of tests does not ask.
"""

import os
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARY, ROOT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
CALLED = set()


def record(lib, name):
    """What is called through the library from now on leaves its name."""
    function = getattr(lib, name)

    def recorded(*arguments):
        CALLED.add(name)
        return function(*arguments)

    recorded.argtypes, recorded.restype = function.argtypes, function.restype
    setattr(lib, name, recorded)


def load_tests(loader, tests, pattern):
    """unittest's own hook: all files, then the question."""
    suite = unittest.TestSuite()
    for path in sorted(HERE.glob("test_*.py")):
        suite.addTests(loader.loadTestsFromName(path.stem))
    suite.addTests(loader.loadTestsFromTestCase(Coverage))
    return suite


class Coverage(unittest.TestCase):
    def test_every_function_was_called(self):
        missing = set(mcptoken._native.PROTOTYPES) - CALLED
        self.assertEqual(sorted(missing), [])


if __name__ == "__main__":
    os.environ["MCPTOKEN_LIBRARY"] = str(LIBRARY)
    os.environ["MCPTOKEN_SOURCE"] = str(ROOT)
    sys.path[:0] = [str(HERE), str(ROOT / "capi/python")]
    import mcptoken._native

    for one in mcptoken._native.PROTOTYPES:
        record(mcptoken._native.lib, one)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
