-- What each account holds. `entries` is how many entries it has: the number of the last one. Room is left on each page,
-- and no index stands on what changes, so that an update stays on its page.
create table balance (
  account uuid not null constraint balance_account primary key,
  currency text not null constraint balance_currency check (length(currency) = 3),
  booked bigint not null default 0,
  held bigint not null default 0 constraint balance_held check (held >= 0),
  floor bigint,
  entries bigint not null default 0 constraint balance_entries check (entries >= 0),
  constraint balance_floor check (floor is null or booked - held >= floor)
) with (fillfactor = 70);
-- A movement: two entries that sum to zero.
create table transfer (
  id uuid not null constraint transfer_id primary key,
  kind text not null,
  at bigint not null,
  debit uuid not null,
  credit uuid not null,
  amount bigint not null constraint transfer_amount check (amount > 0),
  constraint transfer_accounts check (debit <> credit)
);
-- What a movement did to one account. Found in the order of each account's history by its key. No foreign keys: they
-- would cost a lookup per entry; the ledger's own check finds a stray entry.
create table entry (
  account uuid not null,
  seq bigint not null,
  transfer uuid not null,
  amount bigint not null constraint entry_amount check (amount <> 0),
  balance_after bigint not null,
  at bigint not null,
  constraint entry_account_seq primary key (account, seq)
);
-- Funds set aside.
create table hold (
  id uuid not null constraint hold_id primary key,
  account uuid not null references balance (account),
  amount bigint not null constraint hold_amount check (amount > 0),
  state text not null constraint hold_state check (state in ('open', 'posted', 'released'))
);
-- The past is not rewritten.
create function ledger_append_only() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name
    using errcode = 'integrity_constraint_violation', constraint = tg_table_name || '_append_only';
end $$;
create trigger entry_append_only before update or delete or truncate on entry
  for each statement execute function ledger_append_only();
create trigger transfer_append_only before update or delete or truncate on transfer
  for each statement execute function ledger_append_only();
-- A hold is resolved once and never forgotten.
create trigger hold_append_only before delete or truncate on hold
  for each statement execute function ledger_append_only();
create function hold_resolved_once() returns trigger language plpgsql as $$
begin
  raise exception 'a hold is resolved once'
    using errcode = 'integrity_constraint_violation', constraint = 'hold_resolved_once';
end $$;
create trigger hold_resolved_once before update on hold for each row
  when (old.state <> 'open' or new.account <> old.account or new.amount <> old.amount or new.id <> old.id)
  execute function hold_resolved_once();
