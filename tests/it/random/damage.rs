//! What can happen to JSON: to the value that it stands for, and to its bytes.

use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use serde_json::{Map, Value, json};

use super::one;

/// Characters from everywhere that something special begins.
const CHARACTERS: &[char] = &[
    '\0',
    '\u{1}',
    '\t',
    '\n',
    '\r',
    '\u{1b}',
    ' ',
    '"',
    '%',
    '\'',
    '.',
    '/',
    '\\',
    '\u{7f}',
    '\u{80}',
    '\u{85}',
    'é',
    '\u{200b}',
    '\u{202e}',
    '\u{2028}',
    '日',
    '\u{d7ff}',
    '\u{feff}',
    '\u{fffd}',
    '\u{ffff}',
    '\u{1f680}',
    '\u{10ffff}',
];

/// Lengths around every bound on a text, in bytes.
const LENGTHS: &[usize] = &[
    0, 1, 16, 17, 32, 33, 48, 49, 50, 51, 64, 65, 100, 101, 400, 401, 500, 501, 512, 513, 1_000,
    1_001, 4_001, 70_000,
];

const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "me",
    ".",
    "..",
    "g",
    "bob",
    "@TGS#x",
    "@TGS#_x",
    "Work",
    "Public",
    "Community",
    "AVChatRoom",
    "Owner",
    "Admin",
    "Member",
    "FreeAccess",
    "On",
    "true",
    "null",
    "-1",
    "1e9",
    "'; drop table groups; --",
    "%00",
    "2026-01-01T00:00:00Z",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
];

/// A number from an edge.
fn number(dice: &mut StdRng) -> Value {
    let wholes = [
        0,
        1,
        -1,
        2,
        255,
        256,
        65_536,
        i64::from(i32::MAX),
        i64::from(i32::MAX) + 1,
        i64::from(i32::MIN),
        i64::from(u32::MAX),
        i64::from(u32::MAX) + 1,
        i64::MAX,
        i64::MIN,
        253_402_300_800,
    ];
    match dice.random_range(0..8) {
        0 => json!(u64::MAX),
        1 => json!(*one(
            dice,
            &[0.0, -0.0, 0.5, 1.0, 1e308, -1e308, 5e-324, 9_007_199_254_740_993.0]
        )),
        2 => json!(dice.random::<i64>()),
        _ => json!(*one(dice, &wholes)),
    }
}

/// A value of any kind.
fn any(dice: &mut StdRng, depth: u32) -> Value {
    match dice.random_range(0..10) {
        0 => Value::Null,
        1 => json!(dice.random::<bool>()),
        2 | 3 => number(dice),
        4 => json!("x".repeat(*one(dice, LENGTHS))),
        5 => json!(one(dice, CHARACTERS).to_string().repeat(dice.random_range(1..20))),
        6 if depth > 0 => (0..dice.random_range(0..4)).map(|_| any(dice, depth - 1)).collect(),
        7 if depth > 0 => {
            let names =
                ["userID", "role", "a", "", "Member_Account", "Key", "Value", "UserID", "\0"];
            let mut object = Map::new();
            for _ in 0..dice.random_range(0..4) {
                object.insert((*one(dice, &names)).to_owned(), any(dice, depth - 1));
            }
            Value::Object(object)
        }
        _ => json!(*one(dice, TEXTS)),
    }
}

/// The places of a value, as JSON pointers: its own first.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                places(inner, &format!("{here}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, inner) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(inner, &format!("{here}/{name}"), found);
            }
        }
        _ => {}
    }
}

fn drop_at(whole: &mut Value, place: &str) {
    let Some((parent, name)) = place.rsplit_once('/') else { return };
    let name = name.replace("~1", "/").replace("~0", "~");
    match whole.pointer_mut(parent) {
        Some(Value::Object(fields)) => drop(fields.remove(&name)),
        Some(Value::Array(list)) => {
            if let Ok(index) = name.parse::<usize>() {
                list.remove(index);
            }
        }
        _ => {}
    }
}

fn nest(value: Value, dice: &mut StdRng) -> Value {
    let depth = *one(dice, &[1, 1, 1, 2, 5, 60, 127, 128, 129, 200]);
    let in_list = dice.random::<bool>();
    (0..depth).fold(value, |inner, _| if in_list { json!([inner]) } else { json!({ "a": inner }) })
}

fn grow(value: &mut Value, dice: &mut StdRng) {
    match value {
        Value::Array(list) if !list.is_empty() => {
            let count = *one(dice, &[2, 3, 6, 21, 51, 101, 301, 501, 2_000]);
            let numbered = dice.random::<bool>();
            let grown: Vec<Value> = (0..count)
                .map(|number| match &list[number % list.len()] {
                    Value::String(text) if numbered => json!(format!("{text}{number}")),
                    other => other.clone(),
                })
                .collect();
            *list = grown;
        }
        Value::Object(fields) => {
            for number in 0..*one(dice, &[1, 5, 10, 11, 17, 200]) {
                fields.insert(format!("k{number}"), json!("v"));
            }
        }
        Value::String(text) => {
            let length = *one(dice, LENGTHS);
            *text = text.chars().chain("xé".chars().cycle()).take(length).collect();
        }
        other => *other = number(dice),
    }
}

fn spoil_text(value: &mut Value, dice: &mut StdRng) {
    let character = *one(dice, CHARACTERS);
    match value {
        Value::String(text) => {
            let ends: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            let place = if ends.is_empty() { 0 } else { *one(dice, &ends) };
            text.insert(place, character);
        }
        other => *other = json!(character.to_string()),
    }
}

