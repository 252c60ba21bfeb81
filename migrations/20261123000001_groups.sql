-- Groups, keyed by group_id first. Ids are COLLATE "C" so that Rust and PostgreSQL sort them alike on
-- every database: rows are locked in that order.

-- The row that every change of a group locks and rewrites: narrow, without a second index, with room in
-- its page, so that an update stays in place (HOT). The numbers of its events are taken from seq under
-- that lock, which makes commit order and number order the same and leaves no hole after a rollback.
create table groups (
    group_id text collate "C" primary key,
    group_type smallint not null,
    owner_id text collate "C",
    join_option smallint not null,
    invite_option smallint not null,
    max_members integer,
    member_count integer not null,
    pending_count integer not null,
    seq bigint not null,
    created_at timestamptz not null,
    dismissed_at timestamptz,
    constraint groups_member_count check (member_count >= 0),
    constraint groups_pending_count check (pending_count >= 0),
    constraint groups_seq check (seq >= 1),
    constraint groups_max_members check (max_members >= 1)
) with (fillfactor = 50);

-- What people read of a group; no decision reads it.
create table group_profiles (
    group_id text collate "C" primary key,
    name text not null,
    introduction text not null,
    notification text not null,
    face_url text not null,
    changed_at timestamptz not null
);

-- A membership is the interval [joined_seq, left_seq] of the group's log. One row for a group and a
-- person: the current interval or the last one that ended, and the one before that. user_rev is the
-- user's membership_rev that the row was last written with.
create table members (
    group_id text collate "C" not null,
    user_id text collate "C" not null,
    role smallint not null,
    joined_seq bigint not null,
    left_seq bigint,
    past_joined_seq bigint,
    past_left_seq bigint,
    joined_at timestamptz not null,
    name_card text not null,
    mute_until timestamptz,
    user_rev bigint not null,
    primary key (group_id, user_id),
    constraint members_interval check (left_seq is null or left_seq > joined_seq)
);
create index members_of_user on members (user_id, group_id) where left_seq is null;
create index members_managing on members (group_id, role desc, user_id) where left_seq is null and role > 1;

create table bans (
    group_id text collate "C" not null,
    user_id text collate "C" not null,
    until timestamptz,
    reason text not null,
    banned_by text collate "C" not null,
    banned_at timestamptz not null,
    primary key (group_id, user_id)
);

create table applications (
    group_id text collate "C" not null,
    application_id uuid not null,
    kind smallint not null,
    from_user text collate "C" not null,
    subject text collate "C" not null,
    approved_by text collate "C",
    message text not null,
    added_at timestamptz not null,
    expires_at timestamptz not null,
    state smallint not null,
    ending smallint,
    handled_by text collate "C",
    handled_message text,
    handled_at timestamptz,
    primary key (group_id, application_id)
);
create unique index applications_by_id on applications (application_id);
create unique index applications_open on applications (group_id, subject) where state = 0;
create index applications_of_subject on applications (subject, application_id) where state = 0;
create index applications_from_user on applications (from_user, application_id) where state = 0;
create index applications_due on applications (expires_at) where state = 0;

-- The log of each group: numbers 1, 2, 3, … without holes, written in the change's own transaction. The
-- frame is exactly what goes over the wire. xid serves the repair of deliveries only.
create table group_events (
    group_id text collate "C" not null,
    seq bigint not null,
    kind smallint not null,
    at timestamptz not null,
    frame text not null,
    xid xid8 not null default pg_current_xact_id(),
    primary key (group_id, seq)
);

-- Dismissed groups whose members or applications are not all released yet.
create table group_releases (
    group_id text collate "C" primary key,
    since timestamptz not null
);
