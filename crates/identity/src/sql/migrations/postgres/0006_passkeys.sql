-- Passkeys: what a person's authenticators sign with. Only public keys.
create table passkeys (
  id bytea not null constraint passkeys_id primary key,
  person uuid not null constraint passkeys_person references people (id) on delete cascade,
  name text not null,
  public_key bytea not null,
  -- How often it was used, as far as it counts: a copy shows a number that was seen before.
  counter bigint not null,
  synced boolean not null,
  created_at bigint not null,
  last_used_at bigint
);
create index passkeys_person_index on passkeys (person);
