-- name: erasable_of
-- What concerns somebody ($1) or what they did on nobody else, or ($2) all that they did; only what a signed head covers ($3).
select id, source, seq, at, audience, level, action, actor_id, actor_login, subject_id, subject_login, message, details,
  trace_id, raw, place, kind
from entries
where (subject_id = $1 or actor_id = $1) and (subject_id = $1 or subject_id is null or $2) and not erased and place < $3
limit $4;

-- name: count_erasable_of$
select count(*) from entries
where (subject_id = $1 or actor_id = $1) and (subject_id = $1 or subject_id is null or $2) and not erased;

-- name: erasable_before
-- What happened before $1; only what a signed head covers ($2).
select id, source, seq, at, audience, level, action, actor_id, actor_login, subject_id, subject_login, message, details,
  trace_id, raw, place, kind
from entries where not erased and at < $1 and place < $2
order by at limit $3;

-- name: erase_entries*! (sqlite)
update entries set actor_id = null, actor_login = null, subject_id = null, subject_login = null, message = '', details = '{}',
  trace_id = null, raw = null, erased = true
where id = $1;
-- name: erase_entries*! (postgres)
update entries set actor_id = null, actor_login = null, subject_id = null, subject_login = null, message = '', details = '{}',
  trace_id = null, raw = null, erased = true
where id = any($1);

-- name: erase_salts*! (sqlite)
update leaves set salt = null where entry_id = $1;
-- name: erase_salts*! (postgres)
update leaves set salt = null where entry_id = any($1);

-- name: erase_words*! (sqlite)
-- Words that are named exactly as they were added are gone from the index, and not only marked.
insert into entry_words (entry_words, rowid, words) values ('delete', $1, $2);
-- name: erase_words*! (postgres)
delete from entry_words using unnest($1::bigint[], $2::text[]) as old (place, words) where entry_words.place = old.place;

-- name: uncount_actors*! (sqlite)
-- So many fewer entries ($5) of a span, a person and a kind.
update actor_counts set entries = entries - $5 where span = $1 and start = $2 and actor_id = $3 and kind = $4;
-- name: uncount_actors*! (postgres)
update actor_counts set entries = actor_counts.entries - gone.entries
from unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::bigint[], $5::bigint[]) as gone (span, start, actor_id, kind, entries)
where actor_counts.span = gone.span and actor_counts.start = gone.start and actor_counts.actor_id = gone.actor_id
  and actor_counts.kind = gone.kind;

-- name: forget_actors*! (sqlite)
-- Nothing is left to be counted, so nothing names them.
delete from actor_counts where span = $1 and start = $2 and actor_id = $3 and kind = $4 and entries <= 0;
-- name: forget_actors*! (postgres)
delete from actor_counts using unnest($1::bigint[], $2::bigint[], $3::uuid[], $4::bigint[]) as gone (span, start, actor_id, kind)
where actor_counts.span = gone.span and actor_counts.start = gone.start and actor_counts.actor_id = gone.actor_id
  and actor_counts.kind = gone.kind and actor_counts.entries <= 0;

-- name: forget_people*! (sqlite)
-- Those whom no entry names so any more.
delete from people where login = $1 and id = $2
  and not exists (select 1 from entries where actor_id = $2 and actor_login = $1)
  and not exists (select 1 from entries where subject_id = $2 and subject_login = $1);
-- name: forget_people*! (postgres)
delete from people using unnest($1::text[], $2::uuid[]) as gone (login, id)
where people.login = gone.login and people.id = gone.id
  and not exists (select 1 from entries where actor_id = gone.id and actor_login = gone.login)
  and not exists (select 1 from entries where subject_id = gone.id and subject_login = gone.login);

-- name: days$
select days from retention;

-- name: set_days!
update retention set days = $1;
