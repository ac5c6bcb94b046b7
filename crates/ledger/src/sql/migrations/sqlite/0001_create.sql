-- What each account holds. `entries` is how many entries it has: the number of the last one.
create table balance (
  account blob not null constraint balance_account primary key,
  currency text not null constraint balance_currency check (length(currency) = 3),
  booked bigint not null default 0,
  held bigint not null default 0 constraint balance_held check (held >= 0),
  floor bigint,
  entries bigint not null default 0 constraint balance_entries check (entries >= 0),
  constraint balance_floor check (floor is null or booked - held >= floor)
) without rowid;
-- A movement: two entries that sum to zero.
create table transfer (
  id blob not null constraint transfer_id primary key,
  kind text not null,
  at bigint not null,
  debit blob not null,
  credit blob not null,
  amount bigint not null constraint transfer_amount check (amount > 0),
  constraint transfer_accounts check (debit <> credit)
) without rowid;
-- What a movement did to one account. Kept in the order of each account's history, which is then one seek. No foreign
-- keys: they would cost a lookup per entry; the ledger's own check finds a stray entry.
create table entry (
  account blob not null,
  seq bigint not null,
  transfer blob not null,
  amount bigint not null constraint entry_amount check (amount <> 0),
  balance_after bigint not null,
  at bigint not null,
  constraint entry_account_seq primary key (account, seq)
) without rowid;
-- Funds set aside.
create table hold (
  id blob not null constraint hold_id primary key,
  account blob not null references balance (account),
  amount bigint not null constraint hold_amount check (amount > 0),
  state text not null constraint hold_state check (state in ('open', 'posted', 'released'))
) without rowid;
-- The past is not rewritten.
create trigger entry_no_update before update on entry begin select raise(abort, 'entry_append_only'); end;
create trigger entry_no_delete before delete on entry begin select raise(abort, 'entry_append_only'); end;
create trigger transfer_no_update before update on transfer begin select raise(abort, 'transfer_append_only'); end;
create trigger transfer_no_delete before delete on transfer begin select raise(abort, 'transfer_append_only'); end;
-- A hold is resolved once and never forgotten.
create trigger hold_no_delete before delete on hold begin select raise(abort, 'hold_append_only'); end;
create trigger hold_resolved_once before update on hold
  when old.state <> 'open' or new.account <> old.account or new.amount <> old.amount or new.id <> old.id
  begin select raise(abort, 'hold_resolved_once'); end;
