-- name: set_aside!
insert into quarantine (digest, source, subject, seq, event_id, first_at, times, why, bytes, given_up)
values ($1, $2, $3, $4, $5, $6, 1, $7, $8, $9)
on conflict (digest) do update
set times = quarantine.times + 1, given_up = quarantine.given_up or excluded.given_up;

-- name: aside_of$
-- How many others of this source are set aside.
select count(*) from quarantine where source = $1 and digest <> $2;

-- name: aside
select digest, source, subject, seq, event_id, first_at, times, why, bytes, given_up from quarantine
order by first_at, digest;

-- name: any_aside$
select count(*) from quarantine where given_up or seq is null;

-- name: remove_aside!
delete from quarantine where digest = $1;

-- name: receiver^
select holder, beat from receiver where one = 1;

-- name: hold!
update receiver set holder = $1, beat = beat + 1 where one = 1 and beat = $2;

-- name: let_go!
update receiver set holder = null, beat = beat + 1 where one = 1 and holder = $1;

-- name: newest_key^
select id, number from sealing_keys order by number desc limit 1;

-- name: add_key!
insert into sealing_keys (id, number) values ($1, $2) on conflict do nothing;
