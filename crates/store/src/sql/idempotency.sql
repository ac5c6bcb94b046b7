-- name: claim!
-- Takes the key $2 of scope $1; a transaction that took it and has not ended is waited for.
insert into idempotency (scope, key, digest, reply, at) values ($1, $2, $3, null, $4) on conflict do nothing;

-- name: claimed^
select digest, reply from idempotency where scope = $1 and key = $2;

-- name: remember!
update idempotency set reply = $4 where scope = $1 and key = $2 and digest = $3;

-- name: claimed_all (sqlite)
select scope, key, digest, reply from idempotency where scope in rarray($1) and key in rarray($2);
-- name: claimed_all (postgres)
select scope, key, digest, reply from idempotency
where (scope, key) in (select * from unnest($1::text[], $2::text[]));

-- name: remember_all*! (sqlite)
insert into idempotency (scope, key, digest, reply, at) values ($1, $2, $3, $4, $5) on conflict do nothing;
-- name: remember_all*! (postgres)
insert into idempotency (scope, key, digest, reply, at)
select * from unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::bigint[]) as given (scope, key, digest, reply, at)
order by scope, key
on conflict do nothing;

-- name: forget!
-- Forgets what was answered before $1.
delete from idempotency where at < $1;
