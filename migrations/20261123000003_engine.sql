-- The engine's own memory.

-- One row for each committed batch: tells the outcome of a COMMIT whose answer was lost.
create table batches (
    batch_id uuid primary key,
    committed_at timestamptz not null
);
create index batches_by_age on batches (committed_at);

-- Replies of calls that carried an idempotency key, written in the transaction of their change. scope
-- is the SHA-256 over caller, method, path, query and key; body that over the request body.
create table stored_replies (
    scope bytea primary key,
    body bytea not null,
    reply text not null,
    stored_at timestamptz not null
);
create index stored_replies_by_age on stored_replies (stored_at);

-- The epoch of the logs: cursors of another epoch point into another history.
create table instance (
    only_one boolean primary key default true check (only_one),
    epoch uuid not null default gen_random_uuid()
);
insert into instance default values;
