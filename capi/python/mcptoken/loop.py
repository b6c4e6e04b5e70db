"""The library's event loop, to run in a thread of its own or to drive from another loop through its descriptor.

Foreign loops: run_once() after making it and after any call into the library, wait until `fd` is readable or `timeout()` has
passed, run_once(), repeat. mcptoken.aio does so for asyncio.
"""

import enum
import threading
import weakref
from ctypes import c_void_p
from typing import Any, Callable, Dict, Optional, Protocol, Union

from . import _native
from ._handle import Handle, weakly
from .errors import Misuse, call, raise_for


class Events(enum.IntFlag):
    NONE = 0
    READABLE = 1
    WRITABLE = 2
    DISCONNECT = 4


class Loop(Handle):
    """One thread's, except post() and stop(). Closing it closes its timers and watches.

    What a callback raises ends the turn's call in Python: it comes out of run() or run_once().
    """

    _free = "mcptoken_loop_free"

    def __init__(self) -> None:
        super().__init__(call(_native.lib.mcptoken_loop_new))
        self.thread = threading.get_ident()
        self._made: "weakref.WeakSet[Handle]" = weakref.WeakSet()
        self._failure: Optional[BaseException] = None
        self._running = False
        self._posted: Dict[int, Callable[[], Any]] = {}
        self._next = 1
        self._lock = threading.Lock()
        this = weakref.ref(self)
        # One trampoline for all posts; the number in user_data says which.
        self._run_posted = _native.LoopFn(lambda number: _run_posted(this, number))

    @property
    def fd(self) -> int:
        """Readable when there is something to do."""
        return int(_native.lib.mcptoken_loop_fd(self.pointer))

    def fileno(self) -> int:
        return self.fd

    def timeout(self) -> Optional[float]:
        """Seconds to wait at most; None: no limit."""
        ms = int(_native.lib.mcptoken_loop_timeout(self.pointer))
        return None if ms < 0 else ms / 1000

    def run_once(self) -> None:
        """Does what is due without waiting."""
        _native.lib.mcptoken_loop_run_once(self.pointer)
        self._raise()

    def run(self) -> None:
        """Until stop(). Python's signal handlers wait until it returns: drive it from asyncio where Ctrl-C has to work."""
        self._running = True
        try:
            _native.lib.mcptoken_loop_run(self.pointer)
        finally:
            self._running = False
        self._raise()

    def set_busy_poll(self, seconds: float) -> None:
        """Lets run() look again for up to so long, at most 0.01, before it sleeps, where events use to come within it; 0: never."""
        _native.lib.mcptoken_loop_set_busy_poll(self.pointer, int(seconds * 1_000_000))

    def stop(self) -> None:
        """Makes run() return. Any thread."""
        _native.lib.mcptoken_loop_stop(self.pointer)

    def post(self, callback: Callable[[], Any]) -> None:
        """Runs `callback` on the loop's thread, in order of posting. Any thread."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._posted[number] = callback
        status = _native.lib.mcptoken_loop_post(self.pointer, self._run_posted, c_void_p(number))
        if status < 0:
            self._posted.pop(number, None)
            raise_for(status)

    def guarded(self, function: Callable[..., Any], fallback: Any = None) -> Callable[..., Any]:
        """`function` for the library to call: what it raises is kept for run() or run_once(), and stops run()."""
        this = weakref.ref(self)

        def body(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except BaseException as failure:
                loop = this()
                if loop is None or loop.closed:
                    raise  # ctypes reports it
                loop._failure = loop._failure or failure
                if loop._running:
                    loop.stop()
                return fallback

        return body

    def close(self) -> None:
        for one in list(self._made):
            one.close()
        super().close()

    def _raise(self) -> None:
        if self._failure:
            failure, self._failure = self._failure, None
            raise failure


def _run_posted(this: "weakref.ref[Loop]", number: int) -> None:
    loop = this()
    if loop:
        loop.guarded(loop._posted.pop(number))()


class HasFileno(Protocol):
    def fileno(self) -> int: ...


class Watch(Handle):
    """Calls `callback(Events)` when `fd` (a number, or what has fileno()) is ready. The descriptor stays open until close().

    The loop's thread. Keep a reference: it ends with the object.
    """

    _free = "mcptoken_watch_free"

    def __init__(self, loop: Loop, fd: Union[int, HasFileno], events: Events, callback: Callable[[Events], Any]) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        self._call = callback
        self._callback = _native.WatchFn(loop.guarded(weakly(self, lambda watch, _, seen: watch._call(Events(seen)))))
        super().__init__(call(_native.lib.mcptoken_watch_new, loop.pointer, _native.whole(number, 32), int(events), self._callback, None),
                         (loop, self._callback))
        loop._made.add(self)

    def change(self, events: Events) -> None:
        """Events.NONE: pause."""
        _native.lib.mcptoken_watch_change(self.pointer, int(events))

    def expect(self) -> None:
        """Something to read will come next, and soon: a loop that polls (set_busy_poll) calls back without asking the system first.

        `callback` must be able to find nothing. Until another watch says so, or for as long as one look takes.
        """
        _native.lib.mcptoken_watch_expect(self.pointer)


class Timer(Handle):
    """A stopped timer. The loop's thread. Keep a reference: it ends with the object."""

    _free = "mcptoken_timer_free"

    def __init__(self, loop: Loop, callback: Callable[[], Any]) -> None:
        self._call = callback
        self._callback = _native.LoopFn(loop.guarded(weakly(self, lambda timer, _: timer._call())))
        super().__init__(call(_native.lib.mcptoken_timer_new, loop.pointer, self._callback, None), (loop, self._callback))
        loop._made.add(self)

    def start(self, delay: float, repeat: float = 0) -> None:
        """(Re)starts it, in seconds; repeat 0: once."""
        _native.lib.mcptoken_timer_start(self.pointer, _native.milliseconds(delay), _native.milliseconds(repeat))

    def stop(self) -> None:
        _native.lib.mcptoken_timer_stop(self.pointer)


def require_thread(loop: Loop, what: str) -> None:
    if loop.thread != threading.get_ident():
        raise Misuse(-101, f"{what}: only on the thread of its loop")
