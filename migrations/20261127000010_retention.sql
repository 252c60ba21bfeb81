-- Where the walk over each kind of log stands that removes entries which have become too old: nodes take
-- turns under this row's lock, and it goes on where it was after any end of a server. The walk goes
-- through the primary keys of the logs; the hot tables get no index for it.
create table retention (
    log smallint primary key,
    -- The last entry that it looked at.
    after_stream text collate "C" not null default '',
    after_seq bigint not null default 0,
    -- When it goes on: soon while it is under way, much later when it is through.
    due_at timestamptz not null default now(),
    -- What the present walk has removed, and all walks together.
    removed bigint not null default 0,
    trimmed bigint not null default 0,
    constraint retention_log check (log in (1, 2))
);
-- The groups' logs and the users' own streams.
insert into retention (log) values (1), (2);
