"""The least an aiohttp server can do: read a body and answer, or just answer."""

import sys

from aiohttp import web

from archnest.app import SERVER_OPTIONS, loop_factory


async def read(request: web.Request) -> web.Response:
    """Read the same body that a report has."""
    await request.read()
    return web.Response(body=b"{}", content_type="application/json")


async def answer(request: web.Request) -> web.Response:
    """Do nothing at all."""
    return web.Response(body=b"{}", content_type="application/json")


def main() -> None:
    """Serve on the loopback port given, with the server's own options."""
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/read", read)
    app.router.add_get("/answer", answer)
    factory = loop_factory()
    loop = factory() if factory else None
    web.run_app(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        print=lambda _: None,
        loop=loop,
        **SERVER_OPTIONS,
    )


if __name__ == "__main__":
    main()
