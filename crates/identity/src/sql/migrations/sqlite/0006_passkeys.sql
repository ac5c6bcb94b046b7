-- Passkeys: what a person's authenticators sign with. Only public keys.
create table passkeys (
  id blob not null constraint passkeys_id primary key,
  person blob not null constraint passkeys_person references people (id) on delete cascade,
  name text not null,
  public_key blob not null,
  -- How often it was used, as far as it counts: a copy shows a number that was seen before.
  counter integer not null,
  synced integer not null,
  created_at integer not null,
  last_used_at integer
);
create index passkeys_person_index on passkeys (person);
