-- name: add_session!
insert into sessions
  (id, person, kind, agent, created_at, authenticated_at, proof, seen_at, idle_at, ends_at, previous_login_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: add_secret!
insert into secrets (hash, session, spent_at) values ($1, $2, null);

-- name: find_secret^
-- The session of a secret, and whether the secret was spent.
select sessions.id, sessions.person, sessions.kind, sessions.agent, sessions.created_at,
  sessions.authenticated_at, sessions.proof, sessions.seen_at, sessions.idle_at, sessions.ends_at, sessions.previous_login_at, secrets.spent_at
from secrets join sessions on sessions.id = secrets.session where secrets.hash = $1;

-- name: spend_secret!
update secrets set spent_at = $2 where hash = $1 and spent_at is null;

-- name: get_session^
select id, person, kind, agent, created_at, authenticated_at, proof, seen_at, idle_at, ends_at, previous_login_at
from sessions where id = $1 and person = $2;

-- name: set_proof!
update sessions set authenticated_at = $2, proof = $3 where id = $1;

-- name: touch_session!
update sessions set seen_at = $2, idle_at = $3 where id = $1;

-- name: living_sessions
-- Those of person $1 that live at $2, latest activity first.
select id, person, kind, agent, created_at, authenticated_at, proof, seen_at, idle_at, ends_at, previous_login_at
from sessions where person = $1 and idle_at > $2 and ends_at > $2 order by seen_at desc, id desc limit 200;

-- name: living_ids
-- Those of person $1 that live at $2: only they have access tokens that hold.
select id from sessions where person = $1 and idle_at > $2 and ends_at > $2 order by id;

-- name: end_session!
-- Its secrets go with it.
delete from sessions where id = $1 and person = $2;

-- name: end_sessions_of!
-- All of person $1 except $2 (the nil id spares none).
delete from sessions where person = $1 and id <> $2;

-- name: note_revocations*! (sqlite)
insert into revocations (session, until) values ($1, $2) on conflict do nothing;
-- name: note_revocations*! (postgres)
insert into revocations (session, until) select * from unnest($1::uuid[], $2::bigint[]) on conflict do nothing;

-- name: recent_revocations
select session, until from revocations where until > $1 order by session;

-- name: forget_revocations!
delete from revocations where until <= $1;

-- name: forget_sessions!
-- Those that ended by themselves: every access token of theirs ran out before.
delete from sessions where idle_at <= $1 or ends_at <= $1;

-- name: count_sessions_of_inactive$
select count(*) from sessions join people on people.id = sessions.person where people.state <> 'active';
