"""The limit beside the webhook: the same server, which reads the body and answers 200."""

import asyncio
import sys

import uvicorn
import uvloop

from producer.webhook import Receive, Scope, Send
from producer.webhook_answers import STORED
from producer.webhook_service import server_config


async def answer(_scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, look at nothing, answer as if it were stored."""
    while (await receive())["more_body"]:
        pass
    await send(STORED.start)
    await send(STORED.body)


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    config = server_config(answer, answer_seconds_max=1)
    config.host, config.port = "127.0.0.1", port
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1])))
