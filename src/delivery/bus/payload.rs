//! What travels between nodes: one text for every kind of bus.
//!
//! A payload is a JSON object with a version, who sent it, which of his it is, the epoch of the database,
//! and what was committed: entries, whose frames arrive byte for byte, and hints, the bare numbers of
//! entries that were too large. Fields that a later version adds are passed over. Whatever cannot be
//! read is refused as a whole, and a refused payload is only a lost one: the log has what was in it.
//!
//! An entry of a kind that this version does not know becomes a hint: somebody newer committed it, and the
//! number at least is understood.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::DateTime;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{EventKind, GroupId, LogEntry, StreamKey, UserId};

/// The form of what this module writes, and the only one that it reads.
const VERSION: u32 = 1;
/// Room for the digits of a counter.
const DIGITS: usize = 20;
/// Longest id that is believed.
const ID_BYTES: usize = 64;

/// Names the start of a process: another one is made each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sender(u64);

impl Sender {
    /// A name that nobody has.
    pub(super) fn random() -> Self {
        Self(rand::random())
    }

    #[cfg(test)]
    pub(super) fn of(number: u64) -> Self {
        Self(number)
    }
}

/// What one payload will hold, while it is put together.
#[derive(Debug)]
pub(super) struct Draft {
    epoch: Arc<str>,
    /// The epoch as it is written.
    quoted: String,
    entries: String,
    hints: String,
    /// How many entries and hints.
    pub(super) count: u64,
}

impl Draft {
    /// Nothing yet, of this epoch.
    pub(super) fn new(epoch: Arc<str>) -> Self {
        let quoted = quoted(&epoch);
        Self { epoch, quoted, entries: String::new(), hints: String::new(), count: 0 }
    }

    /// The payload: number so and so of this sender, or one that is not counted.
    pub(super) fn text(&self, sender: Sender, number: Option<u64>) -> String {
        let mut text = String::with_capacity(self.bytes());
        // Writing to a String cannot fail.
        let _ = write!(text, r#"{{"v":{VERSION},"from":"{:016x}""#, sender.0);
        if let Some(number) = number {
            let _ = write!(text, r#","n":{number}"#);
        }
        let _ = write!(
            text,
            r#","epoch":{},"entries":[{}],"hints":[{}]}}"#,
            self.quoted, self.entries, self.hints
        );
        text
    }

    /// Most bytes that the payload can have.
    fn bytes(&self) -> usize {
        const FRAME: usize =
            r#"{"v":,"from":"0123456789abcdef","n":,"epoch":,"entries":[],"hints":[]}"#.len();
        FRAME + 2 * DIGITS + self.quoted.len() + self.entries.len() + self.hints.len()
    }

    /// Adds an entry or a hint if the payload stays within so many bytes.
    fn add(&mut self, item: &Item, most: usize) -> bool {
        let text = match item {
            Item::Entry(text) | Item::Hint(text) => text,
        };
        if self.count > 0 && self.bytes() + 1 + text.len() > most {
            return false;
        }
        let list = match item {
            Item::Entry(_) => &mut self.entries,
            Item::Hint(_) => &mut self.hints,
        };
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(text);
        self.count += 1;
        true
    }
}

/// One thing of a payload, as it is written there.
enum Item {
    Entry(String),
    Hint(String),
}

/// Packs entries into as few payloads of at most so many bytes as their order allows. Each comes with its
/// epoch and the most bytes with which it travels whole; one that is larger, or does not fit into a payload
/// of its own, travels as a hint.
pub(super) fn pack<'a>(
    entries: impl IntoIterator<Item = (&'a Arc<str>, &'a LogEntry, usize)>,
    most: usize,
) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    for (epoch, entry, largest) in entries {
        let alone = Draft::new(epoch.clone()).bytes();
        let text = if entry.frame.len() <= largest { whole(entry) } else { None };
        let item = match text {
            Some(text) if alone + text.len() <= most => Item::Entry(text),
            _ => Item::Hint(hint(&entry.stream, entry.seq)),
        };
        let last = drafts.last_mut().filter(|last| *last.epoch == **epoch);
        if !last.is_some_and(|last| last.add(&item, most)) {
            let mut draft = Draft::new(epoch.clone());
            draft.add(&item, most);
            drafts.push(draft);
        }
    }
    drafts
}

