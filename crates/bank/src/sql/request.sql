-- Requests.

-- name: lock_requests (sqlite)
select id, kind, state, maker, checker, account, account_owner, payee, payee_owner, payee_asked, payee_iban, amount, currency, reference, reason, created_at, decided_at, expires_at, digest from requests where id in rarray($1);
-- name: lock_requests (postgres)
select id, kind, state, maker, checker, account, account_owner, payee, payee_owner, payee_asked, payee_iban, amount, currency, reference, reason, created_at, decided_at, expires_at, digest from requests where id = any($1) order by id for update;

-- name: add_requests*! (sqlite)
-- New ones, all pending.
insert into requests (id, kind, state, maker, checker, account, account_owner, payee, payee_owner, payee_asked, payee_iban, amount, currency, reference, reason, created_at, decided_at, expires_at, digest)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19);
-- name: add_requests*! (postgres)
insert into requests (id, kind, state, maker, checker, account, account_owner, payee, payee_owner, payee_asked, payee_iban, amount, currency, reference, reason, created_at, decided_at, expires_at, digest)
select * from unnest(
  $1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[], $9::uuid[], $10::text[], $11::text[], $12::bigint[], $13::text[], $14::text[], $15::text[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bytea[]
);

-- name: decide_requests*! (sqlite)
update requests set state = $2, checker = $3, reason = $4, decided_at = $5 where id = $1 and state = 'pending';
-- name: decide_requests*! (postgres)
update requests set state = given.state, checker = given.checker, reason = given.reason, decided_at = given.decided_at
from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::bigint[]) as given (id, state, checker, reason, decided_at)
where requests.id = given.id and requests.state = 'pending';

-- name: pending_concerning (sqlite)
-- How many wait that the owner of each account made and that concern it.
select account, count(*) as waiting from (
  select account from requests where state = 'pending' and account in rarray($1)
  union all
  select payee as account from requests where state = 'pending' and payee in rarray($1) and payee_owner = maker
) as concerned group by account;
-- name: pending_concerning (postgres)
select account, count(*) as waiting from (
  select account from requests where state = 'pending' and account = any($1)
  union all
  select payee as account from requests where state = 'pending' and payee = any($1) and payee_owner = maker
) as concerned group by account;

-- name: requests_seen (sqlite)
-- With the names that people read.
select r.id, r.kind, r.state, r.maker, r.checker, r.account, r.account_owner, r.payee, r.payee_owner, r.payee_asked, r.payee_iban, r.amount, r.currency, r.reference, r.reason, r.created_at, r.decided_at, r.expires_at, r.digest,
  a.label as account_label, a.iban as account_iban, o.name as owner_name, m.name as maker_name, c.name as checker_name,
  p.name as payee_name
from requests r join accounts a on a.id = r.account left join holders o on o.id = r.account_owner
  left join holders m on m.id = r.maker left join holders c on c.id = r.checker left join holders p on p.id = r.payee_owner
where r.id in rarray($1);
-- name: requests_seen (postgres)
select r.id, r.kind, r.state, r.maker, r.checker, r.account, r.account_owner, r.payee, r.payee_owner, r.payee_asked, r.payee_iban, r.amount, r.currency, r.reference, r.reason, r.created_at, r.decided_at, r.expires_at, r.digest,
  a.label as account_label, a.iban as account_iban, o.name as owner_name, m.name as maker_name, c.name as checker_name,
  p.name as payee_name
from requests r join accounts a on a.id = r.account left join holders o on o.id = r.account_owner
  left join holders m on m.id = r.maker left join holders c on c.id = r.checker left join holders p on p.id = r.payee_owner
where r.id = any($1);

-- name: pending_newest
-- Of those that wait. $1 where the page begins, $2 state, $3 kind, $4 account, $5 maker, $6 how many.
select id from requests
where state = 'pending' and id < $1
  and state = coalesce($2, state) and kind = coalesce($3, kind) and coalesce($4, account) in (account, payee)
  and maker = coalesce($5, maker)
order by id desc limit $6;

-- name: pending_oldest
-- Of those that wait, with the same parameters.
select id from requests
where state = 'pending' and id > $1
  and state = coalesce($2, state) and kind = coalesce($3, kind) and coalesce($4, account) in (account, payee)
  and maker = coalesce($5, maker)
order by id asc limit $6;

-- name: of_maker_newest
-- Of one maker's, with the same parameters.
select id from requests
where maker = $5 and id < $1
  and state = coalesce($2, state) and kind = coalesce($3, kind) and coalesce($4, account) in (account, payee)
  and maker = coalesce($5, maker)
order by id desc limit $6;

-- name: of_maker_oldest
-- Of one maker's, with the same parameters.
select id from requests
where maker = $5 and id > $1
  and state = coalesce($2, state) and kind = coalesce($3, kind) and coalesce($4, account) in (account, payee)
  and maker = coalesce($5, maker)
order by id asc limit $6;

-- name: of_account_newest
-- Of one account's, with the same parameters.
select id from requests
where (account = $4 or payee = $4) and id < $1
  and state = coalesce($2, state) and kind = coalesce($3, kind) and coalesce($4, account) in (account, payee)
  and maker = coalesce($5, maker)
order by id desc limit $6;

-- name: of_account_oldest
-- Of one account's, with the same parameters.
select id from requests
where (account = $4 or payee = $4) and id > $1
  and state = coalesce($2, state) and kind = coalesce($3, kind) and coalesce($4, account) in (account, payee)
  and maker = coalesce($5, maker)
order by id asc limit $6;

-- name: all_newest
-- Of all, with the same parameters.
select id from requests
where true and id < $1
  and state = coalesce($2, state) and kind = coalesce($3, kind) and coalesce($4, account) in (account, payee)
  and maker = coalesce($5, maker)
order by id desc limit $6;

-- name: all_oldest
-- Of all, with the same parameters.
select id from requests
where true and id > $1
  and state = coalesce($2, state) and kind = coalesce($3, kind) and coalesce($4, account) in (account, payee)
  and maker = coalesce($5, maker)
order by id asc limit $6;

-- name: due
-- Those that waited until $1 or longer, oldest first.
select id from requests where state = 'pending' and expires_at <= $1 order by id limit $2;

-- name: decided_by_its_own$
-- How many were decided by their maker or by someone they benefit.
select count(*) from requests
where checker is not null and (checker = maker or checker = account_owner or (payee_owner is not null and checker = payee_owner));

-- name: wrongly_held$
-- How many wait without exactly their funds set aside.
select count(*) from requests r left join hold h on h.id = r.id
where r.state = 'pending' and r.kind in ('withdrawal', 'transfer')
  and (h.id is null or h.state <> 'open' or h.account <> r.account or h.amount <> r.amount);

-- name: forgotten_holds$
-- How many funds are set aside for a request that does not wait.
select count(*) from hold h left join requests r on r.id = h.id
where h.state = 'open' and (r.id is null or r.state <> 'pending');
