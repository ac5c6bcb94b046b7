-- name: add_counts*! (sqlite)
insert into counts (span, start, kind, entries) values ($1, $2, $3, $4)
on conflict (span, start, kind) do update set entries = counts.entries + excluded.entries;
-- name: add_counts*! (postgres)
insert into counts (span, start, kind, entries)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
on conflict (span, start, kind) do update set entries = counts.entries + excluded.entries;

-- name: add_actor_counts*! (sqlite)
insert into actor_counts (span, start, actor_id, kind, actor_login, entries) values ($1, $2, $3, $4, $5, $6)
on conflict (span, kind, start, actor_id) do update
set entries = actor_counts.entries + excluded.entries, actor_login = excluded.actor_login;
-- name: add_actor_counts*! (postgres)
insert into actor_counts (span, start, actor_id, kind, actor_login, entries)
select * from unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::bigint[], $5::text[], $6::bigint[])
on conflict (span, kind, start, actor_id) do update
set entries = actor_counts.entries + excluded.entries, actor_login = excluded.actor_login;

-- name: counts_by_level (sqlite)
-- Over time: spans $1, from $2 up to $3, of the kinds $4.
select start, level, cast(sum(entries) as bigint) as entries from counts join kinds on kinds.id = counts.kind
where span = $1 and start >= $2 and start < $3 and kind in rarray($4) group by start, level;
-- name: counts_by_level (postgres)
select start, level, cast(sum(entries) as bigint) as entries from counts join kinds on kinds.id = counts.kind
where span = $1 and start >= $2 and start < $3 and kind = any($4) group by start, level;

-- name: counts_by_action (sqlite)
select action, cast(sum(entries) as bigint) as entries from counts join kinds on kinds.id = counts.kind
where span = $1 and start >= $2 and start < $3 and kind in rarray($4) group by action;
-- name: counts_by_action (postgres)
select action, cast(sum(entries) as bigint) as entries from counts join kinds on kinds.id = counts.kind
where span = $1 and start >= $2 and start < $3 and kind = any($4) group by action;

-- name: counts_by_actor (sqlite)
-- The busiest, of the kinds $7, at most $8 people: by the short span $5 from $1 up to $2 and from $3 up to $4, by the long
-- one $6 in between.
select max(actor_login) as login, cast(sum(entries) as bigint) as entries from (
  select actor_id, actor_login, entries from actor_counts where span = $5 and kind in rarray($7) and start >= $1 and start < $2
  union all
  select actor_id, actor_login, entries from actor_counts where span = $6 and kind in rarray($7) and start >= $2 and start < $3
  union all
  select actor_id, actor_login, entries from actor_counts where span = $5 and kind in rarray($7) and start >= $3 and start < $4) as spans
group by actor_id order by entries desc, login limit $8;
-- name: counts_by_actor (postgres)
select max(actor_login) as login, cast(sum(entries) as bigint) as entries from (
  select actor_id, actor_login, entries from actor_counts where span = $5 and kind = any($7) and start >= $1 and start < $2
  union all
  select actor_id, actor_login, entries from actor_counts where span = $6 and kind = any($7) and start >= $2 and start < $3
  union all
  select actor_id, actor_login, entries from actor_counts where span = $5 and kind = any($7) and start >= $3 and start < $4) as spans
group by actor_id order by 2 desc, 1 limit $8;
