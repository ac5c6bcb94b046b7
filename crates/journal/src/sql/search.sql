-- Where the entries are that are asked for, newest first: ($1, $2) is the time and the id before which they stand, $3 the
-- earliest time, $4 the kinds, $5 how many. There is one text for each filter that can be the narrowest; the others are
-- looked at entry by entry. Where they may not choose another index, columns are written `kind + 0`.

-- name: spots (sqlite)
-- By time alone.
select at, id, kind, actor_id, actor_login from entries
where (at, id) < ($1, $2) and at >= $3 and kind + 0 in rarray($4)
order by at desc, id desc limit $5;
-- name: spots (postgres)
select at, id, kind, actor_id, actor_login from entries
where (at, id) < ($1, $2) and at >= $3 and kind + 0 = any($4)
order by at desc, id desc limit $5;

-- name: spots_of_kinds (sqlite)
-- The newest of each kind, and of these the newest.
select at, id, kind, actor_id, actor_login from rarray($4) as wanted cross join entries on entries.rowid in (
  select one.rowid from entries as one
  where one.kind = wanted.value and (one.at, one.id) < ($1, $2) and one.at >= $3
  order by one.at desc, one.id desc limit $5)
order by at desc, id desc limit $5;
-- name: spots_of_kinds (postgres)
select found.* from unnest(cast($4 as bigint[])) as wanted (kind) cross join lateral (
  select at, id, entries.kind, actor_id, actor_login from entries
  where entries.kind = wanted.kind and (at, id) < ($1, $2) and at >= $3
  order by at desc, id desc limit $5) as found
order by at desc, id desc limit $5;

-- name: spots_for (sqlite)
-- What concerns one person ($6) and is meant for them.
select at, id, kind, actor_id, actor_login from entries
where subject_id = $6 and audience = 'members' and (at, id) < ($1, $2) and at >= $3 and kind + 0 in rarray($4)
  and (trace_id = $7 or $7 is null)
order by at desc, id desc limit $5;
-- name: spots_for (postgres)
select at, id, kind, actor_id, actor_login from entries
where subject_id = $6 and audience = 'members' and (at, id) < ($1, $2) and at >= $3 and kind + 0 = any($4)
  and (trace_id = $7 or $7 is null)
order by at desc, id desc limit $5;

-- name: spots_of_people (sqlite)
-- What these people ($6) did and what concerns them, while they had this login ($7) where one is named.
select at, id, kind, actor_id, actor_login from rarray($6) as person cross join entries on entries.rowid in (
  select one.rowid from entries as one
  where one.actor_id = person.value and (one.actor_login = $7 or $7 is null) and (one.at, one.id) < ($1, $2)
    and one.at >= $3 and one.kind + 0 in rarray($4)
  order by one.at desc, one.id desc limit $5)
union
select at, id, kind, actor_id, actor_login from rarray($6) as person cross join entries on entries.rowid in (
  select one.rowid from entries as one
  where one.subject_id = person.value and (one.subject_login = $7 or $7 is null) and (one.at, one.id) < ($1, $2)
    and one.at >= $3 and one.kind + 0 in rarray($4)
  order by one.at desc, one.id desc limit $5)
order by at desc, id desc limit $5;
-- name: spots_of_people (postgres)
select found.* from unnest(cast($6 as uuid[])) as person (id) cross join lateral (
  select at, one.id, kind, actor_id, actor_login from entries as one
  where one.actor_id = person.id and (one.actor_login = $7 or $7 is null) and (one.at, one.id) < ($1, $2)
    and one.at >= $3 and one.kind + 0 = any($4)
  order by one.at desc, one.id desc limit $5) as found
union
select found.* from unnest(cast($6 as uuid[])) as person (id) cross join lateral (
  select at, one.id, kind, actor_id, actor_login from entries as one
  where one.subject_id = person.id and (one.subject_login = $7 or $7 is null) and (one.at, one.id) < ($1, $2)
    and one.at >= $3 and one.kind + 0 = any($4)
  order by one.at desc, one.id desc limit $5) as found
order by at desc, id desc limit $5;

-- name: spots_of_trace (sqlite)
-- What one call ($6) caused, of one person by id ($7) or login ($8) or of everybody.
select at, id, kind, actor_id, actor_login from entries
where trace_id = $6 and (at, id) < ($1, $2) and at >= $3 and kind + 0 in rarray($4)
  and (actor_id = $7 or subject_id = $7 or $7 is null) and (actor_login = $8 or subject_login = $8 or $8 is null)
order by at desc, id desc limit $5;
-- name: spots_of_trace (postgres)
select at, id, kind, actor_id, actor_login from entries
where trace_id = $6 and (at, id) < ($1, $2) and at >= $3 and kind + 0 = any($4)
  and (actor_id = $7 or subject_id = $7 or $7 is null) and (actor_login = $8 or subject_login = $8 or $8 is null)
order by at desc, id desc limit $5;

-- name: spots_of_words (sqlite)
-- All that hold the words, of which there are few; of one person by id ($6) or login ($7) or of everybody.
with found as materialized (select rowid as place from entry_words where entry_words match $8)
select at, id, kind, actor_id, actor_login from found cross join entries on entries.place = found.place
where (at, id) < ($1, $2) and at >= $3 and kind + 0 in rarray($4)
  and (actor_id = $6 or subject_id = $6 or $6 is null) and (actor_login = $7 or subject_login = $7 or $7 is null)
order by at desc, id desc limit $5;
-- name: spots_of_words (postgres)
with found as materialized (select place from entry_words where words @@ cast(cast($8 as text) as tsquery))
select at, id, kind, actor_id, actor_login from found join entries on entries.place = found.place
where (at, id) < ($1, $2) and at >= $3 and kind + 0 = any($4)
  and (actor_id = $6 or subject_id = $6 or $6 is null) and (actor_login = $7 or subject_login = $7 or $7 is null)
order by at desc, id desc limit $5;

-- name: count_words$ (sqlite)
-- How many entries hold the words, as far as $2.
select count(*) from (select 1 from entry_words where entry_words match $1 limit $2) as matched;
-- name: count_words$ (postgres)
select count(*) from (select 1 from entry_words where words @@ cast(cast($1 as text) as tsquery) limit $2) as matched;

-- name: plan_by_values# (sqlite)
select 1;
-- name: plan_by_values# (postgres)
-- How many entries hold a word, only the word itself tells the planner.
set local plan_cache_mode = force_custom_plan;
