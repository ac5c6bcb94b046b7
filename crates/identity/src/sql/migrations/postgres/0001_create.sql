-- People. The login is kept in small letters, so that unique means one name whatever the capitals.
create table people (
  id uuid not null constraint people_id primary key,
  login text not null constraint people_login unique constraint people_login_small check (login = lower(login)),
  email text not null,
  first_name text not null,
  last_name text not null,
  role text not null constraint people_role check (role in ('member', 'agent', 'superuser')),
  state text not null constraint people_state check (state in ('pending', 'active', 'disabled', 'rejected')),
  language text not null constraint people_language check (language in ('fr', 'en')),
  password_hash text not null constraint people_password_hashed check (password_hash like '$argon2id$%'),
  -- Login, names and address in small letters: what a search looks through.
  search text not null,
  created_at bigint not null,
  last_login_at bigint
);
create index people_role_state on people (role, state);
-- Living sign-ins: one that ended is not here. Of every secret only the SHA-256 is kept.
create table sessions (
  id uuid not null constraint sessions_id primary key,
  person uuid not null constraint sessions_person references people (id) on delete cascade,
  kind text not null constraint sessions_kind check (kind in ('tokens', 'browser')),
  agent text,
  created_at bigint not null,
  seen_at bigint not null,
  idle_at bigint not null,
  ends_at bigint not null,
  previous_login_at bigint
);
create index sessions_person_index on sessions (person);
create index sessions_idle_at on sessions (idle_at);
-- Secrets of sessions. A refresh token that was used stays, spent, so that a second use is noticed.
create table secrets (
  hash bytea not null constraint secrets_hash primary key constraint secrets_digest check (length(hash) = 32),
  session uuid not null constraint secrets_session references sessions (id) on delete cascade,
  spent_at bigint
);
create index secrets_session_index on secrets (session);
-- Sessions that were ended and whose access tokens have not all run out: told again to whoever starts.
create table revocations (
  session uuid not null constraint revocations_session primary key,
  until bigint not null
);
create index revocations_until on revocations (until);
