"""Migrations: in order, each once, each whole."""

import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from archnest.assets import asset_dir
from archnest.errors import StartRefused
from archnest.store.migrate import migrate, statements

DATABASES = Path(__file__).parent / "databases"


def schema(database: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(database)
    rows = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    connection.close()
    return rows


def test_a_fresh_database_gets_everything_once(tmp_path: Path) -> None:
    database = tmp_path / "new.db"
    assert migrate(database, asset_dir("migrations"))[0] == "0001_initial.sql"
    assert migrate(database, asset_dir("migrations")) == []
    assert stat.S_IMODE(database.stat().st_mode) == 0o600


@pytest.mark.parametrize("old", sorted(DATABASES.glob("*.sql")), ids=lambda path: path.stem)
def test_every_released_schema_upgrades_to_the_fresh_one(tmp_path: Path, old: Path) -> None:
    upgraded, fresh = tmp_path / "old.db", tmp_path / "fresh.db"
    connection = sqlite3.connect(upgraded)
    connection.executescript(old.read_text())
    connection.close()
    migrate(upgraded, asset_dir("migrations"))
    migrate(fresh, asset_dir("migrations"))
    assert schema(upgraded) == schema(fresh)
    connection = sqlite3.connect(upgraded)
    assert connection.execute("SELECT host_id FROM docker_agent_reports").fetchall()
    connection.close()


def test_gone_containers_kept_in_their_hosts_row_get_rows_of_their_own(tmp_path: Path) -> None:
    database = tmp_path / "old.db"
    web = '{"id":"w","name":"<Ünï>","labels":{"a":null,"b":1.50}}'
    job = '{"id":"j","name":"job"}'
    nul = '{"goneAt":"1","container":{"id":"a\\u0000b","name":""}}'
    odd = f'5,"abc",[],{{}},{{"goneAt":"1","container":{{"id":5}}}},{nul}'
    entries = f'{{"goneAt":"2","container":{web}}},{{"goneAt":"1","container":{job}}},{odd}'
    connection = sqlite3.connect(database)
    connection.executescript((DATABASES / "0005.sql").read_text())
    gone = {"with-gone": f"[{entries}]", "none": "", "cut": "[", "odd": '["abc"]', "object": "{}"}
    connection.executemany(
        "INSERT INTO docker_agent_reports (host_id, report_json, received_at, gone_json)"
        " VALUES (?, '[1]', 'then', ?)",
        gone.items(),
    )
    connection.execute("CREATE VIEW mine AS SELECT host_id FROM docker_agent_reports")
    connection.commit()
    connection.close()
    migrate(database, asset_dir("migrations"))
    connection = sqlite3.connect(database)
    assert connection.execute("SELECT * FROM gone_containers").fetchall() == [
        (1, "with-gone", "j", "1", job),
        (2, "with-gone", "w", "2", web),
    ]
    assert ("with-gone",) in connection.execute("SELECT * FROM mine").fetchall()
    kept = "SELECT report_json, received_at, source FROM docker_agent_reports WHERE host_id = ?"
    assert connection.execute(kept, ["with-gone"]).fetchall() == [("[1]", "then", "agent")]
    connection.close()


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(asset_dir("migrations"), folder, ignore=shutil.ignore_patterns("__*"))
    number = len(list(folder.glob("*.sql"))) + 1
    bad = folder / f"{number:04}_bad.sql"
    bad.write_text("CREATE TABLE half (x);\nINSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(StartRefused, match="nowhere"):
        migrate(tmp_path / "db", folder)
    assert "half" not in [name for name, _ in schema(tmp_path / "db")]
    bad.write_text("CREATE TABLE half (x);\n")
    assert migrate(tmp_path / "db", folder) == [bad.name]


def test_a_database_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    database = tmp_path / "db"
    migrate(database, asset_dir("migrations"))
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StartRefused, match="newer archnest"):
        migrate(database, asset_dir("migrations"))


def test_a_damaged_database_is_refused_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"garbage" * 1000)
    with pytest.raises(StartRefused) as refusal:
        migrate(tmp_path / "db", asset_dir("migrations"))
    assert "\n" not in str(refusal.value)


def test_gaps_in_the_numbers_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0002_second.sql").write_text("CREATE TABLE t (x);")
    with pytest.raises(StartRefused, match="gaps"):
        migrate(tmp_path / "db", folder)


def test_statements_are_split_where_sqlite_ends_them() -> None:
    script = (
        "CREATE TABLE a (x); -- ; not here\n"
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n SELECT 1;\n SELECT 2;\nEND;\n"
    )
    assert len(list(statements(script))) == 2
