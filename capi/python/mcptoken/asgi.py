"""The gateway as an ASGI application: under uvicorn or hypercorn, or mounted in Starlette and FastAPI.

    app = mcptoken.asgi.App(data_dir="/var/lib/gateway")

The server has to pass the path as it was sent (`raw_path`), and `Host`. Run one worker: a data directory has one owner. Who mounts it
has it opened, since no server asks a mounted application to start:

    @contextlib.asynccontextmanager
    async def lifespan(_):
        async with app.gateway:
            yield

    outer = fastapi.FastAPI(lifespan=lifespan)
    outer.mount("/gateway", app)
"""

import asyncio
import logging
import urllib.parse
from typing import Any, AsyncIterator, Awaitable, Callable, MutableMapping, Optional

from .aio import Cut, Gateway, Response

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class App:
    """Opens its gateway at the server's start and drains it at the end. Settings as in mcptoken.Config."""

    def __init__(self, logger: Optional[logging.Logger] = None, grace: float = 5.0, **settings: Any) -> None:
        self.gateway = Gateway(logger, grace, **settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            raise NotImplementedError(f"the gateway speaks HTTP, not {scope['type']}")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.gateway.__aenter__()
        except Exception as failure:
            await send({"type": "lifespan.startup.failed", "message": str(failure)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.gateway.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = _target(scope)
        query = scope.get("query_string", b"").decode("latin-1")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        length = next((_length(value) for name, value in headers if name.lower() == "content-length" and value.isdecimal()), -1)
        client = scope.get("client")
        body, response, watcher = _Body(receive), None, None
        try:
            response = await self.gateway.request(scope["method"], target + ("?" + query if query else ""), headers,
                                                  body.pieces(), client[0] if client else None, length,
                                                  scope.get("scheme") == "https")
            watcher = asyncio.ensure_future(_close_when_gone(body, response))
            await _send(response, send)
        except Cut:
            if not body.gone:
                raise  # the server cuts the connection
        finally:
            if watcher:
                watcher.cancel()
            if response:
                response.close()


def _target(scope: Scope) -> str:
    """The path as it was sent, without that at which the application is mounted."""
    target = (scope.get("raw_path") or urllib.parse.quote(scope["path"]).encode()).decode("latin-1")
    mounted = urllib.parse.quote(scope.get("root_path", "").rstrip("/"))
    return target[len(mounted):] or "/" if (target + "/").startswith(mounted + "/") else target


def _length(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= 18 else 10**18  # too much, however much it is


async def _send(response: Response, send: Send) -> None:
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    if response.length >= 0:
        fields.append((b"content-length", str(response.length).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": fields})
    async for piece in response:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


class _Body:
    def __init__(self, receive: Receive) -> None:
        self._receive, self._complete, self.gone = receive, False, False

    async def pieces(self) -> AsyncIterator[bytes]:
        while not self._complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                raise Cut("the client has gone")
            self._complete = not message.get("more_body", False)
            yield message.get("body", b"")

    async def until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True


async def _close_when_gone(body: _Body, response: Response) -> None:
    await body.until_gone()
    response.abandon()
