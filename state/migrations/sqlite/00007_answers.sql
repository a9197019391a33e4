-- The answers that people gave to notices, by the keys under which they came: one
-- that comes again is known.

-- +goose Up
CREATE TABLE answers (
    tenant TEXT   NOT NULL,
    key    TEXT   NOT NULL,
    given  BIGINT NOT NULL,
    PRIMARY KEY (tenant, key)
);

-- +goose Down
DROP TABLE answers;
