-- What was told is dropped when it is old, and what was given up lately is looked for often.
create index alerts_made_at on alerts (made_at);
create index alerts_given_up_at on alerts (given_up_at) where given_up_at is not null;
