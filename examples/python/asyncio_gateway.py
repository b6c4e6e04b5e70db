"""The whole gateway inside an asyncio program, behind a small HTTP server of its own.

    asyncio_gateway.py DATA-DIR [PORT]

Prints its address; ends with SIGTERM or Ctrl-C, when the calls under way have finished. One request a connection, which keeps
the example short: a real server would put mcptoken.asgi.App under uvicorn or hypercorn.
"""

import asyncio
import logging
import signal
import sys

import mcptoken

HEAD_LIMIT, BODY_LIMIT, PATIENCE_S = 64 * 1024, 16 * 1024 * 1024, 30


class Bad(Exception):
    """A request that is not HTTP as this server understands it: (status, reason)."""


def parse(head):
    """(method, target, headers, length of the body)."""
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    parts, headers = first.split(" "), []
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise Bad(400, "Bad Request")
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or "\0" in line:
            raise Bad(400, "Bad Request")
        headers.append((name, value.strip()))
    if any(name.lower() == "transfer-encoding" for name, _ in headers):
        raise Bad(411, "Length Required")
    lengths = {value for name, value in headers if name.lower() == "content-length"}
    if len(lengths) > 1 or not all(one.isascii() and one.isdigit() for one in lengths):
        raise Bad(400, "Bad Request")
    length = int(lengths.pop()) if lengths else 0
    if length > BODY_LIMIT:
        raise Bad(413, "Content Too Large")
    return parts[0], parts[1], headers, length


async def body_of(reader, length):
    while length:
        piece = await asyncio.wait_for(reader.read(min(length, 65536)), PATIENCE_S)
        if not piece:
            raise mcptoken.aio.Cut("the client has gone")
        length -= len(piece)
        yield piece


async def send(response, writer):
    stream = response.length < 0
    fields = [f"{name}: {value}\r\n" for name, value in response.headers]
    fields.append("Transfer-Encoding: chunked\r\n" if stream else f"Content-Length: {response.length}\r\n")
    writer.write(f"HTTP/1.1 {response.status} -\r\n{''.join(fields)}Connection: close\r\n\r\n".encode("latin-1"))
    await writer.drain()
    async for piece in response:
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if stream else piece)
        await writer.drain()  # before the next piece: a slow client slows the gateway down, for this request
    if stream:
        writer.write(b"0\r\n\r\n")


async def watch(reader, response):
    """A client that hangs up ends what runs for it."""
    while await reader.read(4096):
        pass
    response.abandon()


async def serve(gateway, reader, writer):
    response = watcher = None
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        method, target, headers, length = parse(head)
        peer = writer.get_extra_info("peername")[0]
        response = await gateway.request(method, target, headers, body_of(reader, length), peer, length)
        watcher = asyncio.ensure_future(watch(reader, response))
        await send(response, writer)
    except Bad as bad:
        writer.write("HTTP/1.1 {} {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".format(*bad.args).encode())
    except (asyncio.LimitOverrunError, asyncio.IncompleteReadError, asyncio.TimeoutError, ConnectionError):
        pass  # the connection is cut below
    finally:
        if watcher:
            watcher.cancel()
        if response:
            response.close()
        writer.close()


def count_words(call):
    """A content stage of our own, on a thread of the library's: a proxy model names it {type: count-words}."""
    return f"{len(call.content.split())} words\n{call.content}"


async def main(data_dir, port):
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stages = {"count-words": (count_words, "1")}
    async with mcptoken.aio.Gateway(logging.getLogger("gateway"), data_dir=data_dir, stages=stages) as gateway:
        server = await asyncio.start_server(lambda *ends: serve(gateway, *ends), "127.0.0.1", port, limit=HEAD_LIMIT)
        async with server:
            print("http://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
            await stop.wait()
            server.close()


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 0))
