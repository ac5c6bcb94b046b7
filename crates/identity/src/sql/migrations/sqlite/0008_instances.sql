-- What the instances of this service know of one another.

-- The public keys that their access tokens are signed with. Private ones never leave their machine.
create table signing_keys (
  kid text not null constraint signing_keys_kid primary key,
  -- Whose it is: an instance takes back keys of its own only.
  instance blob not null constraint signing_keys_instance check (length(instance) = 32),
  jwk text not null,
  published_at integer not null,
  -- Believed until then, and as long as there is a personal token that it signed.
  until integer not null
);
-- Which key signed it; unknown for those that were made before this column.
alter table personal_tokens add column kid text;
create index personal_tokens_kid_index on personal_tokens (kid, expires_at);
-- By what all instances know that they hold the same secret: its SHA-256.
create table shared_secret (
  one integer not null constraint shared_secret_one primary key constraint shared_secret_single check (one = 1),
  fingerprint blob not null constraint shared_secret_digest check (length(fingerprint) = 32)
);
-- Challenges of passkeys that were answered: by their SHA-256, for as long as they could be answered again.
create table spent_challenges (
  digest blob not null constraint spent_challenges_digest primary key constraint spent_challenges_length check (length(digest) = 32),
  until integer not null
);
