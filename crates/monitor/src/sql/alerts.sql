-- name: add_alert!
insert into alerts (id, incident_id, kind, channel, made_at, due_at, attempts) values ($1, $2, $3, $4, $5, $5, 0);

-- name: told_of
-- Which channels were told of an incident, or will be.
select channel from alerts where incident_id = $1 and kind = 'opened' order by channel;

-- name: drop_reminders!
delete from alerts where incident_id = $1 and kind = 'reminder' and sent_at is null and given_up_at is null;

-- name: drop_alerts!
delete from alerts where incident_id = $1 and sent_at is null and given_up_at is null;

-- name: drop_over!
delete from alerts where id in (select a.id from alerts a join incidents i on i.id = a.incident_id
  where a.made_at < $1 and i.until < $1 limit $2);

-- name: forgotten
-- Incidents that nobody looks after and that a channel heard of for the last time before a moment.
select i.id, i.check_name, a.channel from incidents i join alerts a on a.incident_id = i.id
where i.until is null and i.acknowledged_by is null and i.behind is null
group by i.id, i.check_name, a.channel
having max(a.made_at) <= $1 and sum(case when a.sent_at is null and a.given_up_at is null then 1 else 0 end) = 0;

-- name: due_alerts
-- What is over is told only after what began it, and only where that was taken.
select a.id, a.kind, a.channel, a.made_at, a.attempts, i.id as incident_id, i.check_name, i.title, i.state, i.since,
  i.until, i.cause,
  exists (select 1 from alerts o where o.incident_id = a.incident_id and o.channel = a.channel and o.kind <> 'recovered'
    and o.sent_at is not null) as told
from alerts a join incidents i on i.id = a.incident_id
where a.sent_at is null and a.given_up_at is null and a.due_at <= $1
  and (a.kind <> 'reminder' or (i.until is null and i.acknowledged_by is null))
  and (a.kind = 'opened' or not exists (select 1 from alerts o where o.incident_id = a.incident_id
    and o.channel = a.channel and o.kind = 'opened' and o.sent_at is null and o.given_up_at is null))
order by a.due_at, a.id limit $2;

-- name: sent!
update alerts set sent_at = $2, attempts = attempts + 1, error = null where id = $1;

-- name: postpone!
update alerts set due_at = $2, attempts = attempts + $4, error = $3 where id = $1;

-- name: give_up!
update alerts set given_up_at = $2, attempts = attempts + 1, error = $3 where id = $1;

-- name: count_given_up$
select count(*) from alerts where given_up_at > $1 and error is not null;
