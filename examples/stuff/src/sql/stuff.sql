-- name: now$ (sqlite)
-- Seconds since 1970.
select cast(strftime('%s', 'now') as integer);
-- name: now$ (postgres)
select cast(extract(epoch from now()) as bigint);

-- name: list_stuff (sqlite)
-- Those that look like $1, whatever their capitals, or all.
select sid, stuff from stuff where $1 is null or stuff like $1 order by sid limit 1000;
-- name: list_stuff (postgres)
select sid, stuff from stuff where cast($1 as text) is null or stuff ilike $1 escape '' order by sid limit 1000;

-- name: get_stuff^
select sid, stuff from stuff where sid = $1;

-- name: add_stuff$
insert into stuff (stuff) values ($1) returning sid;

-- name: change_stuff!
update stuff set stuff = $2 where sid = $1;

-- name: delete_stuff!
delete from stuff where sid = $1;
