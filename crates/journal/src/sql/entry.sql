-- name: add_entries*! (sqlite)
insert into entries
  (id, source, seq, at, audience, level, action, actor_id, actor_login, subject_id, subject_login, message, details,
  trace_id, raw, kind, place)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17);
-- name: add_entries*! (postgres)
insert into entries
  (id, source, seq, at, audience, level, action, actor_id, actor_login, subject_id, subject_login, message, details,
  trace_id, raw, kind, place)
select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::uuid[],
  $9::text[], $10::uuid[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::bigint[],
  $17::bigint[]);

-- name: add_people*! (sqlite)
insert into people (login, id) values ($1, $2) on conflict do nothing;
-- name: add_people*! (postgres)
insert into people (login, id) select * from unnest($1::text[], $2::uuid[]) on conflict do nothing;

-- name: people_of
-- Who has or had this login.
select id from people where login = $1 order by id;

-- name: set_places*! (sqlite)
update entries set place = $2 where id = $1;
-- name: set_places*! (postgres)
update entries set place = new.place from unnest($1::uuid[], $2::bigint[]) as new (id, place) where entries.id = new.id;

-- name: known_among (sqlite)
select id from entries where id in rarray($1);
-- name: known_among (postgres)
select id from entries where id = any($1);

-- name: entries_among (sqlite)
select id, source, at, audience, level, action, actor_id, actor_login, subject_id, subject_login, message, details, trace_id,
  place, erased
from entries where id in rarray($1);
-- name: entries_among (postgres)
select id, source, at, audience, level, action, actor_id, actor_login, subject_id, subject_login, message, details, trace_id,
  place, erased
from entries where id = any($1);

-- name: entries_between
-- As they came: those at the places of the log from $1 up to $2.
select id, source, at, audience, level, action, actor_id, actor_login, subject_id, subject_login, message, details, trace_id,
  place, erased
from entries where place >= $1 and place < $2 order by place;

-- name: count_unreadable$
select count(*) from entries where raw is not null;

-- name: kinds
-- All of them: a few hundred at most.
select id, source, audience, level, action from kinds;

-- name: add_kinds*! (sqlite)
insert into kinds (source, audience, level, action) values ($1, $2, $3, $4) on conflict do nothing;
-- name: add_kinds*! (postgres)
insert into kinds (source, audience, level, action) select * from unnest($1::text[], $2::text[], $3::text[], $4::text[])
on conflict do nothing;

-- name: add_words*! (sqlite)
insert into entry_words (rowid, words) values ($1, $2);
-- name: add_words*! (postgres)
insert into entry_words (place, words)
select place, array_to_tsvector(string_to_array(words, ' ')) from unnest($1::bigint[], $2::text[]) as new (place, words)
on conflict do nothing;

-- name: wordless^
-- Which entries lack their words: those at the places from done up to below.
select done, below from wordless;

-- name: set_wordless!
update wordless set done = $1;