fn rename(value: &mut Value, dice: &mut StdRng) {
    let Value::Object(fields) = value else { return };
    let names: Vec<String> = fields.keys().cloned().collect();
    if names.is_empty() {
        return;
    }
    let name = one(dice, &names).clone();
    let Some(inner) = fields.remove(&name) else { return };
    let renamed = match dice.random_range(0..4) {
        0 => name.to_lowercase(),
        1 => name.to_uppercase(),
        2 => format!("{name}{}", one(dice, CHARACTERS)),
        _ => (*one(dice, TEXTS)).to_owned(),
    };
    fields.insert(renamed, inner);
}

/// Damages a value at one place.
pub(super) fn damage(whole: &mut Value, dice: &mut StdRng) {
    let mut found = Vec::new();
    places(whole, "", &mut found);
    let place = one(dice, &found).clone();
    let other = one(dice, &found).clone();
    let other = whole.pointer(&other).cloned().unwrap_or_default();
    let Some(value) = whole.pointer_mut(&place) else { return };
    match dice.random_range(0..12) {
        0 | 1 => *value = any(dice, 3),
        2 => drop_at(whole, &place),
        3 => *value = nest(value.take(), dice),
        4 | 5 => grow(value, dice),
        6 => *value = number(dice),
        7 | 8 => spoil_text(value, dice),
        9 => rename(value, dice),
        10 => *value = other,
        _ => *value = json!(*one(dice, TEXTS)),
    }
}

/// What a colon of an object's text may be followed by although no value is written like that.
const RAW: &[&str] = &[
    "1e999,",
    "-,",
    "0123,",
    "+1,",
    "NaN,",
    "\"\\ud800\",",
    "\"\u{1}\",",
    "\"\\x\",",
    "'a',",
    ",",
    "tru,",
    "123456789012345678901234567890123456789012345678901234567890,",
];

/// Damages the text of an object.
pub(super) fn damage_text(bytes: &mut Vec<u8>, dice: &mut StdRng) {
    let colons: Vec<usize> =
        (0..bytes.len()).filter(|place| bytes[*place] == b':').map(|place| place + 1).collect();
    match dice.random_range(0..6) {
        0 if !colons.is_empty() => {
            let place = *one(dice, &colons);
            let raw = one(dice, RAW).as_bytes();
            bytes.splice(place..place, raw.iter().copied());
        }
        1 if bytes.len() > 2 => {
            // The first field once more.
            let text = String::from_utf8_lossy(bytes).into_owned();
            let name = text.split('"').nth(1).unwrap_or("a");
            let again = format!("{{\"{name}\":{},", any(dice, 1));
            bytes.splice(0..1, again.into_bytes());
        }
        2 if !colons.is_empty() => {
            let place = *one(dice, &colons);
            let open = if dice.random::<bool>() { "[" } else { "{\"a\":" };
            let deep = open.repeat(*one(dice, &[100, 200, 20_000]));
            bytes.splice(place..place, deep.into_bytes());
        }
        3 => bytes.truncate(dice.random_range(0..=bytes.len())),
        _ if bytes.is_empty() => bytes.push(dice.random()),
        4 => {
            let place = dice.random_range(0..bytes.len());
            bytes[place] = dice.random();
        }
        _ => {
            let place = dice.random_range(0..bytes.len());
            let mut noise = [0; 4];
            dice.fill_bytes(&mut noise);
            bytes.splice(place..place, noise);
        }
    }
}

/// A body that begins as a good one: mostly with little damage, so that it comes far.
pub(super) fn damaged(good: &Value, dice: &mut StdRng) -> Vec<u8> {
    let mut body = good.clone();
    for _ in 0..*one(dice, &[0, 1, 1, 1, 1, 2, 3]) {
        damage(&mut body, dice);
    }
    let mut bytes = body.to_string().into_bytes();
    if dice.random_bool(0.12) {
        damage_text(&mut bytes, dice);
    }
    bytes
}

/// An id for a path, percent-encoded.
pub(super) fn id(dice: &mut StdRng) -> String {
    let mut text = (*one(dice, TEXTS)).to_owned();
    match dice.random_range(0..6) {
        0 => {
            return (*one(dice, &["%00", "%FF", "%C3%28", "%ED%A0%80", "%zz", "%", "..", "%2e"]))
                .to_owned();
        }
        1 => text.push(*one(dice, CHARACTERS)),
        2 => text = "x".repeat((*one(dice, LENGTHS)).min(5_000)),
        3 => text = one(dice, &["none", "dave", "erin", "a b", "100%"]).to_string(),
        _ => {}
    }
    percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A query, percent-encoded.
pub(super) fn query(dice: &mut StdRng) -> String {
    let names = [
        "limit", "next", "after", "role", "muted", "userID", "groupID", "dryRun", "type", "search",
        "key", "zz", "", "%00",
    ];
    let mut text = String::new();
    for _ in 0..*one(dice, &[1, 1, 1, 2, 3, 40]) {
        let value = match dice.random_range(0..6) {
            0 => (*one(dice, &["true", "false", "1", "1000", "1001", "0", "-1", "bob", "Admin"]))
                .to_owned(),
            1 => String::new(),
            2 => format!("{}", dice.random::<i64>()),
            _ => id(dice),
        };
        let join = if text.is_empty() { "?" } else { "&" };
        write!(text, "{join}{}={value}", one(dice, &names)).expect("a text takes it");
    }
    text
}
