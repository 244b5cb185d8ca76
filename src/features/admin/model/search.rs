//! What is found by a word.

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HitKind {
    User,
    Order,
    Refund,
    Job,
    RedeemCode,
    Audit,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub kind: HitKind,
    pub id: String,
    /// To be shown.
    pub title: String,
    /// By which of its names.
    pub matched: &'static str,
    pub user: Option<UserId>,
    pub at: Option<UnixMillis>,
}

/// The first text behind all that begin with `prefix`, in the order of code points; `None` when there
/// is none.
pub(in crate::features::admin) fn behind_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // The code points between D800 and DFFF are no characters.
        let next = u32::from(last).checked_add(1).and_then(char::from_u32);
        if let Some(next) = next.or((last == '\u{d7ff}').then_some('\u{e000}')) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_begins_so_is_before_it_and_nothing_else_is_between(
            prefix in "\\PC{1,4}", rest in "\\PC{0,4}", other in "\\PC{0,6}",
        ) {
            if let Some(end) = behind_prefix(&prefix) {
                let longer = [prefix.as_str(), rest.as_str()].concat();
                prop_assert!(longer < end);
                let is_between = other >= prefix && other < end;
                prop_assert_eq!(is_between, other.starts_with(&prefix));
            }
        }
    }

    #[test]
    fn the_last_code_point_has_no_next() {
        assert_eq!(behind_prefix("\u{10ffff}"), None);
        assert_eq!(behind_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(behind_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
    }
}
