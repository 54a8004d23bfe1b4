"""The `archnest` command.

Exit 0 done, 1 failed with one plain line on stderr, 2 wrong usage.
"""

import argparse
import asyncio
import getpass
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from archnest import __version__, app, openapi
from archnest.accounts_admin import AccountsAdmin, check_username
from archnest.api.routes import ROUTES
from archnest.assets import asset_dir
from archnest.config import Config, load
from archnest.errors import Problem, StartRefused
from archnest.store.backup import backup, restore
from archnest.store.database import DATABASE_NAME
from archnest.store.lock import DataFolderLock
from archnest.store.migrate import migrate, migrations
from archnest.tokens_admin import TokensAdmin, check_host_id

MAX_PASSWORD_LINE_BYTES = 8_192
"""More than the longest password takes in UTF-8; a cut line is still too long."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], None] = options.run
    try:
        run(options)
        sys.stdout.flush()
    except (StartRefused, Problem) as error:
        return _fail(str(error))
    except BrokenPipeError:
        return _without_reader()
    except OSError as error:
        return _fail(f"{error.filename or 'failed'}: {error.strerror or error}")
    except UnicodeError:
        return _fail("a name is not text in this terminal's character set")
    except KeyboardInterrupt:
        return _fail("interrupted")
    return 0


def _fail(line: str) -> int:
    _drop_output()
    print(f"archnest: {printable(' '.join(line.split()))}", file=sys.stderr)
    return 1


def _without_reader() -> int:
    """Whoever read our output has seen enough, as in `archnest openapi | head`."""
    _drop_output()
    return 1


def _drop_output() -> None:
    """Flush what was printed; what cannot be must not fail again when Python exits."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text: str) -> str:
    """The text with everything escaped that could move a terminal's cursor."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="archnest", description="Self-hosted Docker monitoring that agents push to."
    )
    parser.add_argument("--version", action="version", version=f"archnest {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    serve = _command(commands, "serve", _serve, "run the server")
    serve.add_argument("--listen", metavar="HOST:PORT", help="overrides ARCHNEST_LISTEN")
    _command(commands, "migrate", _migrate, "apply pending migrations and exit")
    copy = _command(commands, "backup", _backup, "write a consistent copy of the database")
    copy.add_argument("file", metavar="FILE", type=Path, help="must not exist yet")
    back = _command(commands, "restore", _restore, "put a backup in the database's place")
    back.add_argument("file", metavar="FILE", type=Path, help="what `backup` wrote")
    _command(commands, "openapi", _openapi, "print the OpenAPI document", data_dir=False)
    user = commands.add_parser("user", help="local accounts, also while the server runs")
    _add_user_commands(user.add_subparsers(title="commands", metavar="COMMAND", required=True))
    token = commands.add_parser("token", help="agents' own tokens, also while the server runs")
    _add_token_commands(token.add_subparsers(title="commands", metavar="COMMAND", required=True))
    return parser


def _add_user_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add = _command(commands, "add", _user_add, "add an account")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", choices=["admin", "member"], default="member")
    _add_password_option(add)
    _command(commands, "list", _user_list, "list the accounts")
    passwd = _command(commands, "passwd", _user_passwd, "set a password, ending the sessions")
    passwd.add_argument("name", metavar="NAME")
    _add_password_option(passwd)
    remove = _command(commands, "remove", _user_remove, "remove an account")
    remove.add_argument("name", metavar="NAME")


def _add_token_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    create = _command(commands, "create", _token_create, "make a token that reports for one host")
    create.add_argument("host_id", metavar="HOSTID")
    _command(commands, "list", _token_list, "list the tokens")
    revoke = _command(commands, "revoke", _token_revoke, "end a token with its next report")
    revoke.add_argument("token_id", metavar="ID", help="as `token list` shows it")


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], None],
    text: str,
    *,
    data_dir: bool = True,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run)
    if data_dir:
        command.add_argument("--data-dir", metavar="DIR", help="overrides ARCHNEST_DATA_DIR")
    return command


def _add_password_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--password-stdin", action="store_true", help="read the password's line from stdin"
    )


def _config(options: argparse.Namespace) -> Config:
    listen = getattr(options, "listen", None)
    return load(os.environ, listen=listen, data_dir=options.data_dir)


def _serve(options: argparse.Namespace) -> None:
    app.serve(_config(options))


def _migrate(options: argparse.Namespace) -> None:
    config = app.prepared(_config(options))
    with DataFolderLock(config.data_dir):
        applied = migrate(config.data_dir / DATABASE_NAME, asset_dir("migrations"))
    for name in applied:
        print(f"applied {name}")
    if not applied:
        print("nothing to apply")


def _backup(options: argparse.Namespace) -> None:
    backup(_config(options).data_dir / DATABASE_NAME, options.file)
    print(f"wrote {printable(str(options.file))}")


def _restore(options: argparse.Namespace) -> None:
    config = app.prepared(_config(options))
    with DataFolderLock(config.data_dir):
        newest = len(migrations(asset_dir("migrations")))
        kept = restore(options.file, config.data_dir / DATABASE_NAME, newest)
    print(f"restored {printable(str(options.file))}")
    if kept is not None:
        print(f"what was there is kept as {printable(str(kept))}")


def _openapi(options: argparse.Namespace) -> None:
    json.dump(openapi.document(ROUTES), sys.stdout, indent=2)
    print()


def _user_add(options: argparse.Namespace) -> None:
    check_username(options.name)
    password = _new_password(options)
    admin = _admin(options, may_create=True)
    account = asyncio.run(admin.add(options.name, password, options.role))
    print(f"added {account.username} ({account.role})")


def _user_list(options: argparse.Namespace) -> None:
    for account in asyncio.run(_admin(options).list()):
        last = account.last_login_at or "never"
        print(f"{account.username}\t{account.role}\tlast signed in: {last}")


def _user_passwd(options: argparse.Namespace) -> None:
    check_username(options.name)
    password = _new_password(options)
    account = asyncio.run(_admin(options).set_password(options.name, password))
    print(f"changed the password of {account.username}")


def _user_remove(options: argparse.Namespace) -> None:
    check_username(options.name)
    asyncio.run(_admin(options).remove(options.name))
    print(f"removed {options.name}")


def _token_create(options: argparse.Namespace) -> None:
    check_host_id(options.host_id)
    print(asyncio.run(TokensAdmin(_folder(options, may_create=True)).create(options.host_id)))
    print("It is shown only now: it is the agent's ARCHNEST_AGENT_TOKEN.", file=sys.stderr)


def _token_list(options: argparse.Namespace) -> None:
    for token in asyncio.run(TokensAdmin(_folder(options)).list()):
        used = f"last used: {token.last_used_at or 'never'}"
        if token.last_address:
            used += f" from {token.last_address}"
        state = f"revoked: {token.revoked_at}" if token.revoked_at else used
        print(f"{token.id}\t{token.host_id}\tcreated: {token.created_at}\t{state}")


def _token_revoke(options: argparse.Namespace) -> None:
    asyncio.run(TokensAdmin(_folder(options)).revoke(options.token_id))
    print(f"revoked {options.token_id}")


def _admin(options: argparse.Namespace, *, may_create: bool = False) -> AccountsAdmin:
    return AccountsAdmin(_folder(options, may_create=may_create))


def _folder(options: argparse.Namespace, *, may_create: bool = False) -> Config:
    """The settings with the data folder prepared; raises StartRefused where there is none."""
    config = _config(options)
    database = config.data_dir / DATABASE_NAME
    if not may_create and not database.is_file():
        raise StartRefused(f"there is no database at {database}: name its folder with --data-dir")
    return app.prepared(config)


def _new_password(options: argparse.Namespace) -> str:
    """The password's line from stdin, or typed twice; raises StartRefused."""
    if not options.password_stdin and not sys.stdin.isatty():
        raise StartRefused("no terminal to ask for the password: use --password-stdin")
    try:
        password = _piped_password() if options.password_stdin else _typed_password()
        password.encode()
    except UnicodeError:
        raise StartRefused("the password is not UTF-8 text") from None
    except EOFError:
        raise StartRefused("no password was given") from None
    return password


def _piped_password() -> str:
    line = sys.stdin.buffer.readline(MAX_PASSWORD_LINE_BYTES)
    if not line:
        raise EOFError
    return line.decode().rstrip("\r\n")


def _typed_password() -> str:
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise StartRefused("the two passwords differ")
    return password
