"""A program of a user's who has his types checked: read by mypy --strict, never run. What is Any or None in it would be found."""

import asyncio
from typing import Dict, List, Optional, Tuple

import mcptoken
from mcptoken import Client, Config, Loop, Service, Session, Stream, rbac, stage, token


def whose(url: str, raw: str) -> Tuple[str, bool]:
    with mcptoken.verify(url, raw) as known:
        return known.token_name, known.rights.can_use_tool("files", "read")


def tools(url: str, raw: str) -> List[str]:
    with Session(url, raw, timeout=5) as session:
        session.introduce("typed", "1")
        return [tool["name"] for tool in session.list_tools()]


def polled(url: str) -> Optional[str]:
    with Session(url) as session:
        call: mcptoken.Call = session.begin("tools/call", {"name": "a"})
        wait: Optional[float] = session.timeout()
        if not call.poll() and wait is None and session.fd < 0 and not session.poll():
            call.cancel()
        return str(call.result()["content"])


async def calls(url: str) -> int:
    with Session(url) as session, mcptoken.aio.Calls(session) as one:
        answer = await one.call_tool("a", {"x": 1})
        return len(answer) + len(await one.request("ping"))


def status(url: str) -> int:
    with Client(url) as client, Stream(url) as stream:
        stream.send("GET", [("Accept", "text/plain")])
        return client.http_status + stream.status + stream.next(1).what


def pure() -> Tuple[str, bool, Optional[float], Dict[str, str]]:
    return token.sha(token.generate()), token.equal("a", b"a"), token.parse_ttl("1h"), rbac.parse_binding("action:logs")


def document(text: str) -> List[str]:
    with mcptoken.json.Document(text) as parsed:
        return parsed.root.keys() + [item.text() for item in parsed.root]


def shout(call: stage.StageCall) -> stage.Answer:
    return call.content.upper() if call.about["project"] else stage.LATER


class Kept:
    """A sink."""

    def __init__(self) -> None:
        self.status, self.body = 0, b""

    def head(self, status: int, headers: List[Tuple[str, str]], length: int) -> None:
        self.status = status

    def write(self, data: bytes) -> None:
        self.body += data

    def end(self, ok: bool) -> None:
        pass


def turn(config: Config) -> bytes:
    with Service(config) as service, Loop() as loop:
        service.attach(loop)
        sink = Kept()
        exchange: mcptoken.Exchange = mcptoken.Exchange(service, loop, sink, "GET", "/readyz")
        timer: mcptoken.Timer = mcptoken.Timer(loop, loop.stop)
        timer.start(0.5)
        exchange.end()
        return sink.body


async def gateway() -> bytes:
    async with mcptoken.aio.Gateway(data_dir="state", stages={"shout": shout}) as one:
        response = await one.request("GET", "/readyz")
        first: Optional[str] = response.header("content-type")
        pieces = [piece async for piece in response]
        return (first or "").encode() + b"".join(pieces)


def failure() -> int:
    try:
        asyncio.run(gateway())
    except mcptoken.Error as known:
        return known.status + known.http_status + len(known.hint + known.data)
    return 0
