-- Times are microseconds since 1970 in UTC, 0 where there is none. Bodies are
-- JSON; sum is the first 128 bits of a body's SHA-256 in hex, by which a damaged
-- one is found when it is read.

-- +goose Up
CREATE TABLE watermarks (
    tenant   TEXT   NOT NULL,
    rule     TEXT   NOT NULL,
    mark     BLOB   NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (tenant, rule)
);

CREATE TABLE alerts (
    tenant   TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    rule     TEXT    NOT NULL,
    grp      TEXT    NOT NULL,
    severity INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 3),
    started  BIGINT  NOT NULL,
    ended    BIGINT  NOT NULL,
    judged   BIGINT  NOT NULL,
    body     TEXT    NOT NULL,
    sum      TEXT    NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX alerts_by_time ON alerts (tenant, started, id);
CREATE INDEX alerts_by_rule ON alerts (tenant, rule, started, id);

-- A record may be named by several alerts of a rule and group; the one that had
-- it first, by the number of the journal's entry, owns it.
CREATE TABLE alert_records (
    tenant TEXT   NOT NULL,
    rule   TEXT   NOT NULL,
    grp    TEXT   NOT NULL,
    record TEXT   NOT NULL,
    alert  TEXT   NOT NULL,
    entry  BIGINT NOT NULL,
    PRIMARY KEY (tenant, rule, grp, record, alert),
    FOREIGN KEY (tenant, alert) REFERENCES alerts (tenant, id)
);
CREATE INDEX alert_records_by_alert ON alert_records (tenant, alert, record);
CREATE INDEX alert_records_by_record ON alert_records (tenant, record, alert);

CREATE TABLE incidents (
    tenant         TEXT    NOT NULL,
    number         BIGINT  NOT NULL CHECK (number > 0),
    status         TEXT    NOT NULL CHECK (status IN ('New', 'Active', 'Closed')),
    severity       INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 3),
    owner          TEXT    NOT NULL,
    first_activity BIGINT  NOT NULL,
    last_activity  BIGINT  NOT NULL,
    created        BIGINT  NOT NULL,
    modified       BIGINT  NOT NULL,
    etag           TEXT    NOT NULL,
    body           TEXT    NOT NULL,
    sum            TEXT    NOT NULL,
    PRIMARY KEY (tenant, number)
);
CREATE INDEX incidents_by_status ON incidents (tenant, status, number);
CREATE INDEX incidents_by_creation ON incidents (created, tenant, number);

-- What an incident can be found by: the alerts in it, the emergency accounts,
-- the key by which alerts without an account are grouped.
CREATE TABLE incident_links (
    tenant TEXT   NOT NULL,
    kind   TEXT   NOT NULL CHECK (kind IN ('alert', 'account', 'key')),
    value  TEXT   NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, value, number),
    FOREIGN KEY (tenant, number) REFERENCES incidents (tenant, number)
);
CREATE INDEX incident_links_by_incident ON incident_links (tenant, number, kind, value);

CREATE TABLE notices (
    id       TEXT    NOT NULL PRIMARY KEY,
    tenant   TEXT    NOT NULL,
    grp      TEXT    NOT NULL,
    incident BIGINT  NOT NULL,
    created  BIGINT  NOT NULL,
    routed   BIGINT  NOT NULL,
    body     TEXT    NOT NULL,
    sum      TEXT    NOT NULL
);
CREATE INDEX notices_unrouted ON notices (routed, created, id);
CREATE INDEX notices_by_incident ON notices (tenant, incident, created, id);

CREATE TABLE deliveries (
    notice   TEXT    NOT NULL,
    receiver TEXT    NOT NULL, -- group/receiver
    status   TEXT    NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    created  BIGINT  NOT NULL,
    next     BIGINT  NOT NULL,
    settled  BIGINT  NOT NULL,
    answer   TEXT    NOT NULL,
    PRIMARY KEY (notice, receiver),
    FOREIGN KEY (notice) REFERENCES notices (id)
);
CREATE INDEX deliveries_due ON deliveries (status, next, created);

CREATE TABLE attempts (
    notice   TEXT    NOT NULL,
    receiver TEXT    NOT NULL,
    number   INTEGER NOT NULL,
    at       BIGINT  NOT NULL,
    took     BIGINT  NOT NULL,
    ok       INTEGER NOT NULL CHECK (ok IN (0, 1)),
    answer   TEXT    NOT NULL,
    PRIMARY KEY (notice, receiver, number),
    FOREIGN KEY (notice, receiver) REFERENCES deliveries (notice, receiver)
);

CREATE TABLE tokens (
    name      TEXT   NOT NULL PRIMARY KEY,
    hash      TEXT   NOT NULL UNIQUE,
    tenant    TEXT   NOT NULL,
    source    TEXT   NOT NULL,
    scopes    TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    expires   BIGINT NOT NULL,
    revoked   BIGINT NOT NULL,
    last_used BIGINT NOT NULL
);

CREATE TABLE rules (
    id         TEXT   NOT NULL,
    version    TEXT   NOT NULL,
    query_hash TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    text       TEXT   NOT NULL,
    first_seen BIGINT NOT NULL,
    PRIMARY KEY (id, version, query_hash)
);

CREATE TABLE journal (
    seq     BIGINT NOT NULL PRIMARY KEY,
    time    BIGINT NOT NULL,
    kind    TEXT   NOT NULL,
    tenant  TEXT   NOT NULL,
    payload TEXT   NOT NULL,
    raw     TEXT   NOT NULL,
    prev    TEXT   NOT NULL,
    hash    TEXT   NOT NULL
);

-- Records that alerts named, byte-exact, by their SHA-256.
CREATE TABLE evidence (
    sha256 TEXT NOT NULL PRIMARY KEY,
    raw    BLOB NOT NULL
);
CREATE TABLE evidence_records (
    tenant TEXT   NOT NULL,
    record TEXT   NOT NULL,
    sha256 TEXT   NOT NULL,
    seq    BIGINT NOT NULL,
    PRIMARY KEY (tenant, record, sha256),
    FOREIGN KEY (sha256) REFERENCES evidence (sha256),
    FOREIGN KEY (seq) REFERENCES journal (seq)
);

-- +goose Down
DROP TABLE evidence_records;
DROP TABLE evidence;
DROP TABLE journal;
DROP TABLE rules;
DROP TABLE tokens;
DROP TABLE attempts;
DROP TABLE deliveries;
DROP TABLE notices;
DROP TABLE incident_links;
DROP TABLE incidents;
DROP TABLE alert_records;
DROP TABLE alerts;
DROP TABLE watermarks;
