"""What owns something of the library: released once, by close(), at the end of a `with`, or when nobody has it any more.

Not at the end of the process, which releases everything itself: a thread may be at work with it then, and loops and services that
have not drained still use each other. Nor in a child that was forked: it shares the descriptors with its parent.
"""

import os
import threading
import weakref
from typing import Any, Callable, Tuple, TypeVar

from .errors import Misuse


Self = TypeVar("Self", bound="Handle")


class Handle:
    """`_free` is the name of the release function."""

    _free = ""

    def __init__(self, pointer: Any, needs: Tuple[Any, ...] = (), owned: bool = True) -> None:
        """`needs`: objects that the library expects to live longer than this one, and what it calls, which must not lead back to this one:
        see weakly(). `owned` False: part of the first."""
        from . import _native

        self._pointer = pointer
        self._needs = needs
        self._part_of = None if owned else needs[0]
        free = getattr(_native.lib, self._free) if owned else _keep
        self._finalizer = weakref.finalize(self, _release, free, pointer, tuple(needs), os.getpid())
        self._finalizer.atexit = False

    @property
    def pointer(self) -> Any:
        if not self._finalizer.alive:
            raise Misuse(-101, f"this {type(self).__name__} has been closed")
        if self._part_of is not None:
            self._part_of.pointer  # closed: say so
        return self._pointer

    @property
    def closed(self) -> bool:
        return not self._finalizer.alive

    def close(self) -> None:
        """Releases it; a second time does nothing."""
        self._finalizer()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *failure: Any) -> None:
        self.close()


def weakly(owner: Any, function: Callable[..., Any], fallback: Any = None) -> Callable[..., Any]:
    """`function(owner, …)` for the library to call, without keeping its owner alive. Whoever drops that on another thread leaves the
    library with something to call until the loop's thread has released it."""
    this = weakref.ref(owner)

    def body(*arguments: Any) -> Any:
        one = this()
        return fallback if one is None else function(one, *arguments)

    return body


def _release(free: Callable[[Any], Any], pointer: Any, needs: Tuple[Any, ...], process: int) -> None:
    """What belongs to a loop is released on its thread: the collector may run on any."""
    if process != os.getpid():
        return
    for loop in needs:
        if getattr(loop, "thread", threading.get_ident()) != threading.get_ident() and not loop.closed:
            loop.post(lambda: (free(pointer), needs))
            return
    free(pointer)


def _keep(_pointer: Any) -> None:
    pass
