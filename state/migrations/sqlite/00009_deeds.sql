-- What people did, until it stands in the tenants' own table GlasswardAudit.

-- +goose Up
CREATE TABLE deeds (
    id     TEXT   NOT NULL PRIMARY KEY, -- of the record that it becomes
    tenant TEXT   NOT NULL,             -- empty is every tenant's
    at     BIGINT NOT NULL,
    body   TEXT   NOT NULL
);
CREATE INDEX deeds_by_time ON deeds (at, id);

-- +goose Down
DROP TABLE deeds;
