-- name: begin!
-- Nothing is put together before the first result.
insert into put_together (name, up_to, next_check) values ('results', $1, 0) on conflict do nothing;

-- name: put_together^
select up_to, next_check from put_together where name = 'results';

-- name: hold_put_together^ (sqlite)
-- The same, held until the transaction ends.
select up_to, next_check from put_together where name = 'results';
-- name: hold_put_together^ (postgres)
select up_to, next_check from put_together where name = 'results' for update;

-- name: set_put_together!
update put_together set up_to = $1, next_check = $2 where name = 'results';

-- name: checks_from
select id from checks where id >= $1 order by id limit $2;

-- name: add_spans*! (sqlite)
-- Adds to what is there; latencies are those of the whole.
insert into spans (span, check_id, start, up, degraded, down, maintenance, good, counted, latencies)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (span, check_id, start) do update set up = spans.up + excluded.up, degraded = spans.degraded + excluded.degraded,
  down = spans.down + excluded.down, maintenance = spans.maintenance + excluded.maintenance,
  good = spans.good + excluded.good, counted = spans.counted + excluded.counted,
  latencies = coalesce(excluded.latencies, spans.latencies);
-- name: add_spans*! (postgres)
insert into spans (span, check_id, start, up, degraded, down, maintenance, good, counted, latencies)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
  $8::bigint[], $9::bigint[], $10::bytea[])
on conflict (span, check_id, start) do update set up = spans.up + excluded.up, degraded = spans.degraded + excluded.degraded,
  down = spans.down + excluded.down, maintenance = spans.maintenance + excluded.maintenance,
  good = spans.good + excluded.good, counted = spans.counted + excluded.counted,
  latencies = coalesce(excluded.latencies, spans.latencies);

-- name: latencies_at (sqlite)
-- Of these checks, in the span of length $1 that begins at $2.
select check_id, latencies from spans where span = $1 and start = $2 and check_id in rarray($3) and latencies is not null;
-- name: latencies_at (postgres)
select check_id, latencies from spans where span = $1 and start = $2 and check_id = any($3) and latencies is not null;

-- name: spans_between
select start, up, degraded, down, maintenance, good, counted, latencies from spans
where span = $1 and check_id = $2 and start >= $3 and start < $4 order by start;

-- name: days_from (sqlite)
-- How the days from $2 on were spent (of length $1), of these checks.
select check_id, start, up, degraded, down, maintenance from spans
where span = $1 and start >= $2 and check_id in rarray($3);
-- name: days_from (postgres)
select check_id, start, up, degraded, down, maintenance from spans
where span = $1 and start >= $2 and check_id = any($3);

-- name: tails (sqlite)
-- What stands in no hour yet, of these checks: from $1 on, from $2 on for those numbered below $3. By check, state and the
-- day in which the results came: for how many milliseconds they speak, and how many of these lie in the day before.
select check_id, state, at / 86400000000 as day, cast(sum(covers) as bigint) as covers,
  cast(sum(min(86400000, max(0, covers - (at % 86400000000) / 1000))) as bigint) as before
from samples where at >= $1 and (at >= $2 or check_id >= $3) and check_id in rarray($4)
group by check_id, state, at / 86400000000;
-- name: tails (postgres)
select check_id, state, at / 86400000000 as day, cast(sum(covers) as bigint) as covers,
  cast(sum(least(86400000, greatest(0, covers - (at % 86400000000) / 1000))) as bigint) as before
from samples where at >= $1 and (at >= $2 or check_id >= $3) and check_id = any($4)
group by check_id, state, at / 86400000000;

-- name: drop_spans! (sqlite)
-- Of length $1, of these checks, that began before $3.
delete from spans where span = $1 and check_id in rarray($2) and start < $3;
-- name: drop_spans! (postgres)
delete from spans where span = $1 and check_id = any($2) and start < $3;

-- name: drop_forgotten_spans!
delete from spans where (span, check_id, start) in
  (select span, check_id, start from spans where span in ($1, $2) and check_id in (select check_id from forgotten) limit $3);

-- name: forget!
insert into forgotten (check_id) values ($1) on conflict do nothing;

-- name: forgotten$
select count(*) from forgotten;

-- name: clear_forgotten!
delete from forgotten;

-- name: last_forgotten$
select max(check_id) from forgotten;
