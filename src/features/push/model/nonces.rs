//! Which pushes came within the last minutes, by nonce and time.
//!
//! Only pushes whose signature is right come here, so nobody else can fill it. What is remembered is
//! forgotten when its time is over: from then on the timestamp alone refuses it. A push that was not
//! taken is forgotten at once, since WeChat may repeat it unchanged.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::base::time::UnixMillis;
use crate::clients::wechat::push::{MAX_SKEW_S, Push};

/// Pushes remembered at once; about 200 bytes each. More within minutes than this is not WeChat's pace.
const MAX: usize = 50_000;

/// The pushes of the last minutes.
#[derive(Debug, Default)]
pub(in crate::features::push) struct Nonces(Mutex<BTreeMap<(i64, String), Seen>>);

#[derive(Clone, Debug)]
struct Seen {
    signature: String,
    is_taken: bool,
}

/// What is to be done with a push.
#[derive(Debug)]
pub(in crate::features::push) enum Admission {
    /// It is new.
    New(Turn),
    /// The very same was taken before.
    Repeated,
    /// The very same is being worked on.
    Running,
    /// Another one had this nonce.
    Reused,
    /// Too many are remembered.
    Full,
}

/// The right to work on a push. Dropped, it lets the push come again.
#[derive(Debug)]
pub(in crate::features::push) struct Turn {
    nonces: Arc<Nonces>,
    key: (i64, String),
}

impl Nonces {
    /// Whether to work on `push`.
    pub(in crate::features::push) fn admit(
        self: &Arc<Self>,
        push: &Push,
        now: UnixMillis,
    ) -> Admission {
        let oldest = now.seconds().saturating_sub(MAX_SKEW_S);
        let key = (push.timestamp, push.nonce.clone());
        let mut seen = self.0.lock();
        *seen = seen.split_off(&(oldest, String::new()));
        match seen.get(&key) {
            Some(known) if known.signature != push.signature => Admission::Reused,
            Some(known) if known.is_taken => Admission::Repeated,
            Some(_) => Admission::Running,
            None if seen.len() >= MAX => Admission::Full,
            None => {
                let signature = push.signature.clone();
                seen.insert(key.clone(), Seen { signature, is_taken: false });
                Admission::New(Turn { nonces: Arc::clone(self), key })
            }
        }
    }
}

impl Turn {
    /// The push was taken: the same again is not worked on.
    pub(in crate::features::push) fn taken(self) {
        if let Some(seen) = self.nonces.0.lock().get_mut(&self.key) {
            seen.is_taken = true;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut seen = self.nonces.0.lock();
        if seen.get(&self.key).is_some_and(|known| !known.is_taken) {
            seen.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::wechat::push::{Format, PushEvent};

    const NOW: UnixMillis = UnixMillis(1_760_000_000_000);

    fn push(nonce: &str, signature: &str) -> Push {
        Push {
            format: Format::Json,
            plaintext: String::new(),
            event: PushEvent::Complaint,
            signature: signature.to_owned(),
            nonce: nonce.to_owned(),
            timestamp: NOW.seconds(),
        }
    }

    #[test]
    fn a_push_is_worked_on_once_by_one() {
        let nonces = Arc::new(Nonces::default());
        let Admission::New(turn) = nonces.admit(&push("1", "a"), NOW) else { panic!() };
        assert!(matches!(nonces.admit(&push("1", "a"), NOW), Admission::Running));
        assert!(matches!(nonces.admit(&push("1", "b"), NOW), Admission::Reused));
        turn.taken();
        assert!(matches!(nonces.admit(&push("1", "a"), NOW), Admission::Repeated));
        assert!(matches!(nonces.admit(&push("1", "b"), NOW), Admission::Reused));
        assert!(matches!(nonces.admit(&push("2", "c"), NOW), Admission::New(_)));
    }

    #[test]
    fn what_was_not_taken_may_come_again() {
        let nonces = Arc::new(Nonces::default());
        for _ in 0..2 {
            // The turn ends with the statement, as when whoever asked hangs up.
            assert!(matches!(nonces.admit(&push("1", "a"), NOW), Admission::New(_)));
        }
    }

    #[test]
    fn it_forgets_what_the_timestamp_refuses_and_never_holds_too_much() {
        let nonces = Arc::new(Nonces::default());
        for nonce in 0..MAX {
            match nonces.admit(&push(&nonce.to_string(), "a"), NOW) {
                Admission::New(turn) => turn.taken(),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(nonces.admit(&push("one more", "a"), NOW), Admission::Full));
        let last = NOW.plus_seconds(MAX_SKEW_S);
        assert!(matches!(nonces.admit(&push("0", "a"), last), Admission::Repeated));
        let later = last.plus_seconds(1);
        let newer = Push { timestamp: later.seconds(), ..push("one more", "a") };
        assert!(matches!(nonces.admit(&newer, later), Admission::New(_)));
        assert_eq!(nonces.0.lock().len(), 0);
    }
}
