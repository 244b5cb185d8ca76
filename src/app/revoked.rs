//! Tokens and sessions that were ended before their time, mirrored from the database.

use std::collections::HashMap;

use parking_lot::RwLock;

use crate::base::time::UnixMillis;

/// Ids of access tokens (`jti`) and sessions (`sid`) that are dead although their signature is good.
///
/// Bounded: beyond `max` ids the mirror is no longer complete, and [`RevokedIds::knows`] says
/// `None` for what it does not hold, so that the caller asks the database.
pub struct RevokedIds {
    max: usize,
    inner: RwLock<Inner>,
}

#[derive(Default)]
struct Inner {
    until: HashMap<String, UnixMillis>,
    incomplete: bool,
}

impl RevokedIds {
    /// Holds `max` ids at most.
    pub fn new(max: usize) -> Self {
        Self { max, inner: RwLock::default() }
    }

    /// Adds an id; `until` is when its tokens expire anyway.
    pub fn add(&self, id: String, until: UnixMillis) {
        let mut inner = self.inner.write();
        if inner.until.len() >= self.max && !inner.until.contains_key(&id) {
            inner.incomplete = true;
        } else {
            inner.until.insert(id, until);
        }
    }

    /// Whether `id` is dead: yes, no, or not known here.
    pub fn knows(&self, id: &str) -> Option<bool> {
        let inner = self.inner.read();
        if inner.until.is_empty() && !inner.incomplete {
            return Some(false);
        }
        match (inner.until.contains_key(id), inner.incomplete) {
            (true, _) => Some(true),
            (false, false) => Some(false),
            (false, true) => None,
        }
    }

    /// Forgets ids whose tokens have expired.
    pub fn sweep(&self, now: UnixMillis) {
        let mut inner = self.inner.write();
        inner.until.retain(|_, until| *until > now);
        inner.until.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_its_bound_it_admits_that_it_does_not_know() {
        let revoked = RevokedIds::new(2);
        revoked.add("a".to_owned(), UnixMillis(10));
        revoked.add("b".to_owned(), UnixMillis(20));
        assert_eq!((revoked.knows("a"), revoked.knows("c")), (Some(true), Some(false)));
        revoked.add("c".to_owned(), UnixMillis(30));
        assert_eq!((revoked.knows("a"), revoked.knows("c")), (Some(true), None));
    }

    #[test]
    fn sweeping_keeps_what_still_matters() {
        let revoked = RevokedIds::new(10);
        revoked.add("a".to_owned(), UnixMillis(10));
        revoked.add("b".to_owned(), UnixMillis(20));
        revoked.sweep(UnixMillis(10));
        assert_eq!((revoked.knows("a"), revoked.knows("b")), (Some(false), Some(true)));
    }
}
