-- What is declared to happen to an emergency account.

-- +goose Up
CREATE TABLE expectations (
    tenant  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    until   BIGINT NOT NULL,
    settled BIGINT NOT NULL, -- 0 while it is open
    body    TEXT   NOT NULL,
    sum     TEXT   NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX expectations_open ON expectations (settled, until);

-- +goose Down
DROP TABLE expectations;
