"""`archnest serve` with a clock in its event loop: how long anyone had to wait for it.

    python -m tests.faults.ticking FILE serve …

Counted is the loop's own work between two ticks, in CPU time, so that a busy
machine makes it no longer. Each tick that came late is a line of FILE, in milliseconds.
"""

import asyncio
import sys
import time
from pathlib import Path

from archnest import app, cli

EVERY_S = 0.002
LATE_S = 0.03

make_loop = app.loop_factory() or asyncio.new_event_loop


def ticking_loop() -> asyncio.AbstractEventLoop:
    """The server's own kind of loop, with the clock."""
    loop = make_loop()
    late = Path(sys.argv[1]).open("a", buffering=1)  # noqa: SIM115

    def tick(worked_s: float) -> None:
        now_s = time.thread_time()
        if now_s - worked_s > LATE_S:
            print(round((now_s - worked_s) * 1000), file=late)
        loop.call_later(EVERY_S, tick, now_s)

    loop.call_soon(lambda: tick(time.thread_time()))
    return loop


if __name__ == "__main__":
    app.loop_factory = lambda: ticking_loop
    sys.exit(cli.main(sys.argv[2:]))