/// An entry with its frame; nothing for a frame that is no JSON, which the log never holds.
fn whole(entry: &LogEntry) -> Option<String> {
    let frame: &RawValue = serde_json::from_str(&entry.frame).ok()?;
    // White space around it would be lost on the way.
    if frame.get() != &*entry.frame {
        return None;
    }
    let (sort, id) = named(&entry.stream);
    let (seq, kind, at) = (entry.seq, entry.kind.code(), entry.at.timestamp_micros());
    Some(format!(r#"["{sort}",{},{seq},{kind},{at},{frame}]"#, quoted(id)))
}

fn hint(stream: &StreamKey, seq: i64) -> String {
    let (sort, id) = named(stream);
    format!(r#"["{sort}",{},{seq}]"#, quoted(id))
}

fn named(stream: &StreamKey) -> (&'static str, &str) {
    match stream {
        StreamKey::Group(id) => ("g", id.as_str()),
        StreamKey::User(id) => ("u", id.as_str()),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What another node says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Who.
    pub(super) sender: Sender,
    /// Which of his payloads it is, if they are counted.
    pub(super) number: Option<u64>,
    /// The epoch under which all of it was committed.
    pub(super) epoch: Arc<str>,
    /// Entries.
    pub(super) entries: Vec<LogEntry>,
    /// Numbers of entries.
    pub(super) hints: Vec<(StreamKey, i64)>,
}

/// Not what this version writes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

#[derive(Deserialize)]
struct Head<'a> {
    v: u32,
    #[serde(borrow)]
    from: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(default)]
    n: Option<u64>,
    #[serde(borrow)]
    epoch: Cow<'a, str>,
    #[serde(borrow)]
    entries: Vec<Entry<'a>>,
    #[serde(borrow)]
    hints: Vec<Hint<'a>>,
}

#[derive(Deserialize)]
struct Entry<'a>(Sort, #[serde(borrow)] Cow<'a, str>, i64, i16, i64, #[serde(borrow)] &'a RawValue);

#[derive(Deserialize)]
struct Hint<'a>(Sort, #[serde(borrow)] Cow<'a, str>, i64);

#[derive(Clone, Copy, Deserialize)]
enum Sort {
    #[serde(rename = "g")]
    Group,
    #[serde(rename = "u")]
    User,
}

/// Reads a payload; nothing when it is this sender's own, which is recognised before it is read.
///
/// # Errors
/// When it is not of this form.
pub(super) fn read(text: &str, own: Sender) -> Result<Option<Message>, Malformed> {
    let head: Head<'_> = serde_json::from_str(text).map_err(|_| Malformed)?;
    if head.v != VERSION || head.from.len() != 16 {
        return Err(Malformed);
    }
    let sender = Sender(u64::from_str_radix(&head.from, 16).map_err(|_| Malformed)?);
    if sender == own {
        return Ok(None);
    }
    let body: Body<'_> = serde_json::from_str(text).map_err(|_| Malformed)?;
    let mut message = Message {
        sender,
        number: body.n,
        epoch: (*body.epoch).into(),
        entries: Vec::with_capacity(body.entries.len()),
        hints: Vec::with_capacity(body.hints.len()),
    };
    for Hint(sort, id, seq) in &body.hints {
        message.hints.push((stream(*sort, id)?, number(*seq)?));
    }
    for Entry(sort, id, seq, kind, at, frame) in &body.entries {
        let (stream, seq) = (stream(*sort, id)?, number(*seq)?);
        let at = DateTime::from_timestamp_micros(*at).ok_or(Malformed)?;
        match EventKind::from_code(*kind) {
            Some(kind) => {
                message.entries.push(LogEntry::from_stored(stream, seq, at, kind, frame.get()));
            }
            None => message.hints.push((stream, seq)),
        }
    }
    Ok(Some(message))
}

fn stream(sort: Sort, id: &str) -> Result<StreamKey, Malformed> {
    if id.is_empty() || id.len() > ID_BYTES || !id.bytes().all(|byte| (0x20..0x7F).contains(&byte))
    {
        return Err(Malformed);
    }
    Ok(match sort {
        Sort::Group => StreamKey::Group(GroupId::from_stored(id)),
        Sort::User => StreamKey::User(UserId::from_stored(id)),
    })
}

fn number(seq: i64) -> Result<i64, Malformed> {
    if seq >= 1 { Ok(seq) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::{Ends, Moment};

    const ME: Sender = Sender(7);
    const OTHER: Sender = Sender(8);

    fn epoch() -> Arc<str> {
        "e-1".into()
    }

    fn packed(entries: &[LogEntry], most: usize) -> Vec<String> {
        let epoch = epoch();
        let drafts = pack(entries.iter().map(|entry| (&epoch, entry, most)), most);
        (1..).zip(&drafts).map(|(number, draft)| draft.text(OTHER, Some(number))).collect()
    }

    fn sent(texts: &[String]) -> (Vec<LogEntry>, Vec<(StreamKey, i64)>) {
        let (mut entries, mut hints) = (Vec::new(), Vec::new());
        for (text, number) in texts.iter().zip(1..) {
            let message = read(text, ME).expect("readable").expect("somebody else's");
            assert_eq!(
                (message.sender, message.number, message.epoch),
                (OTHER, Some(number), epoch())
            );
            entries.extend(message.entries);
            hints.extend(message.hints);
        }
        (entries, hints)
    }

    prop_compose! {
        fn entry()(
            group in any::<bool>(),
            id in "[ -~]{1,48}",
            seq in 1..=i64::MAX,
            micros in -1_000_000_000_000_000_i64..4_000_000_000_000_000,
            code in proptest::sample::select(vec![1_i16, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 21, 22, 23]),
            text in any::<String>(),
            names in proptest::collection::vec("[ -~]{1,8}", 0..4),
        ) -> LogEntry {
            let stream = if group {
                StreamKey::Group(GroupId::from_stored(&id))
            } else {
                StreamKey::User(UserId::from_stored(&id))
            };
            let names: Vec<_> = names.iter().map(|name| json!({ "userID": name })).collect();
            let frame = json!({ "reason": text, &text: 1.50, "memberList": names }).to_string();
            let at = DateTime::from_timestamp_micros(micros).expect("a moment");
            let kind = EventKind::from_code(code).expect("a kind");
            LogEntry::from_stored(stream, seq, at, kind, &frame)
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_is_read_byte_for_byte(
            entries in proptest::collection::vec(entry(), 0..12),
            most in 400_usize..9_000,
        ) {
            let texts = packed(&entries, most);
            prop_assert!(texts.iter().all(|text| text.len() <= most), "{texts:?}");
            let (whole, hints) = sent(&texts);
            let expected: Vec<LogEntry> = entries
                .iter()
                .filter(|entry| !hints.contains(&(entry.stream.clone(), entry.seq)))
                .cloned()
                .collect();
            prop_assert_eq!(whole.len() + hints.len(), entries.len());
            prop_assert_eq!(whole, expected);
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            prop_assert_eq!(read(&text, ME), Err(Malformed));
        }

        #[test]
        fn any_json_is_read_or_refused(
            v in 0..3_u32, from in "[0-9a-f]{15,17}", n in any::<i64>(), sort in "[gux]",
            id in any::<String>(), seq in any::<i64>(), kind in any::<i32>(), at in any::<i64>(),
            frame in any::<String>(),
        ) {
            let whole = json!({
                "v": v, "from": from, "n": n, "epoch": "e",
                "entries": [[sort, id, seq, kind, at, frame]], "hints": [],
            });
            let text = whole.to_string();
            if let Ok(Some(message)) = read(&text, ME) {
                prop_assert_eq!(message.entries.len() + message.hints.len(), 1);
                prop_assert!(v == 1 && seq >= 1 && n >= 0);
            }
        }

        #[test]
        fn a_payload_that_was_cut_is_refused(entry in entry(), cut in any::<proptest::sample::Index>()) {
            let text = packed(&[entry], 9_000).remove(0);
            let ends: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            prop_assert_eq!(read(&text[..*cut.get(&ends)], ME), Err(Malformed));
        }
    }

    fn plain(seq: i64, frame: &str) -> LogEntry {
        let stream = StreamKey::Group(GroupId::from_stored("g"));
        LogEntry::from_stored(stream, seq, Moment::UNIX_EPOCH, EventKind::onMemberInvited, frame)
    }

    #[test]
    fn frames_keep_their_form() {
        let frame = "{\"a\" :  1.0e2, \"b\":\"\\u0000\\ud83d\\ude00 \\n é 😀\", \"a\":null}";
        let (entries, hints) = sent(&packed(&[plain(3, frame)], 7_999));
        assert_eq!((&*entries[0].frame, hints), (frame, vec![]));
    }

    #[test]
    fn a_payload_says_whose_memberships_begin() {
        let frame = r#"{"memberList":[{"userID":"bob"}]}"#;
        let (entries, _) = sent(&packed(&[plain(3, frame)], 7_999));
        assert_eq!(entries[0].starts, [UserId::from_stored("bob")]);
        assert_eq!(entries[0].ends, Ends::Users(vec![]));
    }

    #[test]
    fn what_is_too_large_or_no_json_travels_as_a_hint() {
        let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(8_000));
        let entries =
            [plain(1, "{}"), plain(2, &large), plain(3, "{"), plain(4, " {}"), plain(5, "{}")];
        let texts = packed(&entries, 7_999);
        assert_eq!(texts.len(), 1);
        let (whole, hints) = sent(&texts);
        assert_eq!(whole, [plain(1, "{}"), plain(5, "{}")]);
        assert_eq!(hints.iter().map(|(_, seq)| *seq).collect::<Vec<_>>(), [2, 3, 4]);
    }

    #[test]
    fn what_may_not_travel_whole_travels_as_a_hint() {
        let (epoch, entry) = (epoch(), plain(1, "[1,2]"));
        let hints = |largest| {
            let drafts = pack([(&epoch, &entry, largest)], 7_999);
            sent(&[drafts[0].text(OTHER, Some(1))]).1.len()
        };
        assert_eq!([hints(4), hints(5)], [1, 0]);
    }

    #[test]
    fn a_payload_is_filled_to_its_last_byte_and_never_over() {
        let fits = |bytes: usize| {
            let frame = format!(r#""{}""#, "x".repeat(bytes));
            sent(&packed(&[plain(1, &frame)], 1_000)).0.len() == 1
        };
        let most = (1..1_000).filter(|bytes| fits(*bytes)).max().expect("some");
        assert!(most > 850, "{most}");
        let text = packed(&[plain(1, &format!(r#""{}""#, "x".repeat(most)))], 1_000).remove(0);
        assert!(text.len() <= 1_000, "{}", text.len());
    }

    #[test]
    fn each_epoch_has_payloads_of_its_own() {
        let (old, new): (Arc<str>, Arc<str>) = ("1".into(), "2".into());
        let (first, second) = (plain(1, "{}"), plain(2, "{}"));
        let drafts = pack([(&old, &first, 9), (&new, &second, 9)], 7_999);
        let read: Vec<_> = drafts
            .iter()
            .map(|draft| read(&draft.text(OTHER, None), ME).expect("readable").expect("a message"))
            .map(|message| (message.number, message.epoch, message.entries[0].seq))
            .collect();
        assert_eq!(read, [(None, old, 1), (None, new, 2)]);
    }

    #[test]
    fn own_payloads_are_passed_over() {
        let draft = Draft::new(epoch());
        assert_eq!(read(&draft.text(ME, Some(1)), ME), Ok(None));
        assert!(read(&draft.text(OTHER, Some(1)), ME).expect("readable").is_some());
    }

    #[test]
    fn a_newer_kind_is_a_hint_and_a_newer_version_is_refused() {
        let text = |v: u32, kind: i16| {
            format!(
                r#"{{"v":{v},"from":"0000000000000008","n":1,"epoch":"e","new":[1],
                    "entries":[["g","x",4,{kind},0,{{}}]],"hints":[]}}"#
            )
        };
        let message = read(&text(1, 99), ME).expect("readable").expect("a message");
        assert_eq!(message.hints, [(StreamKey::Group(GroupId::from_stored("x")), 4)]);
        assert!(message.entries.is_empty());
        assert_eq!(read(&text(2, 2), ME), Err(Malformed));
    }
}
