-- name: open_incident!
-- One at a time for each check.
insert into incidents (id, check_name, title, public, state, since, opened_at, cause, behind)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing;

-- name: standing_incident^
-- One that began after a moment is not the one of which that moment tells.
select id, check_name, title, state, since, until, cause, behind, acknowledged_by, opened_at from incidents
where check_name = $1 and until is null and opened_at <= $2;

-- name: stands_alone!
update incidents set behind = null where id = $1;

-- name: got_worse!
update incidents set state = $2, cause = $3 where id = $1;

-- name: close_incident!
update incidents set until = $2, behind = null where id = $1 and until is null;

-- name: hide_incidents!
update incidents set public = false where check_name = $1;

-- name: incident^
select id, check_name, title, state, since, until, cause, behind, acknowledged_by, opened_at from incidents where id = $1;

-- name: hold_incident^ (sqlite)
select id, check_name, title, state, since, until, cause, behind, acknowledged_by, opened_at from incidents where id = $1;

-- name: hold_incident^ (postgres)
select id, check_name, title, state, since, until, cause, behind, acknowledged_by, opened_at from incidents where id = $1
for update;

-- name: incidents
-- Newest first, before a place.
select id, check_name, title, state, since, until, cause, behind, acknowledged_by, opened_at from incidents
where (cast($1 as text) is null or check_name = cast($1 as text))
  and (cast($2 as bigint) is null or (until is null) = (cast($2 as bigint) = 1))
  and (opened_at, id) < ($3, $4)
order by opened_at desc, id desc limit $5;

-- name: incidents_since
-- What was wrong at some moment in a span, of one check or of all.
select id, check_name, title, state, since, until, cause, behind, acknowledged_by, opened_at from incidents
where (cast($1 as text) is null or check_name = cast($1 as text)) and (public or not $2)
  and (until is null or until >= $3) and since < $4
order by opened_at desc, id desc limit $5;

-- name: count_open$
select count(*) from incidents where until is null;

-- name: acknowledge!
update incidents set acknowledged_by = $2 where id = $1 and acknowledged_by is null;

-- name: add_note!
insert into notes (id, incident_id, at, by_login, text, public) values ($1, $2, $3, $4, $5, $6);

-- name: count_notes$
select count(*) from notes where incident_id = $1;

-- name: notes_of (sqlite)
select incident_id, at, by_login, text, public from notes where incident_id in rarray($1) order by at, id;

-- name: notes_of (postgres)
select incident_id, at, by_login, text, public from notes where incident_id = any($1) order by at, id;
