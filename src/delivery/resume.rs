//! Where a connection starts, worked out from what the client says and what the database says.
//!
//! Pure, so that the whole table of cases is a test. What it keeps: a client that keeps its cursor gets
//! every event of its memberships from there on, or is told by an explicit `reset` what to load again.
//!
//! | the client stands | it gets |
//! |---|---|
//! | at the log's end | nothing |
//! | inside the present membership | a replay of what it missed |
//! | before the present membership | `reset`, `rejoined` |
//! | nowhere, in a group that it joined meanwhile | a replay from the event that made it a member |
//! | in a membership that has ended | a replay up to and with its end |
//! | in a group that it never was a member of | nothing |
//! | beyond the log's end | `reset`, `ahead` |
//! | where the log does not reach back to | `reset`, `trimmed` |
//! | further back than a replay goes | `reset`, `lag` |
//! | in another epoch | one `reset` for everything, `epoch` |

use std::collections::BTreeMap;

use super::hub::Opening;
use super::router::Start;
use super::wire::Cursor;
use crate::model::{GroupId, Moment, Role, StreamKey, UserId};
use crate::store::events::{Snapshot, SnapshotGroup};

/// Most events that are replayed of one stream.
const REPLAY: i64 = 1_000;
/// Most events that are replayed to one connection when it opens.
const REPLAY_IN_ALL: i64 = 10_000;

/// Where a client says that it stands, as far as such groups can exist.
#[derive(Debug, PartialEq, Eq)]
pub struct Position {
    /// The history that the numbers belong to.
    pub epoch: String,
    /// The last event of his own stream.
    pub user: Option<i64>,
    /// The last event of each group.
    pub groups: BTreeMap<GroupId, i64>,
}

impl From<Cursor> for Position {
    fn from(cursor: Cursor) -> Self {
        let number = |seq: u64| i64::try_from(seq).unwrap_or(i64::MAX);
        let groups = cursor.groups.into_iter();
        let known = groups.filter_map(|(id, seq)| {
            GroupId::parse(&id, "groupID").ok().map(|group| (group, number(seq)))
        });
        Self { epoch: cursor.epoch, user: cursor.user.map(number), groups: known.collect() }
    }
}

/// How a connection starts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// The history that the numbers belong to.
    pub(super) epoch: String,
    /// Where it starts in the user's own stream.
    pub(super) user_seq: i64,
    /// The groups that the user is a member of.
    pub(super) groups: Vec<GroupPlace>,
    /// What the client has to load again.
    pub(super) resets: Vec<Reset>,
    /// Where it starts in each stream.
    pub(super) starts: Vec<Start>,
    /// Ended memberships that the client knows, or is told, to have ended, and with which event.
    pub(super) left: Vec<(StreamKey, i64)>,
    /// How often the user's memberships had changed.
    pub(super) rev: i64,
    /// When the database said all this, by its clock.
    pub(super) at: Moment,
}

/// Where a connection starts in a group.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GroupPlace {
    /// The group.
    pub(super) group: GroupId,
    /// The user's role.
    pub(super) role: Role,
    /// The event behind which the connection starts.
    pub(super) seq: i64,
    /// The newest event.
    pub(super) head: i64,
}

/// Something that the client has to load again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reset {
    /// What.
    pub(super) scope: Scope,
    /// Why.
    pub(super) why: Why,
}

/// What has to be loaded again, and after which event it goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everything.
    All,
    /// What is in the user's own stream.
    User(i64),
    /// A group.
    Group(GroupId, i64),
}

/// Why something has to be loaded again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The numbers belong to another history.
    Epoch,
    /// The client is ahead of the log.
    Ahead,
    /// The log does not reach back so far.
    Trimmed,
    /// The user left and came again since.
    Rejoined,
    /// More was missed than is replayed.
    Lag,
}

impl Why {
    /// The word of the public surface.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Ahead => "ahead",
            Self::Trimmed => "trimmed",
            Self::Rejoined => "rejoined",
            Self::Lag => "lag",
        }
    }
}

/// How many more events may be replayed.
struct Budget(i64);

impl Budget {
    /// Decides whether the events behind `from`, up to `end`, are replayed.
    fn replay(&mut self, from: i64, end: i64, oldest: Option<i64>) -> Result<i64, Why> {
        let missed = end - from;
        if missed == 0 {
            Ok(end)
        } else if missed < 0 {
            Err(Why::Ahead)
        } else if oldest.is_none_or(|oldest| oldest > from + 1) {
            Err(Why::Trimmed)
        } else if missed > REPLAY || missed > self.0 {
            Err(Why::Lag)
        } else {
            self.0 -= missed;
            Ok(from)
        }
    }
}

