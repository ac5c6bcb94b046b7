-- What came from the broker and cannot be used, until a person has looked at it.
create table quarantine (
  -- Of the whole message: one that comes again is the same.
  digest bytea not null constraint quarantine_digest primary key,
  -- Whose it is, by the broker's rights; what it claims to be follows.
  source text not null,
  subject text not null,
  seq bigint,
  event_id uuid,
  first_at bigint not null,
  -- How often it came.
  times bigint not null,
  why text not null,
  bytes bytea not null,
  -- Whether better copies were asked for in vain: its source has given it up.
  given_up boolean not null
);
create index quarantine_source on quarantine (source);
-- Which of several instances receives. Its holder counts up; one that stands still for a while is gone.
create table receiver (
  one bigint not null constraint receiver_one primary key constraint receiver_single check (one = 1),
  holder uuid,
  beat bigint not null
);
insert into receiver (one, beat) values (1, 0);
-- The keys that sources were told to seal with: an instance without the newest would not read what comes.
create table sealing_keys (
  id text not null constraint sealing_keys_id primary key,
  number bigint not null
);
