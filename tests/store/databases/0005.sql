-- What the product begins with: the latest report of each host, accounts,
-- their sessions and the failed sign-ins that throttle the next ones.

CREATE TABLE docker_agent_reports (
  host_id       TEXT PRIMARY KEY,
  hostname      TEXT,
  report_json   TEXT NOT NULL,                           -- the containers array as JSON, masked
  reported_at   TEXT,                                    -- the agent's timestamp
  received_at   TEXT NOT NULL DEFAULT (datetime('now')), -- server time, decides staleness
  source        TEXT NOT NULL DEFAULT 'agent',
  agent_version TEXT,
  engine_json   TEXT,                                    -- the report's engine object, or NULL
  gone_json     TEXT NOT NULL DEFAULT '[]'               -- containers the latest report lacks, as last seen
);

CREATE TABLE users (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  username      TEXT NOT NULL UNIQUE COLLATE NOCASE,
  role          TEXT NOT NULL CHECK (role IN ('admin', 'member')),
  password_hash TEXT NOT NULL,
  created_at    TEXT NOT NULL,
  last_login_at TEXT
);

CREATE TABLE sessions (
  id            TEXT PRIMARY KEY,
  user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  created_at    TEXT NOT NULL,
  expires_at    TEXT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE login_failures (
  subject       TEXT PRIMARY KEY,                        -- "user:<name>" or "address:<ip>"
  failures      INTEGER NOT NULL,
  last_at       REAL NOT NULL                            -- unix seconds
);

CREATE TABLE heartbeat (
  beats         INTEGER NOT NULL                         -- what /readyz writes to prove it can
);
INSERT INTO heartbeat (beats) VALUES (0);

-- Hosts whose Docker Engine the server asks itself. Keys stay files that the
-- server's user can read: only their paths are kept.

CREATE TABLE sources (
  host_id       TEXT PRIMARY KEY,
  kind          TEXT NOT NULL CHECK (kind IN ('docker-tcp', 'docker-socket', 'docker-ssh')),
  address       TEXT NOT NULL,                           -- host:port, a path, or user@host:port
  ca_file       TEXT,                                    -- paths, never contents
  cert_file     TEXT,
  key_file      TEXT,
  host_key      TEXT,                                    -- the accepted SSH host key, as in known_hosts
  created_at    TEXT NOT NULL
);

-- Who did what, when and with what outcome, for admins to read. A row is
-- written before an act begins, so that one cut short by a crash is seen too.

CREATE TABLE audit (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  at       TEXT NOT NULL,
  ended_at TEXT,                                         -- NULL while it goes on
  actor    TEXT,                                         -- a username; NULL: whoever owns the data folder
  address  TEXT,                                         -- where the request came from
  action   TEXT NOT NULL,                                -- noun.verb, as in container.restart
  host_id  TEXT,
  target   TEXT,                                         -- the container, user or token it was done to
  outcome  TEXT NOT NULL CHECK (outcome IN ('begun', 'done', 'failed', 'refused')),
  detail   TEXT
);

-- A source may speak for a host that an agent reports too: both are one host.
ALTER TABLE sources ADD COLUMN linked INTEGER NOT NULL DEFAULT 0 CHECK (linked IN (0, 1));

-- Tokens with which programs use the API for a person. Only a hash is kept:
-- the token has more entropy than a hash could lose, so it needs no salt.

CREATE TABLE access_tokens (
  id           TEXT PRIMARY KEY,                         -- the token's public part
  user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  name         TEXT NOT NULL,
  role         TEXT NOT NULL CHECK (role IN ('admin', 'member')),
  token_hash   TEXT NOT NULL,                            -- SHA-256 in hex
  created_at   TEXT NOT NULL,
  expires_at   TEXT NOT NULL,
  last_used_at TEXT,                                     -- to the minute
  last_address TEXT
);
CREATE INDEX access_tokens_by_user ON access_tokens (user_id);

-- What a program did is told from what the person did.
ALTER TABLE audit ADD COLUMN token TEXT;                 -- the access token's name

INSERT INTO docker_agent_reports (host_id, hostname, report_json, reported_at, received_at)
VALUES ('vm-1', 'vm-1.lan', '[]', '2026-06-20T19:30:00Z', '2026-06-20T19:30:01.000Z');
INSERT INTO users (username, role, password_hash, created_at)
VALUES ('ada', 'admin', '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$MTIzNDU2Nzg', '2026-06-20T19:30:00.000Z');
INSERT INTO sources (host_id, kind, address, created_at)
VALUES ('nas', 'docker-socket', '/var/run/docker.sock', '2026-06-20T19:30:00.000Z');
INSERT INTO audit (at, ended_at, actor, address, action, host_id, target, outcome)
VALUES ('2026-06-20T19:30:00.000Z', '2026-06-20T19:30:01.000Z', 'ada', '192.0.2.7', 'container.restart', 'nas', 'web', 'done');
INSERT INTO access_tokens (id, user_id, name, role, token_hash, created_at, expires_at)
VALUES ('Xo3kq8ZrT1', 1, 'prometheus', 'member', '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', '2026-06-20T19:30:00.000Z', '2036-06-18T19:30:00.000Z');
-- Tokens that report for one host each. A revoked one stays for a while, so
-- that its agent is told why it is refused.

CREATE TABLE agent_tokens (
  id           TEXT PRIMARY KEY,                         -- the token's public part
  host_id      TEXT NOT NULL,
  token_hash   TEXT NOT NULL,                            -- SHA-256 in hex
  created_at   TEXT NOT NULL,
  revoked_at   TEXT,
  last_used_at TEXT,                                     -- to the minute
  last_address TEXT
);
CREATE INDEX agent_tokens_by_host ON agent_tokens (host_id);

INSERT INTO agent_tokens (id, host_id, token_hash, created_at)
VALUES ('Qm7bT2xKp9', 'vm-1', '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08', '2026-06-20T19:30:00.000Z');
PRAGMA user_version = 5;
