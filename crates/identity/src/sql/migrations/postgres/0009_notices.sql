-- What people are told of: each event once for each person. The pages show them; some leave as mails.
create table notices (
  id uuid not null constraint notices_id primary key,
  event uuid not null,
  person uuid not null constraint notices_person references people (id) on delete cascade,
  action text not null,
  detail text,
  at bigint not null,
  read_at bigint,
  constraint notices_once unique (event, person)
);
create index notices_person_index on notices (person, id);
create index notices_unread on notices (person) where read_at is null;
create index notices_at on notices (at);
-- Mails that leave, left, or were given up. The address is the one of that time: who changes it must not silence the warning.
create table mails (
  id uuid not null constraint mails_id primary key,
  event uuid not null,
  person uuid not null constraint mails_person references people (id) on delete cascade,
  address text not null,
  action text not null,
  detail text,
  at bigint not null,
  state text not null constraint mails_state check (state in ('waiting', 'sent', 'failed')),
  tries bigint not null default 0,
  due_at bigint not null,
  -- Whoever sends it holds it until then; the instance that holds it.
  held_until bigint not null default 0,
  holder bytea,
  settled_at bigint,
  problem text,
  constraint mails_once unique (event, person, address)
);
create index mails_due on mails (due_at) where state = 'waiting';
create index mails_waiting on mails (at) where state = 'waiting';
create index mails_settled on mails (settled_at) where state <> 'waiting';
create index mails_person_index on mails (person);
-- Which mails a person wants; without a row, the usual ones. Those about security cannot be chosen.
create table mail_choices (
  person uuid not null constraint mail_choices_person primary key references people (id) on delete cascade,
  sign_ins text not null constraint mail_choices_sign_ins check (sign_ins in ('every', 'new', 'never')),
  requests boolean not null,
  transfers boolean not null
);
-- Networks that a person signed in from before, as keyed hashes: to tell them of a new one.
create table networks (
  person uuid not null constraint networks_person references people (id) on delete cascade,
  digest bytea not null constraint networks_digest check (length(digest) = 32),
  seen_at bigint not null,
  constraint networks_key primary key (person, digest)
);
create index networks_seen_at on networks (seen_at);
