-- Tokens that people make for programs. The token itself is signed and shown once: only its SHA-256 stands here.
create table personal_tokens (
  id blob not null constraint personal_tokens_id primary key,
  person blob not null constraint personal_tokens_person references people (id) on delete cascade,
  name text not null,
  scopes text not null,
  jkt text,
  hash blob not null constraint personal_tokens_digest check (length(hash) = 32),
  created_at integer not null,
  expires_at integer not null,
  constraint personal_tokens_ends check (expires_at > created_at)
);
create index personal_tokens_person_index on personal_tokens (person);
-- Those that were ended before their time: verifiers that start have to know them.
create table revoked_tokens (
  id blob not null constraint revoked_tokens_id primary key,
  until integer not null
);
