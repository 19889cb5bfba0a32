"""The bare hop's queue: takes POST /publish/PATH or /batch, answers at once, signs and delivers until there is a 200.

python -m tests.bench.peers.floor_queue PORT APP_PORT
"""

import asyncio
import json
import sys

import uvloop

from tests.bench.peers.bare_http import BareClient, BareServer, Reply
from tests.bench.peers.peer import LOOPBACK
from tests.bench.peers.signing import sign

RETRIES = 200
RETRY_SECONDS = 0.1
ANSWER = b'{"messageId":"msg_26hZCxZCuWyyTWPmSVBrNC1RADwpgWxPcak2rQD51EMjFMuzcW7qYXpPiDyw8Gd"}'


async def serve(port: int, app_port: int) -> None:
    client, loop = BareClient(LOOPBACK, app_port), asyncio.get_running_loop()
    live: set[asyncio.Task[None]] = set()

    async def deliver(path: bytes, body: bytes) -> None:
        for _ in range(RETRIES):
            try:
                status, _ = await client.post(path, body, b"upstash-signature: %b\r\n" % sign(body))
            except OSError:
                status = 0
            if status == 200:
                return
            await asyncio.sleep(RETRY_SECONDS)

    def push(path: bytes, body: bytes) -> None:
        task = loop.create_task(deliver(path, body))
        live.add(task)
        task.add_done_callback(live.discard)

    def handle(head: bytes, body: bytes, reply: Reply) -> None:
        path = head[5 : head.index(b" ", 5)]
        if path == b"/batch":
            for item in json.loads(body):
                push(b"/hop", json.dumps(item).encode())
        else:
            push(path.removeprefix(b"/publish"), body)
        reply(ANSWER)

    server = await loop.create_server(lambda: BareServer(handle), LOOPBACK, port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(*map(int, sys.argv[1:])))
