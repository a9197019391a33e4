-- An incident can be found by its ties too: sessions, actors, protected objects.

-- +goose Up
CREATE TABLE incident_links_tied (
    tenant TEXT   NOT NULL,
    kind   TEXT   NOT NULL CHECK (kind IN ('alert', 'account', 'key', 'tie')),
    value  TEXT   NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, value, number),
    FOREIGN KEY (tenant, number) REFERENCES incidents (tenant, number)
);
INSERT INTO incident_links_tied SELECT tenant, kind, value, number FROM incident_links;
DROP TABLE incident_links;
ALTER TABLE incident_links_tied RENAME TO incident_links;
CREATE INDEX incident_links_by_incident ON incident_links (tenant, number, kind, value);

-- +goose Down
DELETE FROM incident_links WHERE kind = 'tie';
