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
