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
