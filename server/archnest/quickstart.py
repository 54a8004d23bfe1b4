"""What `make run` starts: the server and, where there is an engine, this machine's agent.

The data folder is ./data unless the settings name another, and the agent
token is generated there on the first start. Both children get their secrets
through the environment. SIGINT and SIGTERM end both within STOP_S.
"""

import asyncio
import contextlib
import ipaddress
import os
import shlex
import signal
import socket
import sys
from asyncio.subprocess import Process
from pathlib import Path

from archnest import children, local_agent
from archnest.children import Server
from archnest.config import Config, generated_once, load
from archnest.errors import StartRefused
from archnest.local_agent import NoEngine

STOP_S = 4.5


def main() -> int:
    """Run until a signal or the server's end; returns the exit code."""
    os.umask(0o077)
    try:
        config = load(os.environ, fallback_dir="data")
        token = config.agent_token or _kept_token(config.data_dir)
    except StartRefused as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"the data folder cannot be used: {error.filename}: {error.strerror}")
    return asyncio.run(_run(config, token))


def _kept_token(data_dir: Path) -> str:
    """The agent token of this data folder, made up on the first start."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / "agent-token"
    token = generated_once(path).decode("ascii", "replace")
    if not token:
        raise StartRefused(f"{path} is empty; delete it")
    return token


async def _run(config: Config, token: str) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    settings = {"ARCHNEST_AGENT_TOKEN": token, "ARCHNEST_DATA_DIR": str(config.data_dir)}
    server = await Server.start({**os.environ, **settings})
    started = [server.process]
    asked = asyncio.create_task(stopping.wait())
    ended = asyncio.create_task(server.process.wait())
    agent = asyncio.create_task(_look_after_agent(server, config, token, started))
    try:
        await asyncio.wait({asked, ended}, return_when=asyncio.FIRST_COMPLETED)
        died = not asked.done()
    finally:
        agent.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await agent
        asked.cancel()
        await children.stop(started, within_s=STOP_S)
    code = children.exit_code(server.process)
    # Nothing asked it to end, so even a polite end is a failure.
    return code or 1 if died else code


async def _look_after_agent(
    server: Server, config: Config, token: str, started: list[Process]
) -> None:
    """Start the agent once the server listens, and say so when it ends by itself."""
    await server.listening.wait()
    host = local_agent.host_id(os.environ)
    try:
        cli = await local_agent.find_engine(os.environ)
    except NoEngine as reason:
        print(f"This machine's containers are not shown: {reason}.")
        _announce(config, token)
        return
    print(f"This machine's containers are shown as host {host}: {cli}, every 30 s.")
    _announce(config, token)
    environ = dict(os.environ)
    if config.tls_cert:
        environ.setdefault("ARCHNEST_CA_FILE", str(config.tls_cert))
    process = await local_agent.start(cli, _address(config, local=True), token, host, environ)
    started.append(process)
    code = await process.wait()
    print(f"This machine's agent ended (exit code {code}); the server goes on.", flush=True)


def _announce(config: Config, token: str) -> None:
    address = _address(config, local=False)
    print(
        "Add another host with this line, run on it:\n\n"
        f"  curl -fsS {address}/agent/{local_agent.AGENT} -o {local_agent.AGENT} &&"
        f" ARCHNEST_URL={address} ARCHNEST_AGENT_TOKEN={shlex.quote(token)}"
        f' ARCHNEST_HOST_ID="$(hostname)" bash {local_agent.AGENT} --loop'
        f" {local_agent.INTERVAL_S}\n"
    )
    if _is_loopback(config.listen_host):
        print(
            f"{config.listen_host} is reachable from this machine only. For other machines stop"
            " this (Ctrl-C) and start it with\n\n"
            f"  ARCHNEST_LISTEN=0.0.0.0:{config.listen_port} make run\n\n"
            "which prints the line with this machine's address."
        )
    print("Ctrl-C stops everything.", flush=True)


def _address(config: Config, *, local: bool) -> str:
    """The server's base URL as this machine, or as the others, reach it."""
    host = config.listen_host
    if host in ("0.0.0.0", "::"):
        loopback = "127.0.0.1" if host == "0.0.0.0" else "::1"
        host = loopback if local else _own_address()
    if ":" in host:
        host = f"[{host}]"
    return f"{config.scheme}://{host}:{config.listen_port}{config.base_path.rstrip('/')}"


def _own_address() -> str:
    """The address that this machine's default route starts from, else its name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket only chooses a route; nothing is sent.
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _fail(line: str) -> int:
    print(f"archnest: {line}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