/// Works out where a connection starts.
pub(super) fn plan(user: &UserId, position: Option<&Position>, snapshot: Snapshot) -> Plan {
    let Snapshot { epoch, rev, now, .. } = snapshot;
    let mut plan = Plan { epoch, rev, at: now, ..Plan::default() };
    let position = match position {
        Some(position) if position.epoch != plan.epoch => {
            plan.resets.push(Reset { scope: Scope::All, why: Why::Epoch });
            None
        }
        same => same,
    };
    let mut budget = Budget(REPLAY_IN_ALL);
    let head = snapshot.user_seq;
    let at = position.and_then(|position| position.user);
    let from = at.map_or(Ok(head), |at| budget.replay(at, head, snapshot.user_oldest));
    plan.user_seq = from.unwrap_or(head);
    if let Err(why) = from {
        plan.resets.push(Reset { scope: Scope::User(head), why });
    }
    let stream = StreamKey::User(user.clone());
    plan.starts.push(Start { stream, from: plan.user_seq, until: head, head });
    for line in snapshot.groups {
        let at = position.map(|position| position.groups.get(&line.group).copied());
        match line.left_seq {
            None => plan.enter(line, at, &mut budget),
            Some(left) => plan.catch_up(line, at.flatten(), left, &mut budget),
        }
    }
    plan
}

impl Plan {
    /// What the router is told of it.
    pub(super) fn opening(self) -> Opening {
        let epoch = self.epoch.into();
        Opening { epoch, starts: self.starts, left: self.left, rev: self.rev, at: self.at }
    }

