-- Events told by committed transactions, until the journal has them.
create table outbox (
  seq bigint not null constraint outbox_seq primary key,
  id uuid not null constraint outbox_id unique,
  subject text not null,
  payload text not null,
  at bigint not null
);
-- One row: the number the next event gets. Its lock keeps the sequence without gaps.
create table outbox_head (
  one bigint not null constraint outbox_head_one primary key constraint outbox_head_single check (one = 1),
  next bigint not null
) with (fillfactor = 10);
insert into outbox_head (one, next) values (1, 1);
-- What was answered to a key, so that doing twice is doing once.
create table idempotency (
  scope text not null,
  key text not null,
  digest bytea not null,
  reply text,
  at bigint not null,
  constraint idempotency_scope_key primary key (scope, key)
);
create index idempotency_at on idempotency (at);
-- Who did what, whatever became of it.
create table audit (
  id uuid not null constraint audit_id primary key,
  at bigint not null,
  payload text not null
);
create index audit_at on audit (at);
