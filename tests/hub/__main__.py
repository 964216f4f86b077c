"""`python -m hub --root FOLDER`: a Hub on 127.0.0.1 until it is stopped; the port is the first line it writes."""

import argparse
import asyncio
import dataclasses
import sys
from pathlib import Path
from typing import get_args

from aiohttp import web

from hub.app import application
from hub.state import MIB, Hub, Setup, XetMode


def main() -> None:
    parser = argparse.ArgumentParser(prog="hub", description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--xet", choices=get_args(XetMode), default="off")
    parser.add_argument("--multipart", type=int, default=0)
    parser.add_argument("--cdn-host")
    parser.add_argument("--lfs-threshold", type=int, default=10 * MIB)
    parser.add_argument("--attached", action="store_true", help="End when standard input does.")
    options = vars(parser.parse_args())
    setup = Setup(**{field.name: options[field.name] for field in dataclasses.fields(Setup)})
    asyncio.run(serve(setup, options["port"], options["attached"]))


async def serve(setup: Setup, port: int, attached: bool) -> None:
    runner = web.AppRunner(application(Hub(setup)), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    if attached:
        await asyncio.to_thread(sys.stdin.read)
    else:
        await asyncio.Event().wait()
    await runner.cleanup()


if __name__ == "__main__":
    main()
