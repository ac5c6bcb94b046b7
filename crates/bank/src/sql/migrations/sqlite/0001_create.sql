-- Who people are, as their last access token said: names for documents and lists.
create table holders (
  id blob not null constraint holders_id primary key,
  login text not null,
  name text not null,
  folded text not null
);

-- Where cash stands, one account of the bank's own for each currency. No floor, no owner, never listed.
create table cash (
  currency text not null constraint cash_currency primary key,
  account blob not null constraint cash_account unique
);

create table accounts (
  id blob not null constraint accounts_id primary key,
  owner blob not null,
  label text not null,
  folded text not null,
  currency text not null,
  state text not null constraint accounts_state check (state in ('pending', 'open', 'closed', 'rejected')),
  iban text constraint accounts_iban unique,
  request blob not null constraint accounts_request unique,
  created_at bigint not null,
  constraint accounts_open_has_iban check ((state in ('open', 'closed')) = (iban is not null))
);
create index accounts_owner on accounts (owner, id);

-- Every number ever given, so that none is given twice. One of an account's is current.
create table ibans (
  iban text not null constraint ibans_iban primary key,
  number text not null constraint ibans_number unique,
  account blob not null constraint ibans_account references accounts (id),
  given_at bigint not null,
  retired_at bigint
);
create unique index ibans_current on ibans (account) where retired_at is null;

-- What was asked and what became of it. The checks at the end hold four eyes whatever the program does.
create table requests (
  id blob not null constraint requests_id primary key,
  kind text not null constraint requests_kind
    check (kind in ('open_account', 'close_account', 'renew_iban', 'deposit', 'withdrawal', 'transfer')),
  state text not null constraint requests_state
    check (state in ('pending', 'approved', 'rejected', 'cancelled', 'expired')),
  maker blob not null,
  checker blob,
  account blob not null constraint requests_account references accounts (id),
  account_owner blob not null,
  payee blob constraint requests_payee references accounts (id),
  payee_owner blob,
  payee_asked text,
  payee_iban text,
  amount bigint constraint requests_amount check (amount > 0),
  currency text not null,
  reference text not null,
  reason text,
  created_at bigint not null,
  decided_at bigint,
  expires_at bigint not null,
  digest blob not null,
  constraint requests_four_eyes check (
    checker is null
    or (checker <> maker and checker <> account_owner and (payee_owner is null or checker <> payee_owner))
  ),
  constraint requests_checker check ((checker is not null) = (state in ('approved', 'rejected'))),
  constraint requests_decided check ((decided_at is null) = (state = 'pending')),
  constraint requests_reason check ((reason is not null) = (state = 'rejected')),
  constraint requests_money check ((amount is not null) = (kind in ('deposit', 'withdrawal', 'transfer'))),
  constraint requests_transfer check (
    (kind = 'transfer') = (payee is not null)
    and (payee is null) = (payee_owner is null)
    and (payee is null) = (payee_asked is null)
    and (payee is null) = (payee_iban is null)
  )
);
create index requests_pending on requests (id) where state = 'pending';
create index requests_maker on requests (maker, id);
create index requests_by_account on requests (account, id);
create index requests_by_payee on requests (payee, id) where payee is not null;
