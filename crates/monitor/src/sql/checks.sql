-- name: all_checks
select id, name, origin, spec, standing from checks order by id;

-- name: add_check!
insert into checks (id, name, origin, spec) values ($1, $2, $3, $4) on conflict do nothing;

-- name: set_spec!
update checks set origin = $2, spec = $3 where id = $1;

-- name: set_standing!
update checks set standing = $2 where id = $1;

-- name: remove_check!
delete from checks where id = $1;

-- name: remove_named!
delete from checks where name = $1;

-- name: remove_spans!
delete from spans where check_id = $1;

-- name: remove_samples!
-- Some thousand at a time, so that no other write waits long.
delete from samples where check_id = $1 and at <= coalesce(
  (select at from samples where check_id = $1 order by at limit 1 offset 5000),
  (select max(at) from samples where check_id = $1));
