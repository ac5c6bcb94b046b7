-- name: list_owners
select oid, oname, omail from owner order by oid limit 1000;

-- name: get_owner^
select oid, oname, omail from owner where oid = $1;

-- name: add_owner$
insert into owner (oname, omail) values ($1, $2) returning oid;

-- name: change_owner!
update owner set oname = $2, omail = $3 where oid = $1;

-- name: delete_owner!
delete from owner where oid = $1;

-- name: list_things (sqlite)
-- Those of the owner $1, or all.
select tid, tname, oid, tprice from thing where $1 is null or oid = $1 order by tid limit 1000;
-- name: list_things (postgres)
select tid, tname, oid, tprice from thing where cast($1 as bigint) is null or oid = $1 order by tid limit 1000;

-- name: get_thing^
select tid, tname, oid, tprice from thing where tid = $1;

-- name: add_thing$
insert into thing (tname, oid, tprice) values ($1, $2, $3) returning tid;

-- name: change_thing!
update thing set tname = $2, oid = $3, tprice = $4 where tid = $1;

-- name: delete_thing!
delete from thing where tid = $1;
