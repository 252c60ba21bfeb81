//! The judge himself: he lets pass what is right, and finds each kind of fault in a history made with it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::{Kind, Rules, judge};
use crate::faults::record::{Cursor, Item, Line, Record, Said, Scope};
use crate::faults::truth::{Members, Truth, digest};

/// A second, in microseconds.
const SECOND: i64 = 1_000_000;

/// The group's events: Bob is a member from 2 to 4 and from 6 on.
fn frame(seq: i64) -> String {
    let (event, field, value) = match seq {
        1 => ("onGroupCreated", "memberList", json!([{ "userID": "alice", "role": "Owner" }])),
        2 | 6 => ("onMemberInvited", "memberList", json!([{ "userID": "bob" }])),
        3 => ("onMemberInfoChanged", "memberList", json!([{ "userID": "bob", "nameCard": "Bob" }])),
        4 => ("onMemberKicked", "memberList", json!([{ "userID": "bob" }])),
        5 => ("onMemberInvited", "memberList", json!([{ "userID": "carol" }])),
        7 => ("onGroupInfoChanged", "changeInfos", json!([{ "type": "owner", "value": "carol" }])),
        8 => ("onGrantAdministrator", "memberList", json!([{ "userID": "alice" }])),
        _ => ("onGroupInfoChanged", "changeInfos", json!([{ "type": "groupName", "value": "n" }])),
    };
    let mut frame = json!({ "type": "event", "event": event, "groupID": "g", "seq": seq });
    frame[field] = value;
    frame.to_string()
}

fn personal(seq: i64) -> String {
    json!({ "event": "onReceiveInvitation", "stream": "user", "userSeq": seq }).to_string()
}

/// Event `n` happened at second `10 n`, and so did the personal ones 1 and 2.
fn truth() -> Truth {
    let mut truth = Truth::default();
    for seq in 1..=9 {
        truth.add("g", 10 * seq * SECOND, &frame(seq));
    }
    for seq in 1..=2 {
        truth.add_personal("bob", 10 * seq * SECOND, &personal(seq));
    }
    truth
}

fn members() -> Members {
    let line = |user: &str, role: &str| (user.to_owned(), (role.to_owned(), String::new()));
    [line("alice", "Admin"), line("bob", "Member"), line("carol", "Owner")].into()
}

fn members_at_7() -> Members {
    let mut members = members();
    members.insert("alice".to_owned(), ("Member".to_owned(), String::new()));
    members
}

/// A record in the making.
struct Script {
    record: Record,
    at: i64,
}

impl Script {
    fn new() -> Self {
        Self { record: Record::new("bob"), at: 0 }
    }

    fn at(mut self, second: i64) -> Self {
        self.at = second * SECOND;
        self
    }

    fn note(mut self, said: Said) -> Self {
        self.record.items.push(Item { at: self.at, said });
        self
    }

    fn hello(self, cursor: Option<(i64, &[(&str, i64)])>) -> Self {
        self.note(Said::Hello(cursor.map(|(user, groups)| Cursor {
            epoch: "e".to_owned(),
            user,
            groups: groups.iter().map(|(group, seq)| ((*group).to_owned(), *seq)).collect(),
        })))
    }

    fn welcome(self, user_seq: i64, groups: &[(&str, i64, i64)]) -> Self {
        let line = |(group, seq, head): &(&str, i64, i64)| Line {
            group: (*group).to_owned(),
            seq: *seq,
            head: *head,
        };
        let lines = groups.iter().map(line).collect();
        self.note(Said::Welcome { epoch: "e".to_owned(), user_seq, lines })
    }

    fn ready(self) -> Self {
        self.note(Said::Ready)
    }

    fn ended(self) -> Self {
        self.note(Said::Ended)
    }

    fn hears(mut self, seqs: impl IntoIterator<Item = i64>) -> Self {
        for seq in seqs {
            self = self.hears_as(seq, &frame(seq), true);
        }
        self
    }

    fn hears_as(self, seq: i64, text: &str, taken: bool) -> Self {
        let group = Some("g".to_owned());
        self.note(Said::Event { group, seq, digest: digest(text), taken })
    }

    fn hears_personally(mut self, seqs: impl IntoIterator<Item = i64>) -> Self {
        for seq in seqs {
            let digest = digest(&personal(seq));
            self = self.note(Said::Event { group: None, seq, digest, taken: true });
        }
        self
    }

    fn reset(self, scope: Scope, why: &str) -> Self {
        self.note(Said::Reset { scope, why: why.to_owned() })
    }

    fn loads(self, seq: i64, members: Members) -> Self {
        self.note(Said::Loaded { group: "g".to_owned(), list: Some((seq, members)) })
    }

    /// The kinds of what the judge finds.
    #[track_caller]
    fn gets(self, expected: &[Kind]) {
        let rules = Rules { patience: Duration::from_secs(2), ..Rules::CALM };
        let verdict = judge(&[self.record], &[("e".to_owned(), truth())], &rules);
        let mut found: Vec<Kind> = verdict.violations.iter().map(|it| it.kind).collect();
        found.dedup();
        assert_eq!(found, expected, "{:#?}", verdict.violations);
    }
}

