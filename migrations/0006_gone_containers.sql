-- Gone containers in rows of their own: in its host's row each of them was
-- written anew with every report, a hundred of them in 220 KB. That row's
-- column stays, empty: to drop it would take a newer SQLite than some systems
-- have, or a table made anew, which takes views and triggers with it.

CREATE TABLE gone_containers (
  number         INTEGER PRIMARY KEY,                     -- the higher, the later it went
  host_id        TEXT NOT NULL REFERENCES docker_agent_reports (host_id) ON DELETE CASCADE,
  container_id   TEXT NOT NULL,
  gone_at        TEXT NOT NULL,                           -- when a report first lacked it
  container_json TEXT NOT NULL,                           -- as last seen, masked
  UNIQUE (host_id, container_id)
);

-- The newest came first. What is no entry is left out, and so is an id with a
-- NUL, at which SQLite's functions end a text.
INSERT OR IGNORE INTO gone_containers (host_id, container_id, gone_at, container_json)
SELECT host_id,
       json_extract(value, '$.container.id'),
       json_extract(value, '$.goneAt'),
       json_extract(value, '$.container')
  FROM docker_agent_reports,
       json_each(CASE WHEN json_valid(gone_json) THEN gone_json ELSE '[]' END)
 WHERE CASE
         WHEN type = 'object' THEN json_type(value, '$.container.id') = 'text'
                                   AND json_type(value, '$.goneAt') = 'text'
                                   AND instr(json_extract(value, '$.container'), '\u0000') = 0
         ELSE 0
       END
 ORDER BY host_id, key DESC;
UPDATE docker_agent_reports SET gone_json = '[]' WHERE gone_json <> '[]';
