-- name: change_entries!
update entry set amount = amount + 1;
-- name: delete_entries!
delete from entry;
-- name: change_transfers!
update transfer set kind = 'other';
-- name: delete_transfers!
delete from transfer;
-- name: reopen_holds!
update hold set state = 'open';
-- name: delete_holds!
delete from hold;
-- name: overdraw!
update balance set booked = -1 where floor = 0;
-- name: hold_less_than_nothing!
update balance set held = -1;
-- name: raise_a_balance!
update balance set booked = booked + 1 where floor = 0;
-- name: hold_without_a_hold!
update balance set held = 1 where floor is null;
-- name: post_half!
insert into entry (account, seq, transfer, amount, balance_after, at)
select account, entries + 5, account, 7, 9, 1 from balance where floor is null;
