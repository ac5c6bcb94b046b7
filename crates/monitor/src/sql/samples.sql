-- name: add_samples*! (sqlite)
insert into samples (check_id, at, state, covers, latency) values ($1, $2, $3, $4, $5) on conflict do nothing;
-- name: add_samples*! (postgres)
insert into samples (check_id, at, state, covers, latency)
select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[]) on conflict do nothing;

-- name: first_from$
-- When the first result of any check came, from $1 on.
select min(at) from samples where at >= $1;

-- name: samples_between
-- Of one check, as they came.
select check_id, at, state, covers, latency from samples where check_id = $1 and at >= $2 and at < $3 order by at;

-- name: first_sample^
-- The first of one check from $2 on, if it came before $3.
select check_id, at, state, covers, latency from samples where check_id = $1 and at >= $2 and at < $3 order by at limit 1;

-- name: drop_samples!
-- Those before $1, at most so many.
delete from samples where (check_id, at) in (select check_id, at from samples where at < $1 order by at limit $2);

-- name: drop_forgotten_samples!
delete from samples where (check_id, at) in
  (select check_id, at from samples where check_id in (select check_id from forgotten) limit $1);