    /// A group that the user is a member of. `at`: `None` when the client brought no cursor.
    #[expect(
        clippy::option_option,
        reason = "no cursor, no place in it, and a place are three things"
    )]
    fn enter(&mut self, line: SnapshotGroup, at: Option<Option<i64>>, budget: &mut Budget) {
        let head = line.head;
        let joined = line.joined_seq - 1;
        let from = match at {
            None => Ok(head),
            Some(Some(at)) if at < joined => Err(Why::Rejoined),
            Some(at) => budget.replay(at.unwrap_or(joined), head, line.oldest),
        };
        let seq = from.unwrap_or(head);
        if let Err(why) = from {
            self.resets.push(Reset { scope: Scope::Group(line.group.clone(), head), why });
        }
        let stream = StreamKey::Group(line.group.clone());
        self.starts.push(Start { stream, from: seq, until: head, head });
        self.groups.push(GroupPlace { group: line.group, role: line.role, seq, head });
    }

    /// A group that the user is no longer a member of.
    fn catch_up(&mut self, line: SnapshotGroup, at: Option<i64>, left: i64, budget: &mut Budget) {
        let Some(at) = at else { return };
        let stream = StreamKey::Group(line.group.clone());
        if at >= left {
            return self.left.push((stream, left));
        }
        let from = if at < line.joined_seq - 1 {
            Err(Why::Rejoined)
        } else {
            budget.replay(at, left, line.oldest)
        };
        match from {
            Ok(from) => {
                self.starts.push(Start { stream, from, until: left, head: line.head });
            }
            Err(why) => {
                self.left.push((stream, left));
                self.resets.push(Reset { scope: Scope::Group(line.group, left), why });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(id: &str) -> GroupId {
        GroupId::from_stored(id)
    }

    fn line(joined_seq: i64, left_seq: Option<i64>, head: i64) -> SnapshotGroup {
        SnapshotGroup {
            group: group("g"),
            role: Role::Member,
            joined_seq,
            left_seq,
            head,
            oldest: Some(1),
        }
    }

    fn planned(at: Option<i64>, line: SnapshotGroup) -> Plan {
        let groups = at.map(|at| (group("g"), at)).into_iter().collect();
        let position = Position { epoch: "e".into(), user: Some(4), groups };
        let snapshot = Snapshot {
            epoch: "e".into(),
            user_seq: 4,
            rev: 0,
            now: Moment::UNIX_EPOCH,
            user_oldest: None,
            groups: vec![line],
        };
        plan(&UserId::from_stored("u"), Some(&position), snapshot)
    }

    /// Where the connection starts in the group and how far it is led, and the reset, if any.
    fn case(at: Option<i64>, line: SnapshotGroup) -> (Option<(i64, i64)>, Option<&'static str>) {
        let plan = planned(at, line);
        let start = plan.starts.iter().find(|start| matches!(start.stream, StreamKey::Group(_)));
        let told = start.map(|start| (start.from, start.until));
        (told, plan.resets.first().map(|reset| reset.why.word()))
    }

    #[test]
    fn a_member_goes_on_where_he_stands() {
        assert_eq!(case(Some(9), line(3, None, 9)), (Some((9, 9)), None));
        assert_eq!(case(Some(5), line(3, None, 9)), (Some((5, 9)), None));
        assert_eq!(case(Some(2), line(3, None, 9)), (Some((2, 9)), None), "just before he joined");
        assert_eq!(case(None, line(3, None, 9)), (Some((2, 9)), None), "he joined meanwhile");
    }

    #[test]
    fn a_member_is_told_what_cannot_be_replayed() {
        assert_eq!(case(Some(1), line(3, None, 9)), (Some((9, 9)), Some("rejoined")));
        assert_eq!(case(Some(10), line(3, None, 9)), (Some((9, 9)), Some("ahead")));
        let trimmed = SnapshotGroup { oldest: Some(7), ..line(3, None, 9) };
        assert_eq!(case(Some(5), trimmed.clone()), (Some((9, 9)), Some("trimmed")));
        assert_eq!(case(Some(9), trimmed), (Some((9, 9)), None), "nothing is missed");
        assert_eq!(case(Some(5), line(3, None, 1_006)), (Some((1_006, 1_006)), Some("lag")));
        assert_eq!(case(Some(5), line(3, None, 1_005)), (Some((5, 1_005)), None));
    }

    #[test]
    fn one_who_left_is_led_to_his_last_event() {
        assert_eq!(case(Some(5), line(3, Some(7), 9)), (Some((5, 7)), None));
        assert_eq!(case(Some(7), line(3, Some(7), 9)), (None, None), "he knows");
        assert_eq!(case(None, line(3, Some(7), 9)), (None, None), "he does not ask");
        assert_eq!(case(Some(1), line(3, Some(7), 9)), (None, Some("rejoined")));
        let trimmed = SnapshotGroup { oldest: Some(7), ..line(3, Some(7), 9) };
        assert_eq!(case(Some(5), trimmed), (None, Some("trimmed")));
        assert!(planned(Some(5), line(3, Some(7), 9)).groups.is_empty());
    }

    #[test]
    fn another_epoch_resets_everything_once() {
        let position =
            Position { epoch: "old".into(), user: Some(99), groups: [(group("g"), 99)].into() };
        let snapshot = Snapshot {
            epoch: "new".into(),
            user_seq: 4,
            rev: 0,
            now: Moment::UNIX_EPOCH,
            user_oldest: Some(1),
            groups: vec![line(3, None, 9)],
        };
        let plan = plan(&UserId::from_stored("u"), Some(&position), snapshot);
        assert_eq!(plan.resets, [Reset { scope: Scope::All, why: Why::Epoch }]);
        assert_eq!(plan.user_seq, 4);
        assert_eq!(plan.groups[0].seq, 9);
    }

    #[test]
    fn his_own_stream_is_replayed_too() {
        let user = UserId::from_stored("u");
        let run = |at, oldest| {
            let position = Position { epoch: "e".into(), user: Some(at), groups: BTreeMap::new() };
            let snapshot = Snapshot {
                epoch: "e".into(),
                user_seq: 4,
                rev: 0,
                now: Moment::UNIX_EPOCH,
                user_oldest: Some(oldest),
                groups: Vec::new(),
            };
            let plan = plan(&user, Some(&position), snapshot);
            (plan.user_seq, plan.starts[0].until, plan.resets.first().map(|reset| reset.why))
        };
        assert_eq!(run(1, 2), (1, 4, None));
        assert_eq!(run(4, 9), (4, 4, None));
        assert_eq!(run(1, 3), (4, 4, Some(Why::Trimmed)));
        assert_eq!(run(5, 1), (4, 4, Some(Why::Ahead)));
    }

    #[test]
    fn without_a_cursor_it_starts_at_the_end_of_everything() {
        let snapshot = Snapshot {
            epoch: "e".into(),
            user_seq: 4,
            rev: 0,
            now: Moment::UNIX_EPOCH,
            user_oldest: Some(1),
            groups: vec![line(3, None, 9)],
        };
        let plan = plan(&UserId::from_stored("u"), None, snapshot);
        assert!(plan.resets.is_empty());
        assert!(plan.starts.iter().all(|start| start.from == start.head));
    }

    #[test]
    fn all_replays_together_have_a_bound() {
        let groups = (0..11).map(|number| SnapshotGroup {
            group: group(&format!("g{number}")),
            ..line(1, None, 1_000)
        });
        let position = Position { epoch: "e".into(), user: None, groups: BTreeMap::new() };
        let snapshot = Snapshot {
            epoch: "e".into(),
            user_seq: 0,
            rev: 0,
            now: Moment::UNIX_EPOCH,
            user_oldest: Some(1),
            groups: groups.collect(),
        };
        let plan = plan(&UserId::from_stored("u"), Some(&position), snapshot);
        assert_eq!(plan.resets.len(), 1);
        assert_eq!(plan.resets[0].why, Why::Lag);
    }
}
