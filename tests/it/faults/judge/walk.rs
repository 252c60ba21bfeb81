//! The walk through one client's record.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Rules, Verdict, Violation};
use crate::faults::record::{Cursor, Item, Line, Said, Scope};
use crate::faults::truth::{Deed, Members, Span, Truth, apply};

/// A connection, as far as it has come.
#[derive(Default)]
struct Connection {
    /// Where it says that it starts.
    start: Option<Cursor>,
    /// The ends of the logs that the replay has to reach.
    heads: BTreeMap<String, i64>,
    /// The cursor it came with.
    brought: Option<Cursor>,
    /// Resets that must come, since `welcome` starts elsewhere than the cursor stands.
    due: BTreeSet<String>,
    user_due: bool,
    all_due: bool,
    ready: Option<i64>,
    opened: i64,
}

pub(super) struct Walk<'a> {
    user: &'a str,
    truths: &'a [(String, Truth)],
    rules: &'a Rules,
    verdict: &'a mut Verdict,
    cursor: Option<Cursor>,
    connection: Option<Connection>,
    /// When the client was without a connection: from, to.
    away: Vec<(i64, i64)>,
    gone_since: i64,
    /// What was delivered of each group in this epoch, to tell a repetition from a wrong order.
    seen: BTreeMap<String, BTreeSet<i64>>,
    /// Everything up to here was loaded or is older than the first connection.
    covered: BTreeMap<String, i64>,
    /// What the client shows: the number that it is of, and the members.
    view: BTreeMap<String, (i64, Members)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        user: &'a str,
        truths: &'a [(String, Truth)],
        rules: &'a Rules,
        verdict: &'a mut Verdict,
    ) -> Self {
        Self {
            user,
            truths,
            rules,
            verdict,
            cursor: None,
            connection: None,
            away: Vec::new(),
            gone_since: i64::MIN / 2,
            seen: BTreeMap::new(),
            covered: BTreeMap::new(),
            view: BTreeMap::new(),
        }
    }

    fn broken(&mut self, kind: Kind, at: i64, text: &str) {
        let text = format!("{} at {at}: {text}", self.user);
        self.verdict.violations.push(Violation { kind, text });
    }

    /// The history that the present connection is in.
    fn truth(&self) -> &'a Truth {
        let epoch = self.connection.as_ref().and_then(|it| Some(&it.start.as_ref()?.epoch));
        let epoch = epoch.or(self.cursor.as_ref().map(|cursor| &cursor.epoch));
        let found = self.truths.iter().find(|(of, _)| Some(of) == epoch);
        let all = found.or(self.truths.last());
        &all.expect("a history").1
    }

    pub(super) fn through(&mut self, items: &[Item]) {
        for item in items {
            self.step(item.at, &item.said);
        }
        let end = items.last().map_or(0, |item| item.at);
        self.end(end);
    }

    fn step(&mut self, at: i64, said: &Said) {
        match said {
            Said::Hello(cursor) => self.hello(at, cursor.as_ref()),
            Said::Welcome { epoch, user_seq, lines } => self.welcome(at, epoch, *user_seq, lines),
            Said::Groups(lines) => self.lines(at, lines),
            Said::Ready => self.ready(at),
            Said::Event { group: Some(group), seq, digest, taken } => {
                self.event(at, group, *seq, *digest, *taken);
            }
            Said::Event { group: None, seq, digest, taken } => {
                self.personal(at, *seq, *digest, *taken);
            }
            Said::Reset { scope, why } => self.reset(at, scope, why),
            Said::Bye(code) => {
                *self.verdict.counts.byes.entry(*code).or_default() += 1;
                if !self.rules.byes.contains(code) {
                    self.broken(Kind::End, at, &format!("the socket was ended with {code}"));
                }
            }
            Said::Ended => self.ended(at),
            Said::Loaded { group, list } => self.loaded(group, list.as_ref()),
            Said::Strange(what) => self.broken(Kind::Strange, at, what),
        }
    }

    fn hello(&mut self, at: i64, cursor: Option<&Cursor>) {
        self.verdict.counts.connections += 1;
        self.verdict.counts.resumed += u64::from(cursor.is_some());
        if cursor != self.cursor.as_ref() {
            let text = format!("said {cursor:?} instead of {:?}", self.cursor);
            self.broken(Kind::Cursor, at, &text);
        }
        let brought = cursor.cloned();
        self.connection = Some(Connection { brought, opened: at, ..Connection::default() });
    }

    fn welcome(&mut self, at: i64, epoch: &str, user_seq: i64, lines: &[Line]) {
        let Some(connection) = &mut self.connection else {
            return self.broken(Kind::Strange, at, "welcome without hello");
        };
        let start = Cursor { epoch: epoch.to_owned(), user: user_seq, groups: BTreeMap::new() };
        connection.start = Some(start.clone());
        let brought = connection.brought.as_ref();
        connection.all_due = brought.is_some_and(|brought| brought.epoch != epoch);
        connection.user_due =
            brought.is_some_and(|brought| brought.epoch == epoch && brought.user != user_seq);
        self.cursor.get_or_insert(start);
        self.away.push((self.gone_since, at));
        if !self.truths.iter().any(|(of, _)| of == epoch) {
            self.broken(Kind::Start, at, &format!("the epoch {epoch} is nobody's"));
        }
        if user_seq > self.truth().user_head(self.user) {
            self.broken(Kind::Start, at, &format!("userSeq {user_seq} is beyond the log"));
        }
        self.lines(at, lines);
    }

    fn lines(&mut self, at: i64, lines: &[Line]) {
        for line in lines {
            self.line(at, line);
        }
    }

    fn line(&mut self, at: i64, line: &Line) {
        let truth = self.truth();
        let group = &line.group;
        let spans = truth.spans(self.user, group);
        let of_now =
            |span: &&Span| span.from <= line.head && span.to.is_none_or(|to| line.head < to);
        let Some(span) = spans.iter().find(of_now).copied() else {
            let text = format!("{group} is listed at {}, {spans:?}", line.head);
            return self.broken(Kind::Outside, at, &text);
        };
        if line.head > truth.head(group) || line.seq > line.head {
            self.broken(Kind::Start, at, &format!("{line:?} is beyond the log"));
        }
        let Some(connection) = &mut self.connection else { return };
        let Some(start) = &mut connection.start else { return };
        start.groups.insert(group.clone(), line.seq);
        connection.heads.insert(group.clone(), line.head);
        let same = connection.brought.as_ref().filter(|brought| brought.epoch == start.epoch);
        match (same.map(|brought| brought.groups.get(group)), &mut self.cursor) {
            (Some(Some(place)), _) if *place == line.seq => {}
            (Some(Some(_)), _) => drop(connection.due.insert(group.clone())),
            (Some(None), Some(cursor)) => {
                cursor.groups.insert(group.clone(), line.seq);
                if line.seq != span.from - 1 && line.seq != line.head {
                    let text = format!("{group} starts at {} and was joined at {span:?}", line.seq);
                    self.broken(Kind::Start, at, &text);
                } else if line.seq >= span.from {
                    connection.due.insert(group.clone());
                }
            }
            (None, cursor) => {
                if !connection.all_due
                    && let Some(cursor) = cursor
                {
                    cursor.groups.entry(group.clone()).or_insert(line.seq);
                }
                self.covered.insert(group.clone(), line.seq);
            }
            (Some(None), None) => {}
        }
        self.unheard(at, group, span.from);
    }

    /// Memberships before this one must have been heard of, unless nobody had to tell.
    fn unheard(&mut self, at: i64, group: &str, before: i64) {
        let spans = self.truth().spans(self.user, group).to_vec();
        for span in spans.into_iter().filter(|span| span.from < before) {
            let known = self.covered.get(group).is_some_and(|covered| *covered >= span.from)
                || self.seen.get(group).is_some_and(|seen| seen.contains(&span.from));
            if known {
                continue;
            }
            self.covered.insert(group.to_owned(), span.to.unwrap_or(span.from));
            let patience = i64::try_from(self.rules.patience.as_micros()).expect("a time");
            if self.was_away(group, span, 0) {
                self.verdict.counts.unheard += 1;
            } else if self.was_away(group, span, patience) {
                self.verdict.counts.cut_off += 1;
            } else {
                let text = format!("{group}: nothing was heard of the membership {span:?}");
                self.broken(Kind::Missing, at, &text);
            }
        }
    }

    /// Whether a membership lay within a time in which the client was away, or began so much before.
    fn was_away(&self, group: &str, span: Span, before: i64) -> bool {
        let truth = self.truth();
        let moment = |seq: i64| truth.entry(group, seq).map(|entry| entry.at);
        let (Some(from), Some(to)) = (moment(span.from), span.to.and_then(moment)) else {
            return false;
        };
        let still = self.connection.is_none().then_some((self.gone_since, i64::MAX));
        let mut away = self.away.iter().copied().chain(still);
        away.any(|(left, came)| left.saturating_sub(before) <= from && to <= came)
    }

    fn ready(&mut self, at: i64) {
        let Some(connection) = &mut self.connection else { return };
        connection.ready = Some(at);
        let due: Vec<String> = std::mem::take(&mut connection.due).into_iter().collect();
        let user_due = std::mem::take(&mut connection.user_due);
        let all_due = std::mem::take(&mut connection.all_due);
        let heads = std::mem::take(&mut connection.heads);
        if !due.is_empty() || user_due || all_due {
            let text = format!("no reset came for {due:?}, user {user_due}, all {all_due}");
            self.broken(Kind::Reset, at, &text);
        }
        for (group, head) in heads {
            let place = self.cursor.as_ref().and_then(|cursor| cursor.groups.get(&group));
            let place = place.copied().unwrap_or(0);
            if place < head {
                let text = format!("{group} stands at {place}, and {head} was promised");
                self.broken(Kind::Ready, at, &text);
            }
        }
    }

    fn ended(&mut self, at: i64) {
        if let Some(connection) = self.connection.take() {
            let patience = i64::try_from(self.rules.patience.as_micros()).expect("a time");
            if connection.ready.is_none() && at - connection.opened > 6 * patience {
                self.broken(Kind::Ready, at, "ready did not come");
            }
            if connection.start.is_some() {
                self.gone_since = at;
            }
        }
    }

    fn event(&mut self, at: i64, group: &str, seq: i64, digest: u64, taken: bool) {
        self.verdict.counts.events += 1;
        let truth = self.truth();
        let Some(entry) = truth.entry(group, seq).filter(|entry| entry.digest == digest) else {
            return self.broken(Kind::Altered, at, &format!("{group} {seq} is not in the log"));
        };
        let spans = truth.spans(self.user, group);
        if !spans.iter().any(|span| span.holds(seq)) {
            self.broken(Kind::Outside, at, &format!("{group} {seq}, {spans:?}"));
        }
        let Some(cursor) = &mut self.cursor else {
            return self.broken(Kind::Strange, at, "an event before welcome");
        };
        let place = cursor.groups.get(group).copied();
        if place.is_some_and(|place| seq <= place) {
            return self.again(at, group, seq, taken);
        }
        cursor.groups.insert(group.to_owned(), seq);
        match place {
            None if spans.iter().any(|span| span.from == seq) => self.unheard(at, group, seq),
            None => {
                let text = format!("{group} begins with {seq}, {spans:?}");
                self.broken(Kind::Hole, at, &text);
            }
            Some(place) => {
                let next = truth.next_visible(self.user, group, place);
                if next != Some(seq) {
                    let text = format!("{group}: {seq} after {place} instead of {next:?}");
                    self.broken(Kind::Hole, at, &text);
                }
            }
        }
        self.seen.entry(group.to_owned()).or_default().insert(seq);
        if !taken {
            self.broken(Kind::Cursor, at, &format!("{group} {seq} was removed, and is new"));
        }
        self.show(group, seq, &entry.deed);
        self.time(at, entry.at);
    }

    /// An event that is not after the cursor.
    fn again(&mut self, at: i64, group: &str, seq: i64, taken: bool) {
        self.verdict.counts.repeats += 1;
        let seen = self.seen.get(group).is_some_and(|seen| seen.contains(&seq));
        if !seen && self.covered.get(group).is_none_or(|covered| seq > *covered) {
            self.broken(Kind::Order, at, &format!("{group} {seq} comes after a later one"));
        }
        if taken {
            self.broken(Kind::Repeat, at, &format!("{group} {seq} was taken twice"));
        }
    }

    fn personal(&mut self, at: i64, seq: i64, digest: u64, taken: bool) {
        self.verdict.counts.events += 1;
        let Some(entry) =
            self.truth().personal(self.user, seq).filter(|entry| entry.digest == digest)
        else {
            return self.broken(Kind::Altered, at, &format!("personal {seq} is not in the log"));
        };
        let Some(cursor) = &mut self.cursor else {
            return self.broken(Kind::Strange, at, "an event before welcome");
        };
        let place = cursor.user;
        if seq <= place {
            self.verdict.counts.repeats += 1;
            if taken {
                self.broken(Kind::Repeat, at, &format!("personal {seq} was taken twice"));
            }
            return;
        }
        cursor.user = seq;
        if seq != place + 1 {
            self.broken(Kind::Hole, at, &format!("personal {seq} after {place}"));
        }
        self.time(at, entry.at);
    }

    /// How long an event was on its way, if it happened after `ready`.
    fn time(&mut self, at: i64, happened: i64) {
        let ready = self.connection.as_ref().and_then(|connection| connection.ready);
        if ready.is_some_and(|ready| ready < happened) {
            self.verdict.delays.push(at - happened);
        }
    }
}

mod close;
