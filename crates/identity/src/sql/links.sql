-- name: note_asked!
insert into asked_resets (id, who, at) values ($1, $2, $3);

-- name: has_asked$
select 1 from asked_resets limit 1;

-- name: take_asked^ (sqlite)
delete from asked_resets where id = (select id from asked_resets order by at, id limit 1)
returning who, at;
-- name: take_asked^ (postgres)
delete from asked_resets where id = (select id from asked_resets order by at, id limit 1 for update skip locked)
returning who, at;

-- name: people_asked_for
-- Who is called so, or is written to there. No login holds an @, and every address does.
select id from people where (login = lower($1) or lower(email) = lower($1)) and state = 'active' order by id limit 5;

-- name: is_taken$
-- Whether somebody else than $2 who may sign in is written to there.
select 1 from people where lower(email) = lower($1) and id <> $2 and state = 'active' limit 1;

-- name: count_links$
select count(*) from links where person = $1 and purpose = $2 and made_at > $3;

-- name: add_link!
insert into links (id, person, purpose, address, digest, made_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7);

-- name: get_link^
-- One that can still be used.
select id, person, address from links where digest = $1 and purpose = $2 and used_at is null and expires_at > $3;

-- name: use_link!
update links set used_at = $2 where id = $1 and used_at is null and expires_at > $2;

-- name: void_links!
-- All of a person.
update links set used_at = $2 where person = $1 and used_at is null;

-- name: void_older!
-- Those of a person for one purpose.
update links set used_at = $3 where person = $1 and purpose = $2 and used_at is null;

-- name: link_state^
select purpose, used_at from links where id = $1;

-- name: forget_links!
delete from links where expires_at < $1;
