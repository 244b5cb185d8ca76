//! What happened to a user, an order or a job, in one line of time.

use serde_json::Value;

use crate::base::time::UnixMillis;

/// What an entry is about; also its place among entries of the same moment. Part of cursors: the numbers
/// never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    Login = 1,
    Order = 2,
    Payment = 3,
    Notification = 4,
    Refund = 5,
    Ledger = 6,
    Membership = 7,
    Job = 8,
    JobStarted = 9,
    JobEnded = 10,
    Image = 11,
    Audit = 12,
    Attempt = 13,
}

impl EntryKind {
    /// Its number in a cursor.
    pub(in crate::features::admin) fn number(self) -> i64 {
        self as i64
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub at: UnixMillis,
    pub kind: EntryKind,
    /// The number of the row; 0 where rows have none.
    pub id: i64,
    /// An object; what is in it depends on the kind.
    pub data: Value,
}

impl Entry {
    /// Time, kind and number: no two entries have the same.
    pub(in crate::features::admin) fn keys(&self) -> [i64; 3] {
        [self.at.0, self.kind.number(), self.id]
    }
}

/// Behind which entry a page begins. The newest come first; at the same moment, the lower kind and the
/// higher number.
#[derive(Clone, Copy, Debug)]
pub(in crate::features::admin) struct Behind {
    pub(in crate::features::admin) at: UnixMillis,
    kind: i64,
    id: i64,
}

impl Behind {
    /// Behind the entry with these keys, else at the top.
    pub(in crate::features::admin) fn new(keys: Option<[i64; 3]>) -> Self {
        let [at, kind, id] = keys.unwrap_or([i64::MAX, 0, 0]);
        Self { at: UnixMillis(at), kind, id }
    }

    /// Of the rows of `kind` at the very moment, those below this number belong to the page.
    pub(in crate::features::admin) fn below(&self, kind: EntryKind) -> i64 {
        match kind.number().cmp(&self.kind) {
            std::cmp::Ordering::Less => i64::MIN,
            std::cmp::Ordering::Equal => self.id,
            std::cmp::Ordering::Greater => i64::MAX,
        }
    }

    fn admits(&self, entry: &Entry) -> bool {
        entry.at < self.at || (entry.at == self.at && entry.id < self.below(entry.kind))
    }
}

/// The first `most` of what belongs to the page, in its order.
pub(in crate::features::admin) fn merged(
    mut entries: Vec<Entry>,
    behind: &Behind,
    most: i64,
) -> Vec<Entry> {
    entries.retain(|entry| behind.admits(entry));
    entries.sort_by_key(|entry| {
        let [at, kind, id] = entry.keys();
        (std::cmp::Reverse(at), kind, std::cmp::Reverse(id))
    });
    entries.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    entries
}

/// Members of what WeChat sends that name a person or prove something.
const MASKED: [&str; 9] = [
    "openid",
    "sub_openid",
    "payer_openid",
    "unionid",
    "ciphertext",
    "nonce",
    "signature",
    "sign",
    "bank_type",
];

/// What WeChat said with what names a person taken out.
pub(in crate::features::admin) fn masked(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| {
                let is_secret = MASKED.iter().any(|known| name.eq_ignore_ascii_case(known));
                let value = match value {
                    Value::String(text) if is_secret => Value::String(shortened(&text)),
                    other => masked(other),
                };
                (name, value)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(masked).collect(),
        other => other,
    }
}

/// Enough to compare two by eye.
fn shortened(text: &str) -> String {
    text.chars().take(4).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KINDS: [EntryKind; 4] =
        [EntryKind::Login, EntryKind::Order, EntryKind::Ledger, EntryKind::Audit];

    fn entry(at: i64, kind: usize, id: i64) -> Entry {
        Entry { at: UnixMillis(at), kind: KINDS[kind], id, data: Value::Null }
    }

    proptest! {
        /// Pages show everything once, whatever their size and however many things happen at a moment.
        #[test]
        fn pages_leave_nothing_out_and_show_nothing_twice(
            rows in prop::collection::btree_set((0..5_i64, 0..4_usize, 0..6_i64), 0..60),
            most in 1..10_i64,
        ) {
            let all: Vec<Entry> = rows.iter().map(|(at, kind, id)| entry(*at, *kind, *id)).collect();
            let (mut seen, mut keys) = (Vec::new(), None);
            loop {
                let page = merged(all.clone(), &Behind::new(keys), most);
                let Some(last) = page.last() else { break };
                keys = Some(last.keys());
                seen.extend(page.iter().map(Entry::keys));
            }
            prop_assert_eq!(seen.len(), all.len());
            let whole = merged(all, &Behind::new(None), i64::MAX);
            prop_assert_eq!(seen, whole.iter().map(Entry::keys).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_names_a_person_is_taken_out() {
        let said = json!({ "payer": { "openid": "oABCDEFG" }, "amount": { "total": 7 },
                           "list": [{ "OpenId": "oXYZ1234" }], "nonce": 5 });
        let expected = json!({ "payer": { "openid": "oABC…" }, "amount": { "total": 7 },
                               "list": [{ "OpenId": "oXYZ…" }], "nonce": 5 });
        assert_eq!(masked(said), expected);
    }
}
