-- People who lost their second factor, and who removes it: never one person alone, and never the person.
create table factor_resets (
  id blob not null constraint factor_resets_id primary key,
  person blob not null constraint factor_resets_person references people (id) on delete cascade,
  state text not null constraint factor_resets_state
    check (state in ('asked', 'proposed', 'approved', 'rejected', 'expired')),
  -- Staff may be deleted later; what they did stays.
  proposer blob,
  proposer_login text,
  decider blob,
  reason text,
  created_at integer not null,
  expires_at integer not null,
  decided_at integer,
  constraint factor_resets_not_own check (proposer is null or proposer <> person),
  constraint factor_resets_four_eyes check (decider is null or (decider <> person and (proposer is null or decider <> proposer))),
  constraint factor_resets_by_two check (state <> 'approved' or (proposer is not null and decider is not null))
);
-- One at a time.
create unique index factor_resets_open on factor_resets (person) where state in ('asked', 'proposed');
create index factor_resets_person_index on factor_resets (person);
