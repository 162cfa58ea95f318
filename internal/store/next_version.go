//go:build next_version

package store

var nextVersion = []string{`
ALTER TABLE tokens ADD COLUMN origin TEXT NOT NULL DEFAULT '';
CREATE TABLE origins (name {{name}} PRIMARY KEY, organization TEXT NOT NULL);
INSERT INTO origins (name, organization) SELECT id, id FROM organizations;
`, `
DROP INDEX{{concurrently}} IF EXISTS tokens_by_origin;
CREATE INDEX{{concurrently}} tokens_by_origin ON tokens (origin, id) WHERE origin <> '';
`}
