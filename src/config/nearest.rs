//! Which known setting somebody who wrote an unknown name may have meant.

use super::table::{SETTINGS, Setting};

/// The setting whose name is nearest to an unknown one, when any is near: at most a third of the
/// characters may differ, and at least two may. The prefix `MUSTER_`, case and `-` for `_` do not count.
pub(super) fn setting(unknown: &str) -> Option<&'static Setting> {
    let plain = unknown.to_ascii_lowercase().replace(['-', '.'], "_");
    let plain = plain.strip_prefix("muster_").unwrap_or(&plain);
    let reach = (plain.chars().count() / 3).max(2);
    SETTINGS
        .iter()
        .map(|setting| (distance(plain, &setting.key()), setting))
        .filter(|(distance, setting)| *distance <= reach && *distance < setting.key().len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, setting)| setting)
}

/// Characters to insert, delete, replace or swap with a neighbour until one text is the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut earlier: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=other.len()).collect();
    let mut before = None;
    for (row, this) in one.chars().enumerate() {
        let mut line = vec![row + 1];
        for (column, that) in other.iter().enumerate() {
            let replaced = above[column] + usize::from(this != *that);
            let mut best = replaced.min(above[column + 1] + 1).min(line[column] + 1);
            let swapped = column > 0 && before == Some(*that) && other[column - 1] == this;
            if swapped && !earlier.is_empty() {
                best = best.min(earlier[column - 1] + 1);
            }
            line.push(best);
        }
        earlier = std::mem::replace(&mut above, line);
        before = Some(this);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("listen", "lisetn", 1),
            ("lane", "lanes", 1),
            ("ca", "abc", 3),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn the_nearest_name_is_found() {
        for (unknown, meant) in [
            ("MUSTER_LISTNE", Some("MUSTER_LISTEN")),
            ("MUSTER_DATABASE_URL", Some("DATABASE_URL")),
            ("MUSTER_SECRET", None),
            ("MUSTER_INVITES_BATCH", Some("MUSTER_INVITE_BATCH")),
            ("ops-listen", Some("MUSTER_OPS_LISTEN")),
            ("MUSTER_OPS_LISTEN", Some("MUSTER_OPS_LISTEN")),
            ("secret.key", Some("MUSTER_SECRET_KEY")),
            ("MUSTER_Q", None),
            ("MUSTER_", None),
        ] {
            assert_eq!(setting(unknown).map(|setting| setting.name), meant, "{unknown}");
        }
    }
}
