-- Accounts, their numbers, their holders.

-- name: lock_accounts (sqlite)
select id, owner, label, currency, state, iban, request, created_at from accounts where id in rarray($1);
-- name: lock_accounts (postgres)
select id, owner, label, currency, state, iban, request, created_at from accounts where id = any($1) order by id for update;

-- name: add_accounts*! (sqlite)
-- New ones, all pending.
insert into accounts (id, owner, label, folded, currency, state, iban, request, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9);
-- name: add_accounts*! (postgres)
insert into accounts (id, owner, label, folded, currency, state, iban, request, created_at)
select * from unnest(
  $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::bigint[]
);

-- name: change_accounts*! (sqlite)
update accounts set label = $2, folded = $3, state = $4, iban = $5 where id = $1;
-- name: change_accounts*! (postgres)
update accounts set label = given.label, folded = given.folded, state = given.state, iban = given.iban
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) as given (id, label, folded, state, iban)
where accounts.id = given.id;

-- name: accounts_of_ibans (sqlite)
select iban, account from ibans where iban in rarray($1) and retired_at is null;
-- name: accounts_of_ibans (postgres)
select iban, account from ibans where iban = any($1) and retired_at is null;

-- name: taken_numbers (sqlite)
select number from ibans where number in rarray($1);
-- name: taken_numbers (postgres)
select number from ibans where number = any($1);

-- name: add_ibans*! (sqlite)
-- Numbers given.
insert into ibans (iban, number, account, given_at, retired_at)
values ($1, $2, $3, $4, $5);
-- name: add_ibans*! (postgres)
insert into ibans (iban, number, account, given_at, retired_at)
select * from unnest(
  $1::text[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[]
);

-- name: retire_ibans*! (sqlite)
update ibans set retired_at = $2 where iban = $1;
-- name: retire_ibans*! (postgres)
update ibans set retired_at = given.at from unnest($1::text[], $2::bigint[]) as given (iban, at)
where ibans.iban = given.iban;

-- name: holders_among (sqlite)
select id, login, name from holders where id in rarray($1);
-- name: holders_among (postgres)
select id, login, name from holders where id = any($1);

-- name: put_holders*! (sqlite)
insert into holders (id, login, name, folded) values ($1, $2, $3, $4)
on conflict (id) do update set login = excluded.login, name = excluded.name, folded = excluded.folded;
-- name: put_holders*! (postgres)
insert into holders (id, login, name, folded)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as given (id, login, name, folded) order by id
on conflict (id) do update set login = excluded.login, name = excluded.name, folded = excluded.folded;

-- name: accounts_seen (sqlite)
select a.id, a.owner, a.label, a.currency, a.state, a.iban, a.request, a.created_at, h.name as holder
from accounts a left join holders h on h.id = a.owner where a.id in rarray($1);
-- name: accounts_seen (postgres)
select a.id, a.owner, a.label, a.currency, a.state, a.iban, a.request, a.created_at, h.name as holder
from accounts a left join holders h on h.id = a.owner where a.id = any($1);

-- name: list_accounts
-- $1 where the page begins, $2 state, $3 part of a label or holder, $4 part of an IBAN, $5 how many.
select a.id from accounts a left join holders h on h.id = a.owner
where a.id < $1 and a.state = coalesce($2, a.state)
  and (cast($3 as text) is null or a.folded like $3 escape '\' or h.folded like $3 escape '\' or a.iban like $4 escape '\')
order by a.id desc limit $5;

-- name: list_accounts_of
-- The same, of the owner $6.
select a.id from accounts a left join holders h on h.id = a.owner
where a.owner = $6 and a.id < $1 and a.state = coalesce($2, a.state)
  and (cast($3 as text) is null or a.folded like $3 escape '\' or h.folded like $3 escape '\' or a.iban like $4 escape '\')
order by a.id desc limit $5;

-- name: add_cash!
insert into cash (currency, account) values ($1, $2) on conflict do nothing;

-- name: all_cash
select currency, account from cash;

-- name: open_accounts
-- A page of the open ones after $1: for checking their numbers.
select id, iban from accounts where state = 'open' and id > $1 order by id limit $2;
