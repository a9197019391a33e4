-- What was learned of a subject, such as a tenant's roads, in a form of its own; sum
-- is the first 128 bits of its SHA-256 in hex.

-- +goose Up
CREATE TABLE memory (
    subject  TEXT   NOT NULL PRIMARY KEY,
    memory   BLOB   NOT NULL,
    sum      TEXT   NOT NULL,
    modified BIGINT NOT NULL
);

-- +goose Down
DROP TABLE memory;
