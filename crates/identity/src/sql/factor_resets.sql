-- name: ask_reset!
-- Nothing when one is open.
insert into factor_resets (id, person, state, created_at, expires_at) values ($1, $2, 'asked', $3, $4)
on conflict do nothing;

-- name: propose_reset!
-- Nothing when one is open.
insert into factor_resets (id, person, state, proposer, proposer_login, reason, created_at, expires_at)
values ($1, $2, 'proposed', $3, $4, $5, $6, $7)
on conflict do nothing;

-- name: take_up_reset!
-- What the person asked for becomes the agent's proposal.
update factor_resets set state = 'proposed', proposer = $2, proposer_login = $3, reason = $4, expires_at = $5
where person = $1 and state = 'asked';

-- name: decide_reset!
update factor_resets set state = $2, decider = $3, reason = coalesce($4, reason), decided_at = $5
where id = $1 and state in ('asked', 'proposed');

-- name: get_reset^
select factor_resets.id, person, login, first_name, last_name, factor_resets.state, proposer, proposer_login,
  reason, factor_resets.created_at, expires_at
from factor_resets join people on people.id = person where factor_resets.id = $1;

-- name: open_reset^
select factor_resets.id, person, login, first_name, last_name, factor_resets.state, proposer, proposer_login,
  reason, factor_resets.created_at, expires_at
from factor_resets join people on people.id = person
where person = $1 and factor_resets.state in ('asked', 'proposed');

-- name: open_resets (sqlite)
-- Of superusers only when $1.
select factor_resets.id, person, login, first_name, last_name, factor_resets.state, proposer, proposer_login,
  reason, factor_resets.created_at, expires_at
from factor_resets join people on people.id = person
where factor_resets.state in ('asked', 'proposed') and expires_at > $2 and ($1 or role <> 'superuser')
order by factor_resets.created_at, factor_resets.id limit 200;
-- name: open_resets (postgres)
select factor_resets.id, person, login, first_name, last_name, factor_resets.state, proposer, proposer_login,
  reason, factor_resets.created_at, expires_at
from factor_resets join people on people.id = person
where factor_resets.state in ('asked', 'proposed') and expires_at > $2 and ($1::boolean or role <> 'superuser')
order by factor_resets.created_at, factor_resets.id limit 200;

-- name: expire_resets!
update factor_resets set state = 'expired', decided_at = $1
where state in ('asked', 'proposed') and expires_at <= $1;

-- name: was_reset$
select count(*) from factor_resets where person = $1 and state = 'approved';

-- name: drop_devices!
delete from devices where person = $1;

-- name: count_unwitnessed_resets$
-- Approved by nobody, or by one of those who must not.
select count(*) from factor_resets
where state = 'approved' and (proposer is null or decider is null or proposer = decider or decider = person);
