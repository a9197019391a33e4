-- The incidents that people are being called about: when next, and when they were
-- last called, by which a clock that was set back is known.

-- +goose Up
CREATE TABLE pages (
    tenant TEXT   NOT NULL,
    number BIGINT NOT NULL,
    next   BIGINT NOT NULL,
    last   BIGINT NOT NULL,
    PRIMARY KEY (tenant, number),
    FOREIGN KEY (tenant, number) REFERENCES incidents (tenant, number)
);
CREATE INDEX pages_due ON pages (next);
CREATE INDEX pages_last ON pages (last);

-- +goose Down
DROP TABLE pages;