/// Bob is connected from the beginning and hears of everything.
fn connected() -> Script {
    Script::new().at(5).hello(None).welcome(0, &[]).ready()
}

/// Up to his first removal.
fn removed() -> Script {
    connected().at(45).hears([2]).loads(3, members_of_old()).hears([3, 4]).hears_personally([1, 2])
}

fn members_of_old() -> Members {
    let line =
        |user: &str, role: &str, card: &str| (user.to_owned(), (role.to_owned(), card.to_owned()));
    [line("alice", "Owner", ""), line("bob", "Member", "Bob")].into()
}

fn after_the_removal() -> Script {
    removed().at(95).hears([6, 7]).loads(8, members()).hears([8, 9])
}

fn group(seq: i64) -> Scope {
    Scope::Group("g".to_owned(), seq)
}

#[test]
fn who_hears_everything_is_served_well() {
    after_the_removal().gets(&[]);
}

#[test]
fn a_repetition_that_is_removed_is_no_fault_and_one_that_is_not_is() {
    after_the_removal().hears_as(9, &frame(9), false).gets(&[]);
    after_the_removal().hears_as(9, &frame(9), true).gets(&[Kind::Repeat]);
    after_the_removal().hears_personally([2]).gets(&[Kind::Repeat]);
}

#[test]
fn a_hole_is_found_within_a_connection() {
    removed().at(95).hears([6, 8, 9]).loads(9, members()).gets(&[Kind::Hole]);
    connected()
        .at(95)
        .hears([2, 4, 6])
        .hears([7, 8, 9])
        .hears_personally([1, 2])
        .loads(9, members())
        .gets(&[Kind::Hole]);
    connected().at(95).hears([3]).gets(&[Kind::Hole, Kind::Missing, Kind::View]);
}

#[test]
fn a_hole_is_found_between_connections() {
    let back = |script: Script| {
        script.ended().at(95).hello(Some((2, &[("g", 7)]))).welcome(2, &[("g", 7, 9)])
    };
    let begun = || removed().at(75).hears([6, 7]).loads(7, members_at_7());
    back(begun()).hears([8, 9]).ready().loads(9, members()).gets(&[]);
    back(begun()).hears([9]).ready().loads(9, members()).gets(&[Kind::Hole]);
    back(begun()).ready().hears([8, 9]).loads(9, members()).gets(&[Kind::Ready]);
    back(begun()).ready().gets(&[Kind::Ready, Kind::Missing, Kind::View]);
}

#[test]
fn a_start_elsewhere_needs_a_reset() {
    let back = || removed().ended().at(95).hello(Some((2, &[("g", 4)])));
    let rejoined = || back().welcome(2, &[("g", 9, 9)]);
    rejoined().reset(group(9), "rejoined").ready().loads(9, members()).gets(&[]);
    rejoined().ready().loads(9, members()).gets(&[Kind::Reset, Kind::Ready, Kind::Missing]);
    rejoined().reset(group(9), "lag").ready().loads(9, members()).gets(&[Kind::Reset]);
    let personal = back().welcome(1, &[("g", 4, 9)]).hears(6..=9).ready();
    personal.loads(9, members()).gets(&[Kind::Reset]);
}

#[test]
fn a_reset_without_reason_is_found() {
    let again = || after_the_removal().reset(group(9), "rejoined").loads(9, members());
    again().gets(&[Kind::Reset]);
    after_the_removal()
        .reset(group(5), "lag")
        .loads(9, members())
        .gets(&[Kind::Reset, Kind::Missing]);
    after_the_removal().reset(Scope::User(3), "rejoined").gets(&[Kind::Reset, Kind::Missing]);
}

#[test]
fn a_wrong_order_is_found() {
    removed()
        .at(95)
        .hears([6, 8])
        .hears_as(7, &frame(7), false)
        .hears([9])
        .loads(9, members())
        .gets(&[Kind::Hole, Kind::Order]);
}

#[test]
fn what_happened_while_one_was_no_member_is_not_shown() {
    removed().at(95).hears([5, 6, 7, 8, 9]).loads(9, members()).gets(&[Kind::Outside, Kind::Hole]);
    let listed = Script::new().at(55).hello(None).welcome(2, &[("g", 5, 5)]).ready();
    listed.at(95).hears([6, 7, 8, 9]).loads(9, members()).gets(&[Kind::Outside]);
}

#[test]
fn what_differs_from_the_log_is_found() {
    let script = removed().at(95).hears([6]).hears_as(7, &frame(8), true).hears([7, 8, 9]);
    script.loads(9, members()).gets(&[Kind::Altered]);
    after_the_removal().hears_as(10, &frame(9), true).gets(&[Kind::Altered]);
    let more = after_the_removal().hears_personally([3]);
    more.gets(&[Kind::Altered]);
}

