create table things (
  id blob not null constraint things_id primary key,
  owner blob constraint things_owner references things (id),
  name text not null constraint things_name unique,
  note text,
  amount bigint not null constraint things_amount_positive check (amount >= 0),
  open integer not null,
  secret blob,
  at bigint not null
);
