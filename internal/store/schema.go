package store

import "strings"

// A migration is SQL for both engines; {{blob}}, {{name}} (text that sorts by its bytes) and {{seq}} are what they spell
// differently, and an index on a table that is there already is made or dropped {{concurrently}}, in a migration of its own. A
// column search holds what a list is searched by, in lower case: the engines' own LOWER differ. Migrations are numbered,
// forward only, and never edited once released; the previous binary must run on the next schema, or see needs.
var migrations = append(own, strings.FieldsFunc(nextVersion, func(r rune) bool { return r == '|' })...)

// nextVersion are more migrations, with | between them. Only the linker sets it, in the build that stands for the next
// version in the test of a rolling upgrade.
var nextVersion string

var own = []string{
	1: `
CREATE TABLE instance (name TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE organizations (
	id TEXT PRIMARY KEY, slug TEXT NOT NULL UNIQUE, name TEXT NOT NULL, plan TEXT NOT NULL, license TEXT NOT NULL,
	status TEXT NOT NULL, data_center TEXT NOT NULL, created_at BIGINT NOT NULL, deleted_at BIGINT NOT NULL,
	version BIGINT NOT NULL);

CREATE TABLE users (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, created_at BIGINT NOT NULL);

CREATE TABLE members (
	id TEXT PRIMARY KEY, organization TEXT NOT NULL, user_id TEXT NOT NULL, name TEXT NOT NULL, search TEXT NOT NULL, roles TEXT NOT NULL, status TEXT NOT NULL,
	external_id TEXT NOT NULL, created_at BIGINT NOT NULL, version BIGINT NOT NULL, UNIQUE (organization, user_id));

CREATE TABLE roles (
	id TEXT PRIMARY KEY, organization TEXT NOT NULL, name {{name}} NOT NULL, permissions TEXT NOT NULL,
	created_at BIGINT NOT NULL, version BIGINT NOT NULL, UNIQUE (organization, name));

CREATE TABLE ip_filters (
	id TEXT PRIMARY KEY, organization TEXT NOT NULL, name {{name}} NOT NULL, rules TEXT NOT NULL,
	created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, version BIGINT NOT NULL, UNIQUE (organization, name));

CREATE TABLE policies (
	organization TEXT NOT NULL, kind TEXT NOT NULL, allowed BIGINT NOT NULL, max_lifetime BIGINT, default_lifetime BIGINT,
	expiry_required BIGINT NOT NULL, enforced_ip_filter TEXT, custom_ip_filter BIGINT NOT NULL,
	permission_updates BIGINT NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (organization, kind));

CREATE TABLE tokens (
	id {{name}} PRIMARY KEY, organization TEXT NOT NULL, kind TEXT NOT NULL, integration TEXT NOT NULL, owner TEXT NOT NULL,
	name {{name}} NOT NULL, hint TEXT NOT NULL, search TEXT NOT NULL, permissions TEXT NOT NULL, ip_filter TEXT NOT NULL,
	digest {{blob}} NOT NULL, key_id BIGINT NOT NULL, previous_digest {{blob}}, previous_key_id BIGINT NOT NULL,
	previous_until BIGINT NOT NULL, paused BIGINT NOT NULL, created_at BIGINT NOT NULL, created_by TEXT NOT NULL,
	renewed_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, revoked_at BIGINT NOT NULL, revoked_by TEXT NOT NULL,
	revoked_reason TEXT NOT NULL, receipt TEXT NOT NULL, version BIGINT NOT NULL);
CREATE INDEX tokens_by_age ON tokens (organization, created_at, id);
CREATE INDEX tokens_by_owner ON tokens (owner) WHERE owner <> '';
CREATE INDEX tokens_by_ip_filter ON tokens (ip_filter) WHERE ip_filter <> '';

CREATE TABLE token_uses (token {{name}} PRIMARY KEY, at BIGINT NOT NULL, ip TEXT NOT NULL){{clustered}};
CREATE TABLE token_use_days (
	token {{name}} NOT NULL, day BIGINT NOT NULL, ip {{name}} NOT NULL, uses BIGINT NOT NULL, PRIMARY KEY (token, day, ip)){{clustered}};

CREATE TABLE events (
	{{seq}}, id TEXT NOT NULL UNIQUE, organization TEXT NOT NULL, type TEXT NOT NULL, action TEXT NOT NULL,
	at BIGINT NOT NULL, user_uuid TEXT NOT NULL, token TEXT NOT NULL, body TEXT NOT NULL, hash {{blob}});
CREATE INDEX events_by_organization ON events (organization, seq);

CREATE TABLE idempotency (
	caller TEXT NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, token TEXT NOT NULL, answer TEXT NOT NULL,
	created_at BIGINT NOT NULL, PRIMARY KEY (caller, key));
CREATE INDEX idempotency_by_age ON idempotency (created_at);

CREATE TABLE receipts (id TEXT PRIMARY KEY, organization TEXT NOT NULL, answer TEXT NOT NULL);

CREATE TABLE refusals (
	id TEXT PRIMARY KEY, organization TEXT NOT NULL, token TEXT NOT NULL, code TEXT NOT NULL, ip TEXT NOT NULL,
	endpoint TEXT NOT NULL, permissions TEXT NOT NULL, first_at BIGINT NOT NULL, last_at BIGINT NOT NULL,
	count BIGINT NOT NULL, trace TEXT NOT NULL);
`,
	// Who somebody is: how people sign in, and their sessions. All of it belongs to people, who may be members of several
	// organizations; sessions and tickets that name one are good for that one alone.
	2: `
CREATE TABLE passwords (user_id TEXT PRIMARY KEY, hash TEXT NOT NULL, changed_at BIGINT NOT NULL);

CREATE TABLE totp_devices (
	user_id TEXT PRIMARY KEY, sealed {{blob}} NOT NULL, key_id BIGINT NOT NULL, last_step BIGINT NOT NULL, created_at BIGINT NOT NULL);

CREATE TABLE recovery_codes (user_id TEXT NOT NULL, digest {{blob}} NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (user_id, digest));

CREATE TABLE passkeys (
	id TEXT PRIMARY KEY, user_id TEXT NOT NULL, credential_id {{blob}} NOT NULL UNIQUE, name TEXT NOT NULL, credential TEXT NOT NULL,
	created_at BIGINT NOT NULL, used_at BIGINT NOT NULL);
CREATE INDEX passkeys_by_user ON passkeys (user_id);

CREATE TABLE external_identities (
	issuer {{name}} NOT NULL, subject {{name}} NOT NULL, user_id TEXT NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (issuer, subject));

CREATE TABLE sessions (
	id TEXT PRIMARY KEY, digest {{blob}} NOT NULL UNIQUE, user_id TEXT NOT NULL, organization TEXT NOT NULL, method TEXT NOT NULL,
	return_url TEXT NOT NULL, created_at BIGINT NOT NULL, seen_at BIGINT NOT NULL, confirmed_at BIGINT NOT NULL, ends_at BIGINT NOT NULL,
	ip TEXT NOT NULL, user_agent TEXT NOT NULL);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (ends_at);

CREATE TABLE tickets (
	digest {{blob}} PRIMARY KEY, kind TEXT NOT NULL, user_id TEXT NOT NULL, organization TEXT NOT NULL, data TEXT NOT NULL,
	created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL);
CREATE INDEX tickets_by_user ON tickets (user_id) WHERE user_id <> '';
CREATE INDEX tickets_by_expiry ON tickets (expires_at);
`,
	// Reading the log. On PostgreSQL an event has no number until the sequencer gives it one: such a row is in no index.
	3: `
DROP INDEX events_by_organization;
CREATE INDEX events_by_number ON events (organization, seq, at, user_uuid){{numbered}};
CREATE INDEX events_by_type ON events (organization, type, seq){{numbered}};
CREATE INDEX events_by_user ON events (organization, user_uuid, seq, at) WHERE user_uuid <> ''{{and_numbered}};
CREATE INDEX events_by_token ON events (organization, token, seq) WHERE token <> ''{{and_numbered}};

CREATE INDEX tokens_by_expiry ON tokens (expires_at, id) WHERE expires_at <> 0 AND revoked_at = 0;

CREATE TABLE event_blocks (
	organization TEXT NOT NULL, first_seq BIGINT NOT NULL, last_seq BIGINT NOT NULL, n BIGINT NOT NULL,
	min_at BIGINT NOT NULL, max_at BIGINT NOT NULL, PRIMARY KEY (organization, first_seq));

CREATE TABLE event_ids (
	organization TEXT NOT NULL, id {{name}} NOT NULL, event TEXT NOT NULL, PRIMARY KEY (organization, id)){{clustered}};
`,
	// A token's id follows the clock, so what is made together lies together here, whichever organization's it is.
	4: `
DROP INDEX events_by_token;
CREATE INDEX events_by_token ON events (token, organization, seq) WHERE token <> ''{{and_numbered}};
`,
	// Where an organization's log is pushed to, and how far that has come.
	5: `
CREATE TABLE splunk_exports (
	organization TEXT PRIMARY KEY, url TEXT NOT NULL, sealed {{blob}} NOT NULL, key_id BIGINT NOT NULL, index_name TEXT NOT NULL,
	source TEXT NOT NULL, sourcetype TEXT NOT NULL, backfill BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
	revision TEXT NOT NULL, after_seq BIGINT NOT NULL, delivered_seq BIGINT NOT NULL, delivered_at BIGINT NOT NULL,
	missing BIGINT NOT NULL, last_missing BIGINT NOT NULL, state TEXT NOT NULL, error_code TEXT NOT NULL, error_detail TEXT NOT NULL,
	error_at BIGINT NOT NULL, next_attempt BIGINT NOT NULL);
`,
	// What is told to people and programs outside, and what was removed of the log.
	6: `
CREATE TABLE notices (token {{name}} NOT NULL, ends_at BIGINT NOT NULL, days BIGINT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (token, ends_at, days)){{clustered}};

CREATE TABLE token_places (
	token {{name}} NOT NULL, place {{name}} NOT NULL, ip TEXT NOT NULL, first_at BIGINT NOT NULL, told BIGINT NOT NULL, PRIMARY KEY (token, place)){{clustered}};
CREATE INDEX token_places_untold ON token_places (first_at) WHERE told = 0;

CREATE TABLE letters (
	id TEXT PRIMARY KEY, user_id TEXT NOT NULL, organization TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, data TEXT NOT NULL,
	created_at BIGINT NOT NULL, due_at BIGINT NOT NULL, attempts BIGINT NOT NULL);
CREATE INDEX letters_by_due ON letters (due_at, user_id);
CREATE INDEX letters_by_user ON letters (user_id, due_at);

CREATE TABLE webhooks (
	id TEXT PRIMARY KEY, organization TEXT NOT NULL, name TEXT NOT NULL, url TEXT NOT NULL, types TEXT NOT NULL,
	sealed {{blob}} NOT NULL, key_id BIGINT NOT NULL, previous_sealed {{blob}}, previous_key_id BIGINT NOT NULL, previous_until BIGINT NOT NULL,
	enabled BIGINT NOT NULL, disabled_reason TEXT NOT NULL, since BIGINT NOT NULL, failing_since BIGINT NOT NULL, failures BIGINT NOT NULL,
	held_until BIGINT NOT NULL, created_at BIGINT NOT NULL, created_by TEXT NOT NULL, version BIGINT NOT NULL);
CREATE INDEX webhooks_by_organization ON webhooks (organization, id);

CREATE TABLE deliveries (
	id {{name}} PRIMARY KEY, organization TEXT NOT NULL, webhook TEXT NOT NULL, seq BIGINT NOT NULL, event TEXT NOT NULL, type TEXT NOT NULL,
	status TEXT NOT NULL, attempts BIGINT NOT NULL, created_at BIGINT NOT NULL, next_at BIGINT NOT NULL, last_at BIGINT NOT NULL,
	answer BIGINT NOT NULL, error TEXT NOT NULL, took_us BIGINT NOT NULL);
CREATE INDEX deliveries_by_webhook ON deliveries (webhook, id);
CREATE INDEX deliveries_waiting ON deliveries (webhook, next_at) WHERE status = 'pending';
CREATE INDEX deliveries_done ON deliveries (created_at) WHERE status <> 'pending';

CREATE TABLE retentions (organization TEXT PRIMARY KEY, days BIGINT NOT NULL);
CREATE TABLE removed_events (seq BIGINT PRIMARY KEY, organization TEXT NOT NULL, digest {{blob}} NOT NULL, hash {{blob}} NOT NULL);
CREATE INDEX removed_events_by_organization ON removed_events (organization, seq);
`,
	// How many entries of each user a block of the log has.
	7: `
CREATE TABLE event_block_users (
	organization TEXT NOT NULL, first_seq BIGINT NOT NULL, last_seq BIGINT NOT NULL, tally {{blob}} NOT NULL,
	PRIMARY KEY (organization, first_seq, last_seq));
`,
	// Providers: whom they manage, the keys that they sign with, and which JWTs were accepted.
	8: `
ALTER TABLE organizations ADD COLUMN provider BIGINT NOT NULL DEFAULT 0;
ALTER TABLE organizations ADD COLUMN managed_by TEXT NOT NULL DEFAULT '';
ALTER TABLE organizations ADD COLUMN trial_ends_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE organizations ADD COLUMN search TEXT NOT NULL DEFAULT '';
UPDATE organizations SET search = LOWER(name || ' ' || slug);
CREATE INDEX organizations_by_manager ON organizations (managed_by, id) WHERE managed_by <> '';
CREATE UNIQUE INDEX organizations_one_nfr ON organizations (managed_by) WHERE managed_by <> '' AND license = 'nfr' AND deleted_at = 0;
CREATE INDEX organizations_on_trial ON organizations (id) WHERE license = 'trial' AND deleted_at = 0;

CREATE TABLE assignments (member TEXT NOT NULL, organization TEXT NOT NULL, PRIMARY KEY (member, organization));

CREATE TABLE provider_keys (
	id TEXT PRIMARY KEY, organization TEXT NOT NULL, name TEXT NOT NULL, algorithm TEXT NOT NULL, public_key TEXT NOT NULL,
	created_at BIGINT NOT NULL, created_by TEXT NOT NULL, revoked_at BIGINT NOT NULL, revoked_by TEXT NOT NULL,
	used_at BIGINT NOT NULL, used_ip TEXT NOT NULL);
CREATE INDEX provider_keys_by_provider ON provider_keys (organization, id);

CREATE TABLE provider_jtis (organization TEXT NOT NULL, jti {{name}} NOT NULL, until BIGINT NOT NULL, PRIMARY KEY (organization, jti)){{clustered}};
CREATE INDEX provider_jtis_by_end ON provider_jtis (organization, until);
`,
	// The nodes that serve a PostgreSQL database. A row's lease is in nanoseconds; renewals rises whenever it is renewed;
	// no write of the node carries a time before settled; one that is fenced must join again.
	9: `
CREATE TABLE nodes (
	id TEXT PRIMARY KEY, lease BIGINT NOT NULL, applied BIGINT NOT NULL, renewals BIGINT NOT NULL, settled BIGINT NOT NULL,
	fenced BIGINT NOT NULL, started_at BIGINT NOT NULL, seen_at BIGINT NOT NULL);
{{unnumbered}};
`,
	// Usage: who ever managed what, where each organization's reckoning stands, and the figures that are final.
	10: `
CREATE TABLE provider_history (provider TEXT NOT NULL, organization TEXT NOT NULL, PRIMARY KEY (provider, organization));
INSERT INTO provider_history (provider, organization) SELECT managed_by, id FROM organizations WHERE managed_by <> '';

CREATE TABLE usage_states (organization TEXT PRIMARY KEY, day BIGINT NOT NULL, seq BIGINT NOT NULL, state TEXT NOT NULL);
CREATE INDEX usage_states_by_day ON usage_states (day);

CREATE TABLE usage_rows (
	provider TEXT NOT NULL, period {{name}} NOT NULL, organization TEXT NOT NULL, figures TEXT NOT NULL, PRIMARY KEY (provider, period, organization)){{clustered}};
`,
	// The list of an organization's refusals.
	11: `
DROP INDEX{{concurrently}} IF EXISTS refusals_by_organization;
CREATE INDEX{{concurrently}} refusals_by_organization ON refusals (organization, id);
`,
	// Corrections of final months, in the month in which they were made.
	12: `
CREATE TABLE usage_adjustments (
	provider TEXT NOT NULL, period {{name}} NOT NULL, organization TEXT NOT NULL, id TEXT NOT NULL, corrects TEXT NOT NULL, figures TEXT NOT NULL,
	PRIMARY KEY (provider, period, organization, id)){{clustered}};
`,
	// When an entry of the log got its number, in microseconds by PostgreSQL's clock. Null: an older version gave it, or SQLite.
	13: `
ALTER TABLE events ADD COLUMN numbered_at BIGINT;
`,
	// Which mails people do not want; and from where the value before a rotation is still used, by when its grace ends.
	14: `
CREATE TABLE muted_letters (user_id TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (user_id, kind));

CREATE TABLE previous_uses (
	token {{name}} NOT NULL, until BIGINT NOT NULL, ip {{name}} NOT NULL, first_at BIGINT NOT NULL, last_at BIGINT NOT NULL, uses BIGINT NOT NULL,
	PRIMARY KEY (token, until, ip)){{clustered}};
CREATE INDEX previous_uses_by_end ON previous_uses (until);
`,
	// When a token's value last changed, which versions do not tell once a backup was restored.
	15: `
ALTER TABLE tokens ADD COLUMN rotated_at BIGINT NOT NULL DEFAULT 0;
`,
}
