-- Text before the first name belongs to nobody.

-- name: add_thing!
-- Parameters out of order, on purpose.
insert into things (at, id, owner, name, note, amount, open, secret)
values ($8, $1, $2, $3, $4, $5, $6, $7);

-- name: get_thing^
select * from things where id = $1;

-- name: all_things
select * from things order by name;

-- name: any_thing^
select * from things;

-- name: count_things$
select count(*) from things;

-- name: total$
select cast(coalesce(sum(amount), 0) as bigint) from things;

-- name: note_of$
select note from things where name = $1;

-- name: swapped^
select cast($2 as bigint) as second, cast($1 as bigint) as first;

-- name: move!
update things set amount = amount + $2 where name = $1;

-- name: among (sqlite)
select name from things where id in rarray($1) order by name;
-- name: among (postgres)
select name from things where id = any($1) order by name;

-- name: add_things*! (sqlite)
insert into things (id, owner, name, note, amount, open, secret, at) values ($1, null, $2, $3, $4, $5, $6, $7);
-- name: add_things*! (postgres)
insert into things (id, owner, name, note, amount, open, secret, at)
select id, null, name, note, amount, open, secret, at
from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::bytea[], $7::bigint[])
  as given (id, name, note, amount, open, secret, at);

-- name: clear#
delete from things where owner is not null;
delete from things;

-- name: forever$ (sqlite)
with recursive numbers (n) as (select 1 union all select n + 1 from numbers) select count(*) from numbers;
-- name: forever$ (postgres)
select 1::bigint from pg_sleep(3600);

-- name: grow#
alter table things add column more text;

-- name: cut_others (sqlite)
select 1;
-- name: cut_others (postgres)
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid();

-- name: session$ (sqlite)
select 1;
-- name: session$ (postgres)
select pg_backend_pid()::bigint;

-- name: durable$ (sqlite)
-- 2 is FULL: a commit waits until the write-ahead log is on the disk.
select synchronous = 2 and (select journal_mode from pragma_journal_mode) = 'wal' from pragma_synchronous;
-- name: durable$ (postgres)
select current_setting('synchronous_commit') = 'on';
