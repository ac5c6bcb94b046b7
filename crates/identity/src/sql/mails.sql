-- name: add_notice!
-- Once for each event and person; nothing for somebody who is not there.
insert into notices (id, event, person, action, detail, at, read_at)
select $1, $2, id, $4, $5, $6, $7 from people where id = $3
on conflict (event, person) do nothing;

-- name: add_mail!
-- To the address of the person; once for each event and person, though they may have another address by now.
insert into mails (id, event, person, address, action, detail, at, state, due_at)
select $1, $2, id, email, $4, $5, $6, 'waiting', $7 from people
where id = $3 and not exists (select 1 from mails where event = $2 and person = $3)
on conflict (event, person, address) do nothing;

-- name: add_mail_to!
-- To another address than the person's.
insert into mails (id, event, person, address, action, detail, at, state, due_at)
select $1, $2, id, $8, $4, $5, $6, 'waiting', $7 from people where id = $3
on conflict (event, person, address) do nothing;

-- name: has_due$
select 1 from mails where state = 'waiting' and due_at <= $1 and held_until <= $1 limit 1;

-- name: take_mail^ (sqlite)
-- The next one that is due and that nobody holds: held by $3 from now until $2.
update mails set held_until = $2, holder = $3, tries = tries + 1
where id = (select id from mails where state = 'waiting' and due_at <= $1 and held_until <= $1 order by due_at, at, id limit 1)
returning id, event, person, address, action, detail, at, tries;
-- name: take_mail^ (postgres)
update mails set held_until = $2, holder = $3, tries = tries + 1
where id = (select id from mails where state = 'waiting' and due_at <= $1 and held_until <= $1 order by due_at, at, id limit 1
  for update skip locked)
returning id, event, person, address, action, detail, at, tries;

-- name: let_go!
-- What this instance held when it ended.
update mails set held_until = 0 where state = 'waiting' and holder = $1 and held_until > 0;

-- name: postpone_mail!
update mails set held_until = 0, due_at = $3, problem = $4 where id = $1 and state = 'waiting' and holder = $2;

-- name: settle_mail!
update mails set state = $3, settled_at = $4, problem = $5, held_until = 0 where id = $1 and state = 'waiting' and holder = $2;

-- name: drop_mail!
delete from mails where id = $1 and state = 'waiting' and holder = $2;

-- name: oldest_mail$
select at from mails where state = 'waiting' order by at limit 1;

-- name: count_failed_mails$
select count(*) from mails where state = 'failed' and settled_at > $1;

-- name: forget_mails!
delete from mails where state <> 'waiting' and settled_at < $1;

-- name: forget_notices!
delete from notices where at < $1;

-- name: forget_networks!
delete from networks where seen_at < $1;

-- name: network_seen$
select seen_at from networks where person = $1 and digest = $2;

-- name: see_network!
insert into networks (person, digest, seen_at) values ($1, $2, $3)
on conflict (person, digest) do update set seen_at = $3;

-- name: mail_choices^
select sign_ins, requests, transfers from mail_choices where person = $1;

-- name: choose_mails!
insert into mail_choices (person, sign_ins, requests, transfers) values ($1, $2, $3, $4)
on conflict (person) do update set sign_ins = $2, requests = $3, transfers = $4;

-- name: list_notices (sqlite)
-- Newest first, before event $2; unread ones only when $3. Ids of events sort by their time.
select event, action, detail, at, read_at from notices
where person = $1 and ($2 is null or event < $2) and (not $3 or read_at is null)
order by event desc limit $4;
-- name: list_notices (postgres)
select event, action, detail, at, read_at from notices
where person = $1 and ($2::uuid is null or event < $2) and (not $3::boolean or read_at is null)
order by event desc limit $4;

-- name: count_unread$
-- At most so many are counted.
select count(*) from (select 1 from notices where person = $1 and read_at is null limit 100) as unread;

-- name: read_notices!
-- Up to and with event $2.
update notices set read_at = $3 where person = $1 and read_at is null
  and event <= (select event from notices where person = $1 and event = $2);