#[test]
fn a_membership_that_is_never_told_is_found() {
    connected().at(95).hears_personally([1, 2]).gets(&[Kind::Missing, Kind::View]);
    let second = connected().at(95).hears_personally([1, 2]).hears([6, 7, 8, 9]);
    second.loads(9, members()).gets(&[Kind::Missing]);
    removed().gets(&[Kind::Missing, Kind::View]);
    connected().at(95).hears([2, 3, 4, 6, 7, 8, 9]).loads(9, members()).gets(&[Kind::Missing]);
}

#[test]
fn a_membership_within_an_absence_need_not_be_told() {
    let back = |left: i64, came: i64| {
        let script = Script::new().at(5).hello(None).welcome(0, &[]).ready().at(left).ended();
        let script = script.at(came).hello(Some((0, &[]))).welcome(0, &[]);
        script.hears_personally([1, 2]).ready().at(95).hears([6, 7, 8, 9]).loads(9, members())
    };
    back(19, 41).gets(&[]);
    // News were still under way when he left.
    back(21, 41).gets(&[]);
    back(23, 41).gets(&[Kind::Missing]);
    back(19, 39).gets(&[Kind::Missing]);
}

#[test]
fn ready_has_to_come() {
    let script = after_the_removal().ended();
    let cursor: (i64, &[(&str, i64)]) = (2, &[("g", 9)]);
    let again = script.at(100).hello(Some(cursor)).welcome(2, &[("g", 9, 9)]);
    again.gets(&[Kind::Ready]);
    let script = after_the_removal().ended().at(100).hello(Some(cursor)).at(120).ended();
    script.hello(Some(cursor)).welcome(2, &[("g", 9, 9)]).ready().gets(&[Kind::Ready]);
}

#[test]
fn a_welcome_that_cannot_be_is_found() {
    let script = Script::new().at(95).hello(None).welcome(2, &[("g", 10, 10)]).ready();
    script.loads(9, members()).gets(&[Kind::Start]);
    let script = Script::new().at(95).hello(None).welcome(3, &[("g", 9, 9)]).ready();
    script.loads(9, members()).gets(&[Kind::Start, Kind::Missing]);
    let script = removed().ended().at(95).hello(Some((2, &[("g", 4)])));
    let other = Said::Welcome { epoch: "other".to_owned(), user_seq: 2, lines: Vec::new() };
    script.note(other).ready().gets(&[Kind::Start, Kind::Reset, Kind::Missing, Kind::View]);
}

#[test]
fn an_end_without_reason_and_a_strange_frame_are_found() {
    after_the_removal().note(Said::Bye(1001)).gets(&[]);
    after_the_removal().note(Said::Bye(4008)).gets(&[Kind::End]);
    after_the_removal().note(Said::Strange("{}".to_owned())).gets(&[Kind::Strange]);
}

#[test]
fn a_client_that_says_another_cursor_is_found() {
    let script = after_the_removal().ended().at(100).hello(Some((2, &[("g", 8)])));
    script.welcome(2, &[("g", 8, 9)]).hears_as(9, &frame(9), false).ready().gets(&[Kind::Cursor]);
}

#[test]
fn a_view_that_is_not_the_database_s_is_found() {
    removed().at(95).hears([6, 7, 8, 9]).loads(9, members_at_7()).gets(&[Kind::View]);
    removed().at(95).hears([6, 7, 8, 9]).gets(&[Kind::View]);
    let not_his = BTreeMap::from([("bob".to_owned(), ("Member".to_owned(), String::new()))]);
    let list = Some((1, not_his));
    after_the_removal().note(Said::Loaded { group: "h".to_owned(), list }).gets(&[Kind::View]);
}

/// Another history in which Bob is a member from the second event on.
fn other_truth() -> Truth {
    let mut truth = Truth::default();
    for seq in 1..=3 {
        truth.add("g", 10 * seq * SECOND, &frame(seq));
    }
    truth
}

#[test]
fn another_history_needs_a_reset_of_everything() {
    let judged = |script: Script| {
        let truths = [("e".to_owned(), truth()), ("f".to_owned(), other_truth())];
        let rules = Rules { resets: &["epoch"], ..Rules::CALM };
        let verdict = judge(&[script.record], &truths, &rules);
        let mut found: Vec<Kind> = verdict.violations.iter().map(|it| it.kind).collect();
        found.dedup();
        found
    };
    let back = || {
        let script = after_the_removal().ended().at(100).hello(Some((2, &[("g", 9)])));
        let line = Line { group: "g".to_owned(), seq: 3, head: 3 };
        script.note(Said::Welcome { epoch: "f".to_owned(), user_seq: 0, lines: vec![line] })
    };
    let reset = || back().reset(Scope::All, "epoch").ready();
    assert_eq!(judged(reset().loads(3, members_of_old())), []);
    assert_eq!(judged(reset().loads(3, members())), [Kind::View]);
    assert_eq!(judged(reset()), [Kind::View]);
    assert_eq!(judged(back().ready())[0], Kind::Reset);
    // Who stays where he was shows what is no longer so.
    assert_eq!(judged(after_the_removal()), [Kind::Reset]);
}
