-- name: add_token!
insert into personal_tokens (id, person, name, scopes, jkt, hash, created_at, expires_at, kid)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: living_tokens
-- Those of person $1 that hold at $2, newest first.
select id, name, scopes, jkt, created_at, expires_at from personal_tokens
where person = $1 and expires_at > $2 order by id desc limit 200;

-- name: find_token^
-- Whether there is a token with this id and hash.
select person from personal_tokens where id = $1 and hash = $2;

-- name: drop_token^
-- The end of the token that goes.
delete from personal_tokens where id = $1 and person = $2 returning expires_at;

-- name: drop_tokens
-- All of person $1, which end after $2.
delete from personal_tokens where person = $1 and expires_at > $2 returning id, expires_at;

-- name: note_token!
insert into revoked_tokens (id, until) values ($1, $2) on conflict do nothing;

-- name: revoked_tokens
select id, until from revoked_tokens where until > $1 order by id;

-- name: forget_revoked_tokens!
delete from revoked_tokens where until <= $1;

-- name: forget_tokens!
-- Those that ended by themselves.
delete from personal_tokens where expires_at <= $1;

-- name: count_tokens_of_inactive$
select count(*) from personal_tokens join people on people.id = personal_tokens.person
where people.state <> 'active' and personal_tokens.expires_at > $1;
