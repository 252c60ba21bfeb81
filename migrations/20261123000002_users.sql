-- Users, keyed by user_id first. No foreign keys to groups: the two families can live on different
-- machines one day, and integrity comes from the locks under which both are written.

-- An account exists when its row does. group_count and pending_count are the counters that the limits
-- are enforced with, under the row's lock; membership_rev rises with each change of a membership, and
-- user_seq numbers the user's own events.
create table users (
    user_id text collate "C" primary key,
    nick_name text not null default '',
    face_url text not null default '',
    invite_consent smallint not null default 1,
    group_limit integer,
    group_count integer not null default 0,
    pending_count integer not null default 0,
    membership_rev bigint not null default 0,
    user_seq bigint not null default 0,
    deleted_at timestamptz,
    created_at timestamptz not null,
    constraint users_group_limit check (group_limit >= 0),
    constraint users_group_count check (group_count >= 0),
    constraint users_pending_count check (pending_count >= 0)
) with (fillfactor = 70);

create table user_events (
    user_id text collate "C" not null,
    seq bigint not null,
    kind smallint not null,
    at timestamptz not null,
    frame text not null,
    xid xid8 not null default pg_current_xact_id(),
    primary key (user_id, seq)
);
