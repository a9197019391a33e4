-- By what a receiver's service can be asked what became of a message, empty if
-- it cannot.

-- +goose Up
ALTER TABLE deliveries ADD COLUMN handle TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE deliveries DROP COLUMN handle;
