-- Failures in a row, by a keyed hash of what was typed as a login, of a known browser, or of a session.
create table attempts (
  subject bytea not null constraint attempts_subject primary key constraint attempts_digest check (length(subject) = 32),
  kind text not null constraint attempts_kind check (kind in ('login', 'device', 'session')),
  -- Nobody, for a name that nobody has.
  person uuid constraint attempts_person references people (id) on delete cascade,
  failures bigint not null constraint attempts_failures check (failures >= 0),
  failed_at bigint not null,
  blocked_until bigint not null
);
create index attempts_person_index on attempts (person);
create index attempts_strangers on attempts (failed_at) where person is null;
-- Browsers that somebody signed in with: of the secret that each was given only the SHA-256 is kept.
create table devices (
  hash bytea not null constraint devices_hash primary key constraint devices_digest check (length(hash) = 32),
  person uuid not null constraint devices_person references people (id) on delete cascade,
  seen_at bigint not null
);
create index devices_person_index on devices (person, seen_at);
