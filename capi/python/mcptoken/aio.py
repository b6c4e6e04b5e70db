"""The library under asyncio: its loop is driven through its descriptor, no thread is needed.

    async with Gateway(data_dir="/var/lib/gateway") as gateway:
        response = await gateway.request("GET", "/readyz", [("Host", "localhost")])
        print(response.status, await response.read())
"""

import asyncio
import logging
from collections import deque
from typing import Any, AsyncIterable, AsyncIterator, Callable, Deque, Dict, Iterable, List, Optional, Tuple, Union

from .errors import Misuse
from .loop import Loop
from .service import Exchange, Service
from .session import Call, Session

Headers = Iterable[Tuple[str, str]]


class Driver:
    """Turns a library loop whenever it has something to do, from the running asyncio loop."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._asyncio = asyncio.get_running_loop()
        self._fd = loop.fd
        self._timer: Optional[asyncio.TimerHandle] = None
        self._soon: Optional[asyncio.Handle] = None
        self._asyncio.add_reader(self._fd, self._turn)
        self._turn()

    def poke(self) -> None:
        """After any call into the library: a turn, soon."""
        if not self._soon:
            self._soon = self._asyncio.call_soon(self._turn)

    def close(self) -> None:
        """Stops turning it; the loop itself stays."""
        self._asyncio.remove_reader(self._fd)
        for handle in (self._timer, self._soon):
            if handle:
                handle.cancel()
        self._timer = self._soon = None

    def _turn(self) -> None:
        for handle in (self._timer, self._soon):
            if handle:
                handle.cancel()
        self._timer = self._soon = None
        try:
            self.loop.run_once()
        finally:  # what a callback raised goes to asyncio's handler; the loop goes on
            if not self.loop.closed and self._asyncio.is_running():
                seconds = self.loop.timeout()
                if seconds is not None:
                    self._timer = self._asyncio.call_later(seconds, self._turn)


class Calls:
    """Requests of a session that is connected, side by side on the running asyncio loop: no thread, and no call blocks.

        with Session(url, token) as session, Calls(session) as calls:
            one, two = await asyncio.gather(calls.call_tool("a"), calls.request("resources/list"))

    Cancelling the awaiting task cancels the call at the server. What a callback of the session raises goes to asyncio's handler.
    To be closed before the session.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asyncio = asyncio.get_running_loop()
        self._waiting: Dict[Call, "asyncio.Future[None]"] = {}
        self._fd: Optional[int] = session.fd
        self._timer: Optional[asyncio.TimerHandle] = None
        self._asyncio.add_reader(self._fd, self._turn)

    def __enter__(self) -> "Calls":
        return self

    def __exit__(self, *failure: Any) -> None:
        self.close()

    def close(self) -> None:
        """Cancels what is under way; the session stays."""
        fd, self._fd = self._fd, None
        if fd is not None:
            self._asyncio.remove_reader(fd)
            for ended in self._waiting.values():
                ended.cancel()
        self._turn_in(None)

    async def request(self, method: str, params: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        if self._fd is None:
            raise Misuse(-101, "these calls have been closed")
        call = self._session.begin(method, params)
        ended = self._waiting[call] = self._asyncio.create_future()
        self._turn_in(0)
        try:
            await ended
            return call.result()
        finally:
            del self._waiting[call]
            call.close()
            self._turn_in(0)  # what is said of its end goes out

    async def call_tool(self, name: str, arguments: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        return await self.request("tools/call", {"name": name, "arguments": arguments or {}})

    def _turn_in(self, seconds: Optional[float]) -> None:
        if self._timer:
            self._timer.cancel()
        open_ = seconds is not None and self._fd is not None
        self._timer = self._asyncio.call_later(seconds or 0, self._turn) if open_ else None

    def _turn(self) -> None:
        try:
            if not self._session.closed:
                self._session.poll()
        finally:  # what a callback raised goes to asyncio's handler; the calls go on
            for call, ended in list(self._waiting.items()):
                if not ended.done() and call.poll():
                    ended.set_result(None)
            self._turn_in(None if self._session.closed else self._session.timeout())


class Cut(ConnectionError):
    """The answer ended before it was complete: the connection to the client has to be cut, too."""


class Response:
    """An answer as it comes. Close it, or read it to its end: `async for`, read()."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: List[Tuple[str, str]] = []
        self.length = -1  # of the body; -1: a stream
        self._head: "asyncio.Future[None]" = asyncio.get_running_loop().create_future()
        self._pieces: Deque[bytes] = deque()
        self._waiting, self._ended, self._ok = 0, False, False
        self._changed = asyncio.Event()
        self._exchange: Optional[Exchange] = None
        self._poke: Callable[[], None] = lambda: None

    def header(self, name: str) -> Optional[str]:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Pieces of the body. The next one is asked for when the last one has been sent: that is the flow control."""
        try:
            while True:
                if self._pieces:
                    piece = self._pieces.popleft()
                    yield piece
                    self._waiting -= len(piece)
                    if not self._waiting and not self._ended and self._exchange:
                        self._exchange.writable()
                        self._poke()
                elif self._ended:
                    break
                else:
                    self._changed.clear()
                    await self._changed.wait()
            if not self._ok:
                raise Cut("the answer was cut")
        finally:
            self.close()

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self])

    def close(self) -> None:
        """Before its end: the client has gone, and what runs for it is cancelled."""
        exchange, self._exchange = self._exchange, None
        if exchange and not exchange.closed:
            if not self._ended:
                exchange.peer_closed()
            exchange.close()
            self._poke()

    def abandon(self) -> None:
        """close(), and whoever reads it gets Cut."""
        if not self._ended:
            self.close()
            self._sink_end(False)

    # The sink's three, called by the library.

    def _sink_head(self, status: int, headers: List[Tuple[str, str]], length: int) -> None:
        self.status, self.headers, self.length = status, headers, length
        if not self._head.done():
            self._head.set_result(None)

    def _sink_write(self, data: bytes) -> int:
        self._pieces.append(data)
        self._waiting += len(data)
        self._changed.set()
        return self._waiting

    def _sink_end(self, ok: bool) -> None:
        self._ended, self._ok = True, ok
        self._changed.set()
        if not self._head.done():
            self._head.set_exception(Cut("there was no answer"))


