create table things (
  id uuid not null constraint things_id primary key,
  owner uuid constraint things_owner references things (id),
  name text not null constraint things_name unique,
  note text,
  amount bigint not null constraint things_amount_positive check (amount >= 0),
  open boolean not null,
  secret bytea,
  at bigint not null
);
