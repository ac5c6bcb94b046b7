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

-- name: check_named^
select id, spec from checks where name = $1;
