//! The parts of the statement that writes a batch. Each batch's statement has those that it needs, and no others:
//! PostgreSQL takes 20 µs to set up a part, whether there are rows for it or not.
//!
//! Each row to be changed is looked up by its key first (`offset 0` keeps it so), then written in its place: it
//! stays there, for it is locked or must not have changed. Users who are not locked yet are written, and so
//! locked, in the order of the columns, which is that of bytes: lanes know no other plan than one by one. As a plain
//! join, a plan that was made while a table was tiny goes through the whole table for every batch, until statistics
//! are taken anew: at 31,000 users that was five times slower.

use std::sync::OnceLock;

/// How many parts there are.
pub(super) const PARTS: usize = 7;

/// Groups that were there before, unless somebody holds them, or changed what was read.
const GROUPS: &str = "
    update groups g
       set owner_id = u.owner_id, join_option = u.join_option, invite_option = u.invite_option,
           max_members = u.max_members, member_count = u.member_count,
           pending_count = u.pending_count, seq = u.seq, dismissed_at = u.dismissed_at,
           mute_all = u.mute_all
      from (select unnest($1::text[]) as group_id, unnest($2::text[]) as owner_id,
                   unnest($3::smallint[]) as join_option, unnest($4::smallint[]) as invite_option,
                   unnest($5::integer[]) as max_members, unnest($6::integer[]) as member_count,
                   unnest($7::integer[]) as pending_count, unnest($8::bigint[]) as seq,
                   unnest($9::timestamptz[]) as dismissed_at, unnest($10::boolean[]) as mute_all,
                   unnest($11::bigint[]) as seq_before, unnest($12::integer[]) as version) u
     cross join lateral (select x.ctid as place from groups x
                          where x.group_id = u.group_id
                            and (u.version is null or x.xmin = u.version)
                            for no key update skip locked) k
     where g.ctid = k.place and g.seq = u.seq_before
       and (u.max_members is null or u.member_count <= u.max_members
            or u.member_count <= g.member_count)
    returning 1";

/// Memberships that have no row yet.
const MEMBERS: &str = "
    insert into members (group_id, user_id, role, joined_seq, left_seq, past_joined_seq,
           past_left_seq, joined_at, name_card, mute_until, user_rev, custom_fields)
    select unnest($13::text[]), unnest($14::text[]), unnest($15::smallint[]),
           unnest($16::bigint[]), unnest($17::bigint[]), unnest($18::bigint[]),
           unnest($19::bigint[]), unnest($20::timestamptz[]), unnest($21::text[]),
           unnest($22::timestamptz[]), unnest($23::bigint[]), unnest($24::text[])::jsonb
    returning 1";

/// Memberships whose rows are there already: ended, begun again, or changed.
const CHANGED_MEMBERS: &str = "
    update members m
       set role = u.role, joined_seq = u.joined_seq, left_seq = u.left_seq,
           past_joined_seq = u.past_joined_seq, past_left_seq = u.past_left_seq,
           joined_at = u.joined_at, name_card = u.name_card, mute_until = u.mute_until,
           user_rev = u.user_rev, custom_fields = u.custom_fields::jsonb
      from (select unnest($25::text[]) as group_id, unnest($26::text[]) as user_id,
                   unnest($27::smallint[]) as role, unnest($28::bigint[]) as joined_seq,
                   unnest($29::bigint[]) as left_seq, unnest($30::bigint[]) as past_joined_seq,
                   unnest($31::bigint[]) as past_left_seq,
                   unnest($32::timestamptz[]) as joined_at, unnest($33::text[]) as name_card,
                   unnest($34::timestamptz[]) as mute_until, unnest($35::bigint[]) as user_rev,
                   unnest($36::text[]) as custom_fields) u
     cross join lateral (select x.ctid as place from members x
                          where x.group_id = u.group_id and x.user_id = u.user_id offset 0) k
     where m.ctid = k.place
    returning 1";

/// Counters of users who have a row.
const USERS: &str = "
    update users x
       set group_count = u.group_count, pending_count = u.pending_count,
           membership_rev = u.membership_rev, user_seq = u.user_seq
      from (select unnest($37::text[]) as user_id, unnest($38::integer[]) as group_count,
                   unnest($39::integer[]) as cap, unnest($40::integer[]) as pending_count,
                   unnest($41::bigint[]) as membership_rev, unnest($42::bigint[]) as user_seq,
                   unnest($43::integer[]) as version) u
     cross join lateral (select y.ctid as place from users y
                          where y.user_id = u.user_id offset 0) k
     where x.ctid = k.place
       and (u.version is null or x.xmin = u.version)
       and (u.group_count <= u.cap or u.group_count <= x.group_count)
    returning 1";