class _Sink:
    def __init__(self, response: Response) -> None:
        self.head, self.write, self.end = response._sink_head, response._sink_write, response._sink_end


class Gateway:
    """A service with one loop, on the running asyncio loop. Settings as in mcptoken.Config."""

    def __init__(self, logger: Optional[logging.Logger] = None, grace: float = 5.0, **settings: Any) -> None:
        self._settings, self._logger, self._grace = settings, logger, grace
        self.service: Optional[Service] = None
        self._open = False  # until the loop has drained: before that, what is new is refused with an answer
        self._end: "Optional[asyncio.Future[None]]" = None

    async def __aenter__(self) -> "Gateway":
        # Opening the data directory may take as long as its migration.
        self.service, self._end = await asyncio.to_thread(Service, self._settings, self._logger), None
        self._loop = Loop()
        self.service.attach(self._loop)
        self._driver = Driver(self._loop)
        self._open = True
        return self

    async def __aexit__(self, *failure: Any) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Refuses what is new, lets calls under way finish within the grace, writes everything. Goes on when it is cancelled; called
        again, it waits for the same end."""
        if self._end is None:
            if not self.service:
                return
            self._end = asyncio.ensure_future(self._close())
        await asyncio.shield(self._end)

    async def _close(self) -> None:
        assert self.service
        drained = asyncio.Event()
        self.service.drain(self._loop, self._grace, drained.set)
        self._driver.poke()
        await drained.wait()
        self._open = False
        self._driver.close()
        await asyncio.to_thread(self.service.close)
        self._loop.close()

    async def request(self, method: str, target: str, headers: Headers = (),
                      body: Union[bytes, bytearray, memoryview, AsyncIterable[bytes]] = b"", peer: Optional[str] = None,
                      content_length: Optional[int] = None, tls: bool = False) -> Response:
        """Hands one request in and returns when the answer's head is there. `target`: as it was sent, with the query.

        `content_length`: what the client announced; of bytes, their number when left out. A body that is not wanted, because
        the head was refused, is not read.
        """
        if not self._open or not self.service:
            raise Misuse(-101, "the gateway is not open")
        if isinstance(body, (bytearray, memoryview)):
            body = bytes(body)
        if not isinstance(body, bytes) and not hasattr(body, "__aiter__"):
            raise TypeError(f"a body is bytes, or an asynchronous iterable of them, not {type(body).__name__}")
        if content_length is None:
            content_length = len(body) if isinstance(body, bytes) else -1
        response = Response()
        exchange = Exchange(self.service, self._loop, _Sink(response), method, target, headers, peer, content_length, tls)
        response._exchange, response._poke = exchange, self._driver.poke
        try:
            async for piece in _pieces(body):
                if exchange.answered:
                    break
                exchange.body(piece)
            if not exchange.answered:
                exchange.end()
            self._driver.poke()
            await response._head
        except BaseException:
            response.close()
            raise
        return response


async def _pieces(body: Union[bytes, AsyncIterable[bytes]]) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        if body:
            yield body
    else:
        async for piece in body:
            yield piece
