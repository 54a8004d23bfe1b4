-- Gone containers in rows of their own: in its host's row each of them was
-- written anew with every report, a hundred of them in 220 KB.

ALTER TABLE docker_agent_reports RENAME TO reports_with_gone;
CREATE TABLE docker_agent_reports (
  host_id       TEXT PRIMARY KEY,
  hostname      TEXT,
  report_json   TEXT NOT NULL,                           -- the containers array as JSON, masked
  reported_at   TEXT,                                    -- the agent's timestamp
  received_at   TEXT NOT NULL DEFAULT (datetime('now')), -- server time, decides staleness
  source        TEXT NOT NULL DEFAULT 'agent',
  agent_version TEXT,
  engine_json   TEXT                                     -- the report's engine object, or NULL
);
INSERT INTO docker_agent_reports (host_id, hostname, report_json, reported_at, received_at, source,
                                  agent_version, engine_json)
SELECT host_id, hostname, report_json, reported_at, received_at, source, agent_version, engine_json
  FROM reports_with_gone;

CREATE TABLE gone_containers (
  host_id        TEXT NOT NULL REFERENCES docker_agent_reports (host_id) ON DELETE CASCADE,
  container_id   TEXT NOT NULL,
  gone_at        TEXT NOT NULL,                           -- when a report first lacked it
  container_json TEXT NOT NULL,                           -- as last seen, masked
  PRIMARY KEY (host_id, container_id)
);
INSERT OR IGNORE INTO gone_containers (host_id, container_id, gone_at, container_json)
SELECT host_id,
       json_extract(value, '$.container.id'),
       json_extract(value, '$.goneAt'),
       json_extract(value, '$.container')
  FROM reports_with_gone, json_each(gone_json)
 ORDER BY host_id, key;

DROP TABLE reports_with_gone;
