-- What somebody who reached the database might try.

-- name: decide!
update requests set state = 'approved', checker = $2, decided_at = 1 where id = $1;

-- name: raise!
update requests set amount = amount * 100 where id = $1;

-- name: rename!
update accounts set label = 'Another' where id = $1;

-- name: break_iban!
update accounts set iban = 'FR7617569000010000000000000' where id = $1;
