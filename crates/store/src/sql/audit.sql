-- name: audit_all*! (sqlite)
insert into audit (id, at, payload) values ($1, $2, $3) on conflict do nothing;
-- name: audit_all*! (postgres)
insert into audit (id, at, payload)
select * from unnest($1::uuid[], $2::bigint[], $3::text[]) on conflict do nothing;