/// Users who have none yet.
const FRESH_USERS: &str = r#"
    insert into users (user_id, created_at, group_count, pending_count, membership_rev, user_seq)
    select u.user_id, u.created_at, u.group_count, u.pending_count, u.membership_rev, u.user_seq
      from (select unnest($44::text[]) as user_id, unnest($45::timestamptz[]) as created_at,
                   unnest($46::integer[]) as group_count, unnest($47::integer[]) as cap,
                   unnest($48::integer[]) as pending_count,
                   unnest($49::bigint[]) as membership_rev, unnest($50::bigint[]) as user_seq,
                   unnest($51::bigint[]) as seq_before) u
     where u.group_count <= u.cap
       and u.seq_before = coalesce((select r.user_seq from revocations r
                                     where r.user_id = u.user_id), 0)
     order by u.user_id collate "C"
    returning 1"#;

/// Entries of groups' logs.
const EVENTS: &str = "
    insert into group_events (group_id, seq, kind, at, frame)
    select unnest($52::text[]), unnest($53::bigint[]), unnest($54::smallint[]),
           unnest($55::timestamptz[]), unnest($56::text[])
    returning 1";

/// Replies for callers' retries. A key whose day is over may be used again; one that somebody stored just now may
/// not.
const REPLIES: &str = "
    insert into stored_replies as s (scope, body, reply, stored_at)
    select unnest($57::bytea[]), unnest($58::bytea[]), unnest($59::text[]), $60::timestamptz
        on conflict (scope) do update
       set body = excluded.body, reply = excluded.reply, stored_at = excluded.stored_at
     where s.stored_at <= excluded.stored_at - interval '24 hours'
    returning 1";

/// What tells afterwards that the batch was committed.
const BATCH: &str = "
    insert into batches (batch_id, committed_at) values ($61, clock_timestamp())";

/// In the order in which they are written.
const ALL: [(&str, &str); PARTS] = [
    ("groups_written", GROUPS),
    ("members_written", MEMBERS),
    ("members_changed", CHANGED_MEMBERS),
    ("users_written", USERS),
    ("users_made", FRESH_USERS),
    ("events_written", EVENTS),
    ("replies_kept", REPLIES),
];

/// The statements that were asked for so far, by which parts they have. To put one together takes 21,000 instructions
/// and 33 allocations, a thirteenth of what the server does for an invitation.
static STATEMENTS: [OnceLock<String>; 1 << PARTS] = [const { OnceLock::new() }; 1 << PARTS];

/// The statement with those parts of which there are rows. It fails, with a division by zero, at the first part that
/// did not write as many rows as `$62` says for it: by itself it is a transaction, whole or nothing.
pub(super) fn statement(rows: &[usize; PARTS]) -> &'static str {
    let present = rows.map(|rows| rows > 0);
    let place = present.iter().fold(0, |place, present| place * 2 + usize::from(*present));
    STATEMENTS[place].get_or_init(|| put_together(present))
}

fn put_together(present: [bool; PARTS]) -> String {
    let parts = || ALL.iter().zip(present).filter_map(|(part, present)| present.then_some(part));
    let mut with: Vec<String> = parts().map(|(name, text)| format!("{name} as ({text})")).collect();
    with.push(format!("batch as ({BATCH})"));
    let whole = parts().zip(1..).map(|((name, _), place)| {
        format!("1 / ((select count(*) from {name}) = ($62::bigint[])[{place}])::integer")
    });
    let whole: Vec<String> = std::iter::once("0".to_owned()).chain(whole).collect();
    format!("with {}\nselect {}", with.join(",\n"), whole.join("\n     + "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_the_parts_of_which_there_are_rows_and_no_others() {
        for bits in 0..1_usize << PARTS {
            let rows = std::array::from_fn(|part| (bits >> part & 1) * (part + 1));
            // What is asked for again is the same text, however many rows there are.
            let text = statement(&rows);
            assert!(std::ptr::eq(text, statement(&rows.map(|rows| rows * 9))));
            for ((name, _), rows) in ALL.iter().zip(rows) {
                let (written, counted) = (format!("{name} as ("), format!("from {name})"));
                assert_eq!(text.contains(&written), rows > 0, "{rows:?}: {name}");
                assert_eq!(text.contains(&counted), rows > 0, "{rows:?}: {name}");
            }
            assert!(text.contains("batch as ("));
        }
    }
}
