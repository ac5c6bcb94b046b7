-- How and when the person of a session last proved who they are.
alter table sessions add column authenticated_at bigint not null default 0;
alter table sessions add column proof text not null default 'password'
  constraint sessions_proof check (proof in ('password', 'code', 'passkey'));
update sessions set authenticated_at = created_at;
-- Authenticator apps. The secret is encrypted for its person; codes are asked for once it is confirmed.
create table totp (
  person uuid not null constraint totp_person primary key constraint totp_known references people (id) on delete cascade,
  secret bytea not null,
  created_at bigint not null,
  confirmed_at bigint,
  -- The step of the last code that was taken: no code of it or of an earlier one is taken again.
  last_step bigint
);
-- Recovery codes that were not used: only their SHA-256.
create table recovery_codes (
  hash bytea not null constraint recovery_codes_hash primary key
    constraint recovery_codes_digest check (length(hash) = 32),
  person uuid not null constraint recovery_codes_person references people (id) on delete cascade
);
create index recovery_codes_person_index on recovery_codes (person);
