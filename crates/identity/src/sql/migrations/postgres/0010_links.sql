-- Links that are sent by mail and work once. Of the secret in a link only its SHA-256 is kept.
create table links (
  id uuid not null constraint links_id primary key,
  person uuid not null constraint links_person references people (id) on delete cascade,
  purpose text not null constraint links_purpose check (purpose in ('password', 'address')),
  -- Where it was sent; for another address, the one that it is for.
  address text not null,
  digest bytea not null constraint links_digest unique constraint links_sha256 check (length(digest) = 32),
  made_at bigint not null,
  expires_at bigint not null,
  used_at bigint
);
create index links_person_index on links (person, purpose, made_at);
create index links_expires_at on links (expires_at);
-- Logins and addresses for which somebody asked for a new password, whether anybody has them or not; looked up a moment later.
create table asked_resets (
  id uuid not null constraint asked_resets_id primary key,
  who text not null,
  at bigint not null
);
create index people_email_small on people (lower(email));
