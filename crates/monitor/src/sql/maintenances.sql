-- name: maintenances
-- Those that are not over, soonest first.
select id, title, text, start_at, end_at, checks, public, by_login from maintenances where end_at > $1
order by start_at, id;

-- name: maintenance^
select id, title, text, start_at, end_at, checks, public, by_login from maintenances where id = $1;

-- name: count_maintenances$
select count(*) from maintenances where end_at > $1;

-- name: add_maintenance!
insert into maintenances (id, title, text, start_at, end_at, checks, public, by_login)
values ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: end_maintenance!
update maintenances set end_at = $2 where id = $1 and end_at > $2;

-- name: call_off!
delete from maintenances where id = $1 and start_at > $2;
