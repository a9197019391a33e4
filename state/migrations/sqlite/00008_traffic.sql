-- What a tenant's alarms were to an action group of late, and the notices that went
-- to nobody by themselves: held names the storm or the day in whose digest they stand.

-- +goose Up
CREATE TABLE traffic (
    tenant TEXT   NOT NULL,
    grp    TEXT   NOT NULL,
    due    BIGINT NOT NULL,
    began  BIGINT NOT NULL,
    body   TEXT   NOT NULL,
    PRIMARY KEY (tenant, grp)
);
CREATE INDEX traffic_due ON traffic (due);
ALTER TABLE notices ADD COLUMN held TEXT NOT NULL DEFAULT '';
CREATE INDEX notices_held ON notices (tenant, held, created, id) WHERE held <> '';

-- +goose Down
DROP INDEX notices_held;
ALTER TABLE notices DROP COLUMN held;
DROP TABLE traffic;
