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
