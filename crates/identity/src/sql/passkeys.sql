-- name: add_passkey!
-- Nothing when the id is known already.
insert into passkeys (id, person, name, public_key, counter, synced, created_at) values ($1, $2, $3, $4, $5, $6, $7)
on conflict (id) do nothing;

-- name: get_passkey^
select id, person, name, public_key, counter, synced, created_at, last_used_at from passkeys where id = $1;

-- name: passkeys_of
select id, person, name, public_key, counter, synced, created_at, last_used_at
from passkeys where person = $1 order by created_at desc, id limit 100;

-- name: count_passkeys$
select count(*) from passkeys where person = $1;

-- name: use_passkey!
update passkeys set counter = $2, last_used_at = $3 where id = $1;

-- name: rename_passkey!
update passkeys set name = $3 where id = $1 and person = $2;

-- name: remove_passkey!
delete from passkeys where id = $1 and person = $2;

-- name: drop_passkeys!
delete from passkeys where person = $1;
