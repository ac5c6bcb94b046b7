-- name: audit_all*! (sqlite)
insert into audit (id, at, trace_id, payload) values ($1, $2, $3, $4) on conflict do nothing;
-- name: audit_all*! (postgres)
insert into audit (id, at, trace_id, payload)
select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) on conflict do nothing;

-- name: audited
-- What was decided about one call, oldest first; at most $2 records.
select payload from audit where trace_id = $1 order by at, id limit $2;

-- name: forget_audit!
-- Forgets what was decided before $1.
delete from audit where at < $1;
