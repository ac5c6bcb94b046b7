-- Each query says whether something that must never happen has happened.

-- name: uneven_transfer$
select exists (select 1 from entry group by transfer having sum(amount) <> 0 or count(*) <> 2);

-- name: uneven_currency$
select exists (
  select 1 from entry join balance on balance.account = entry.account group by balance.currency having sum(entry.amount) <> 0
);

-- name: stray_entry$
select exists (
  select 1 from entry
  left join transfer on transfer.id = entry.transfer
  left join balance on balance.account = entry.account
  where transfer.id is null or balance.account is null or transfer.at <> entry.at
    or entry.amount <> case entry.account when transfer.debit then -transfer.amount when transfer.credit then transfer.amount else 0 end
);

-- name: unwritten_transfer$
select (select count(*) from transfer) * 2 <> (select count(*) from entry);

-- name: wrong_balance$
select exists (
  select 1 from balance
  left join (select account, sum(amount) as total, count(*) as lines from entry group by account) as history
    on history.account = balance.account
  where balance.booked <> coalesce(history.total, 0) or balance.entries <> coalesce(history.lines, 0)
);

-- name: wrong_held$
select exists (
  select 1 from balance
  left join (select account, sum(amount) as total from hold where state = 'open' group by account) as waiting
    on waiting.account = balance.account
  where balance.held <> coalesce(waiting.total, 0)
);

-- name: below_floor$
select exists (select 1 from balance where held < 0 or booked - held < floor);

-- name: broken_chain$
select exists (
  select 1 from (
    select seq, amount, balance_after,
      lag(balance_after, 1, cast(0 as bigint)) over (partition by account order by seq) as before,
      row_number() over (partition by account order by seq) as place
    from entry
  ) as line
  where before + amount <> balance_after or seq <> place
);
