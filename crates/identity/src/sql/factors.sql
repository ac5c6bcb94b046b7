-- name: put_totp!
-- A new secret, not confirmed yet. One that is confirmed stays.
insert into totp (person, secret, created_at) values ($1, $2, $3)
on conflict (person) do update set secret = excluded.secret, created_at = excluded.created_at
where totp.confirmed_at is null;

-- name: get_totp^
select secret, confirmed_at, last_step from totp where person = $1;

-- name: take_step!
-- A code of step $2 was taken; the first one confirms. Nothing when that step or a later one was taken before.
update totp set last_step = $2, confirmed_at = coalesce(confirmed_at, $3)
where person = $1 and (last_step is null or last_step < $2);

-- name: remove_totp!
delete from totp where person = $1;

-- name: add_recovery_codes*! (sqlite)
insert into recovery_codes (hash, person) values ($1, $2);
-- name: add_recovery_codes*! (postgres)
insert into recovery_codes (hash, person) select * from unnest($1::bytea[], $2::uuid[]);

-- name: spend_recovery_code!
delete from recovery_codes where hash = $1 and person = $2;

-- name: drop_recovery_codes!
delete from recovery_codes where person = $1;

-- name: count_recovery_codes$
select count(*) from recovery_codes where person = $1;
