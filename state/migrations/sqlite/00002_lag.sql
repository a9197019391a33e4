-- What was learned of the roads of a tenant's records, in a form of its own; sum
-- is the first 128 bits of its SHA-256 in hex.

-- +goose Up
CREATE TABLE lag_memory (
    tenant   TEXT   NOT NULL PRIMARY KEY,
    memory   BLOB   NOT NULL,
    sum      TEXT   NOT NULL,
    modified BIGINT NOT NULL
);

-- +goose Down
DROP TABLE lag_memory;
