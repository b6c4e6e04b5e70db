"""What owns something of the library: released once, by close(), at the end of a `with`, or when nobody has it any more."""

import threading
import weakref

from .errors import Misuse


class Handle:
    """`_free` is the name of the release function."""

    _free = ""

    def __init__(self, pointer, needs=(), owned=True):
        """`needs`: objects that the library expects to live longer than this one. `owned` False: part of one of them."""
        from . import _native

        self._pointer = pointer
        self._needs = needs
        self._part_of = None if owned else needs[0]
        # The function is looked up now: at the interpreter's end modules may be gone.
        self._finalizer = weakref.finalize(self, _release, getattr(_native.lib, self._free) if owned else _keep, pointer, tuple(needs))

    @property
    def pointer(self):
        if not self._finalizer.alive:
            raise Misuse(-101, f"this {type(self).__name__} has been closed")
        if self._part_of is not None:
            self._part_of.pointer  # closed: say so
        return self._pointer

    @property
    def closed(self):
        return not self._finalizer.alive

    def close(self):
        """Releases it; a second time does nothing."""
        self._finalizer()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()


def _release(free, pointer, needs):
    """What belongs to a loop is released on its thread: the collector may run on any."""
    for loop in needs:
        if getattr(loop, "thread", threading.get_ident()) != threading.get_ident() and not loop.closed:
            loop.post(lambda: free(pointer))
            return
    free(pointer)


def _keep(_pointer):
    pass
