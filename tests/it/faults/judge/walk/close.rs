//! Resets, what the client shows, and the end.

use super::{Deed, Kind, Members, Scope, Walk, apply};

impl Walk<'_> {
    pub(super) fn reset(&mut self, at: i64, scope: &Scope, why: &str) {
        *self.verdict.counts.resets.entry(why.to_owned()).or_default() += 1;
        if !self.rules.resets.contains(&why) {
            self.broken(Kind::Reset, at, &format!("{scope:?} because of {why}"));
        }
        let Some(connection) = &mut self.connection else { return };
        match scope {
            Scope::All => {
                connection.all_due = false;
                let Some(start) = connection.start.clone() else {
                    return self.broken(Kind::Strange, at, "a reset before welcome");
                };
                self.seen.clear();
                self.view.clear();
                let opened = connection.opened;
                self.covered.clear();
                // What was over before is known from what is loaded now.
                let truth = self.truth();
                for group in
                    truth.spans.get(self.user).into_iter().flatten().map(|(group, _)| group)
                {
                    self.covered.insert(group.clone(), truth.head_at(group, opened));
                }
                self.covered.extend(start.groups.clone());
                self.cursor = Some(start);
            }
            Scope::User(seq) => {
                connection.user_due = false;
                if let Some(cursor) = &mut self.cursor {
                    cursor.user = *seq;
                }
                if *seq > self.truth().user_head(self.user) {
                    self.broken(Kind::Reset, at, &format!("to {seq}, beyond the log"));
                }
            }
            Scope::Group(group, seq) => {
                connection.due.remove(group);
                self.reset_group(at, group, *seq, why);
            }
        }
    }

    fn reset_group(&mut self, at: i64, group: &str, seq: i64, why: &str) {
        let truth = self.truth();
        let spans = truth.spans(self.user, group);
        // It stands where the client may see the log, or at the end of what he could see.
        if seq > truth.head(group) || !spans.iter().any(|span| span.holds(seq)) {
            self.broken(Kind::Reset, at, &format!("{group} to {seq}, {spans:?}"));
        }
        let Some(cursor) = &mut self.cursor else { return };
        let place = cursor.groups.insert(group.to_owned(), seq);
        let began = |place: i64| spans.iter().any(|span| span.from - 1 > place && span.from <= seq);
        if why == "rejoined" && !place.is_some_and(began) {
            let text = format!("{group} from {place:?} to {seq} because of rejoined, {spans:?}");
            self.broken(Kind::Reset, at, &text);
        }
        self.covered.insert(group.to_owned(), seq);
        self.view.remove(group);
    }

    pub(super) fn loaded(&mut self, group: &str, list: Option<&(i64, Members)>) {
        let Some((seq, members)) = list else {
            self.view.remove(group);
            return;
        };
        let mut members = members.clone();
        // Events that came while it was under way.
        let place = self.cursor.as_ref().and_then(|cursor| cursor.groups.get(group)).copied();
        let truth = self.truth();
        for seq in seq + 1..=place.unwrap_or(0) {
            if let Some(entry) = truth.entry(group, seq) {
                apply(&mut members, &entry.deed);
            }
        }
        let seq = place.unwrap_or(0).max(*seq);
        self.view.insert(group.to_owned(), (seq, members));
        self.drop_if_left(group);
    }

    /// Applies an event to what the client shows.
    pub(super) fn show(&mut self, group: &str, seq: i64, deed: &Deed) {
        if let Some((of, members)) = self.view.get_mut(group)
            && *of < seq
        {
            *of = seq;
            apply(members, deed);
        }
        self.drop_if_left(group);
    }

    fn drop_if_left(&mut self, group: &str) {
        let user = self.user;
        if self.view.get(group).is_some_and(|(_, members)| !members.contains_key(user)) {
            self.view.remove(group);
        }
    }

    /// Everything has come to rest: the client is ready, stands at the end of all that it may see, and shows
    /// what is so.
    pub(super) fn end(&mut self, at: i64) {
        let ready = self.connection.as_ref().is_some_and(|connection| connection.ready.is_some());
        if !ready {
            return self.broken(Kind::Ready, at, "is not ready at the end");
        }
        let truth = self.truth();
        let last = &self.truths.last().expect("a history").1;
        if !std::ptr::eq(truth, last) {
            return self.broken(Kind::Reset, at, "is in another epoch at the end");
        }
        let Some(cursor) = self.cursor.clone() else { return };
        let head = truth.user_head(self.user);
        if cursor.user != head {
            let text = format!("stands at {} of {head} personal events", cursor.user);
            self.broken(Kind::Missing, at, &text);
        }
        for group in truth.spans.get(self.user).into_iter().flatten().map(|(group, _)| group) {
            match cursor.groups.get(group) {
                None => self.unheard(at, group, i64::MAX),
                Some(place) => {
                    let next = truth.next_visible(self.user, group, *place);
                    if let Some(next) = next {
                        let text = format!("{group} ends with {place}, and {next} is next");
                        self.broken(Kind::Missing, at, &text);
                    }
                }
            }
        }
        self.compare(at);
    }

    fn compare(&mut self, at: i64) {
        let truth = self.truth();
        let mine = truth.members.iter().filter(|(_, members)| members.contains_key(self.user));
        for (group, members) in mine {
            match self.view.remove(group) {
                None => self.broken(Kind::View, at, &format!("{group} is not shown")),
                Some((of, shown)) if shown != *members => {
                    let text = format!("{group} at {of}: {shown:?} instead of {members:?}");
                    self.broken(Kind::View, at, &text);
                }
                Some(_) => {}
            }
        }
        for (group, (of, _)) in std::mem::take(&mut self.view) {
            self.broken(Kind::View, at, &format!("{group} is shown at {of}, and is not his"));
        }
    }
}
