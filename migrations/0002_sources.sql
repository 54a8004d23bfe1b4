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
