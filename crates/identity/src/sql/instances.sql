-- What the instances of this service know of one another.

-- name: lock_instances (sqlite)
select fingerprint from shared_secret;
-- name: lock_instances (postgres)
-- One instance after the other.
select fingerprint from shared_secret for update;

-- name: count_keys$
select count(*) from signing_keys;

-- name: publish_key!
-- A key that is known already is believed for longer.
insert into signing_keys (kid, instance, jwk, published_at, until) values ($1, $2, $3, $4, $5)
on conflict (kid) do update set until = excluded.until;

-- name: take_keys_back! (sqlite)
-- Those of instance $1 that it has no more.
delete from signing_keys where instance = $1 and kid not in rarray($2);
-- name: take_keys_back! (postgres)
delete from signing_keys where instance = $1 and kid <> all($2);

-- name: published_at$
select published_at from signing_keys where kid = $1;

-- name: believed_keys
-- What any instance signed tokens with that hold at $1.
select jwk from signing_keys
where until > $1 or kid in (select kid from personal_tokens where expires_at > $1 and kid is not null)
order by published_at desc, kid limit 1000;

-- name: forget_keys!
delete from signing_keys
where until <= $1 and kid not in (select kid from personal_tokens where expires_at > $1 and kid is not null);

-- name: shared_fingerprint$
select fingerprint from shared_secret;

-- name: share!
insert into shared_secret (one, fingerprint) values (1, $1) on conflict do nothing;

-- name: spend_challenge!
insert into spent_challenges (digest, until) values ($1, $2) on conflict do nothing;

-- name: forget_challenges!
delete from spent_challenges where until <= $1;
