-- name: hold_accounts (sqlite)
-- Whose these holds are; that never changes, so it can be read before the lock.
select distinct account from hold where id in rarray($1);
-- name: hold_accounts (postgres)
select distinct account from hold where id = any($1);

-- name: lock_balances (sqlite)
-- The balances of these accounts, theirs until the end of the transaction, taken in one order by everyone.
select account, currency, booked, held, floor, entries from balance where account in rarray($1);
-- name: lock_balances (postgres)
select account, currency, booked, held, floor, entries from balance where account = any($1)
order by account for update;

-- name: holds_among (sqlite)
select id, account, amount, state from hold where id in rarray($1);
-- name: holds_among (postgres)
select id, account, amount, state from hold where id = any($1);

-- name: balances_among (sqlite)
select account, currency, booked, held, floor, entries from balance where account in rarray($1);
-- name: balances_among (postgres)
select account, currency, booked, held, floor, entries from balance where account = any($1);

-- name: add_balances*! (sqlite)
insert into balance (account, currency, booked, held, floor, entries) values ($1, $2, $3, $4, $5, $6);
-- name: add_balances*! (postgres)
insert into balance (account, currency, booked, held, floor, entries)
select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]);

-- name: set_balances*! (sqlite)
update balance set booked = $2, held = $3, entries = $4 where account = $1;
-- name: set_balances*! (postgres)
update balance set booked = given.booked, held = given.held, entries = given.entries
from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[]) as given (account, booked, held, entries)
where balance.account = given.account;

-- name: add_transfers*! (sqlite)
insert into transfer (id, kind, at, debit, credit, amount) values ($1, $2, $3, $4, $5, $6);
-- name: add_transfers*! (postgres)
insert into transfer (id, kind, at, debit, credit, amount)
select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::uuid[], $5::uuid[], $6::bigint[]);

-- name: add_entries*! (sqlite)
insert into entry (account, seq, transfer, amount, balance_after, at) values ($1, $2, $3, $4, $5, $6);
-- name: add_entries*! (postgres)
insert into entry (account, seq, transfer, amount, balance_after, at)
select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[]);

-- name: add_holds*! (sqlite)
insert into hold (id, account, amount, state) values ($1, $2, $3, $4);
-- name: add_holds*! (postgres)
insert into hold (id, account, amount, state)
select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[]);

-- name: resolve_holds*! (sqlite)
update hold set state = $2 where id = $1;
-- name: resolve_holds*! (postgres)
update hold set state = given.state from unnest($1::uuid[], $2::text[]) as given (id, state) where hold.id = given.id;

-- name: entries_before
-- The entries of account $1 made from $2 until before $3, newest first, older than number $4, at most $5.
select entry.seq, entry.transfer, entry.at, entry.amount, entry.balance_after, balance.currency, transfer.kind,
  case when transfer.debit = entry.account then transfer.credit else transfer.debit end as other
from entry
join transfer on transfer.id = entry.transfer
join balance on balance.account = entry.account
where entry.account = $1 and entry.at >= $2 and entry.at < $3 and entry.seq < $4
order by entry.seq desc limit $5;

-- name: balance_before$
-- What account $1 held just before $2; no row when it had no entry.
select balance_after from entry where account = $1 and at < $2 order by seq desc limit 1;
