-- Lists are newest first and go on before ($1, $2): a time and an id. $3 is the earliest time, $4 the action and $5 the
-- level, both optional, $6 how many, $7 whose. Each filter that can be the narrowest has a text that its index serves.

-- name: add_entries*! (sqlite)
insert into entries
  (id, source, seq, at, audience, level, action, actor_id, actor_login, subject_id, subject_login, message, details,
  trace_id, raw)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);
-- name: add_entries*! (postgres)
insert into entries
  (id, source, seq, at, audience, level, action, actor_id, actor_login, subject_id, subject_login, message, details,
  trace_id, raw)
select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::uuid[],
  $9::text[], $10::uuid[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[]);

-- name: known_among (sqlite)
select id from entries where id in rarray($1);
-- name: known_among (postgres)
select id from entries where id = any($1);

-- name: entries
-- All of them.
select id, source, at, audience, level, action, actor_id, actor_login, subject_id, subject_login,
  message, details, trace_id
from entries
where (at, id) < ($1, $2) and at >= $3
  and (cast($4 as text) is null or action = $4) and (cast($5 as text) is null or level = $5)
order by at desc, id desc
limit $6;

-- name: entries_of_action
-- Those of one action.
select id, source, at, audience, level, action, actor_id, actor_login, subject_id, subject_login,
  message, details, trace_id
from entries
where action = $4 and (at, id) < ($1, $2) and at >= $3
  and (cast($5 as text) is null or level = $5)
order by at desc, id desc
limit $6;

-- name: entries_of_level
-- Those of one level.
select id, source, at, audience, level, action, actor_id, actor_login, subject_id, subject_login,
  message, details, trace_id
from entries
where level = $5 and (at, id) < ($1, $2) and at >= $3
  and (cast($4 as text) is null or action = $4)
order by at desc, id desc
limit $6;

-- name: entries_for
-- What concerns one person and is meant for them.
select id, source, at, audience, level, action, actor_id, actor_login, subject_id, subject_login,
  message, details, trace_id
from entries
where subject_id = $7 and audience = 'members' and (at, id) < ($1, $2) and at >= $3
  and (cast($4 as text) is null or action = $4) and (cast($5 as text) is null or level = $5)
order by at desc, id desc
limit $6;

-- name: entries_of_person
-- What one person did and what concerns them.
select * from (
  select id, source, at, audience, level, action, actor_id, actor_login, subject_id, subject_login,
    message, details, trace_id
  from entries
  where actor_id = $7 and (at, id) < ($1, $2) and at >= $3
    and (cast($4 as text) is null or action = $4) and (cast($5 as text) is null or level = $5)
  order by at desc, id desc
  limit $6
) as done
union
select * from (
  select id, source, at, audience, level, action, actor_id, actor_login, subject_id, subject_login,
    message, details, trace_id
  from entries
  where subject_id = $7 and (at, id) < ($1, $2) and at >= $3
    and (cast($4 as text) is null or action = $4) and (cast($5 as text) is null or level = $5)
  order by at desc, id desc
  limit $6
) as undergone
order by at desc, id desc
limit $6;

-- name: entries_of_login
-- The same, of whoever had this login at that time.
select * from (
  select id, source, at, audience, level, action, actor_id, actor_login, subject_id, subject_login,
    message, details, trace_id
  from entries
  where actor_login = $7 and (at, id) < ($1, $2) and at >= $3
    and (cast($4 as text) is null or action = $4) and (cast($5 as text) is null or level = $5)
  order by at desc, id desc
  limit $6
) as done
union
select * from (
  select id, source, at, audience, level, action, actor_id, actor_login, subject_id, subject_login,
    message, details, trace_id
  from entries
  where subject_login = $7 and (at, id) < ($1, $2) and at >= $3
    and (cast($4 as text) is null or action = $4) and (cast($5 as text) is null or level = $5)
  order by at desc, id desc
  limit $6
) as undergone
order by at desc, id desc
limit $6;

-- name: count_unreadable$
select count(*) from entries where raw is not null;
