//! The rules, and the state machine of each.
//!
//! ```text
//! Quiet ──problem──▶ Pending ──long enough, and told──▶ Firing ──told again every so often──┐
//!   ▲                   │                                 │  ▲──────────────────────────────┘
//!   └────── well ───────┴──────────── well: resolved ─────┘
//! ```

use serde::Serialize;

use crate::base::bilingual::Bilingual;
use crate::base::time::UnixMillis;
use crate::db::DbError;

/// Of one rule, two beginnings are at least so far apart, in milliseconds.
pub(super) const FLICKER_MS: i64 = 600_000;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Somebody paid and has not got it.
    PaidNotCredited,
    /// Points or money do not add up.
    BooksDiffer,
    /// An image API fails and is left alone.
    BreakerOpen,
    /// There is no backup that is good and young.
    BackupFailed,
    /// The disk fills up.
    Disk,
    /// The certificate of the public address ends soon.
    Certificate,
    /// Too many requests fail.
    ErrorRate,
    /// Nothing can be written.
    WriterStuck,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::PaidNotCredited,
        Self::BooksDiffer,
        Self::BreakerOpen,
        Self::BackupFailed,
        Self::Disk,
        Self::Certificate,
        Self::ErrorRate,
        Self::WriterStuck,
    ];

    /// The rule of this name; `None` for one of another version.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// Stable: `docs/alerts.md` says by this name what to do.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PaidNotCredited => "paid_not_credited",
            Self::BooksDiffer => "books_differ",
            Self::BreakerOpen => "breaker_open",
            Self::BackupFailed => "backup_failed",
            Self::Disk => "disk",
            Self::Certificate => "certificate",
            Self::ErrorRate => "error_rate",
            Self::WriterStuck => "writer_stuck",
        }
    }

    /// What it is called in a message; the admin page calls it the same.
    pub fn title(self) -> Bilingual {
        let (zh, en) = match self {
            Self::PaidNotCredited => ("已付款未到账", "Paid, not credited"),
            Self::BooksDiffer => ("账目不平", "Books differ"),
            Self::BreakerOpen => ("生图服务熔断", "Image API left alone"),
            Self::BackupFailed => ("备份不可靠", "No young backup"),
            Self::Disk => ("磁盘将满", "Disk"),
            Self::Certificate => ("证书将到期", "Certificate"),
            Self::ErrorRate => ("错误率过高", "Error rate"),
            Self::WriterStuck => ("无法写入", "Nothing is written"),
        };
        Bilingual::new(zh, en)
    }
}

/// What was seen of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Well,
    /// What is wrong, for people.
    Problem(Bilingual),
    /// It could not be found out, or was not looked at this time.
    Unknown,
}

/// How a rule stands. It is stored, so that a restart neither repeats what was told nor forgets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertState {
    pub rule: Rule,
    /// Since when there is the problem, if there is one.
    pub since: Option<UnixMillis>,
    /// Whether it has lasted long enough to be told.
    pub firing: bool,
    /// What is wrong.
    pub problem: Option<Bilingual>,
    /// When somebody last took a message about it.
    pub told_at: Option<UnixMillis>,
    /// When it last began to fire, and when it last ended.
    pub fired_at: Option<UnixMillis>,
    pub ended_at: Option<UnixMillis>,
    /// What was wrong, where its end has still to be told.
    pub end_owed: Option<Bilingual>,
}

/// A channel that messages may go through; what is secret of it is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelStatus {
    /// `wecom`, `feishu` or `webhook`.
    pub name: &'static str,
    /// Whether messages go there.
    pub is_on: bool,
    /// Whether it has an address, and a secret to sign with.
    pub has_address: bool,
    pub has_secret: bool,
}

/// What a channel answered to a test: `Ok`, or why the message was not taken.
pub type Tried = (&'static str, Result<(), Bilingual>);

/// Why no test message was sent.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    #[error("no channel is on")]
    NoChannel,
    #[error("too many messages within an hour")]
    TooMany,
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    Firing,
    StillFiring,
    Resolved,
    Test,
}

impl AlertState {
    pub(super) fn quiet(rule: Rule) -> Self {
        Self {
            rule,
            since: None,
            firing: false,
            problem: None,
            told_at: None,
            fired_at: None,
            ended_at: None,
            end_owed: None,
        }
    }

    /// Takes in what was seen; says what is to be told. That it was told is noted by
    /// [`AlertState::told`]: what nobody took is tried again.
    pub(super) fn step(
        &mut self,
        seen: Seen,
        now: UnixMillis,
        patience_ms: i64,
        repeat_ms: i64,
    ) -> Option<Event> {
        match seen {
            Seen::Unknown => None,
            Seen::Well => {
                let was_told = self.firing && self.told_at >= self.since;
                let problem = self.problem.take().unwrap_or_default();
                if self.firing {
                    self.ended_at = Some(now);
                }
                if was_told {
                    self.end_owed = Some(problem);
                }
                (self.since, self.firing) = (None, false);
                self.end_owed.is_some().then_some(Event::Resolved)
            }
            Seen::Problem(problem) => {
                let since = *self.since.get_or_insert(now);
                self.problem = Some(problem);
                // Who was told of it and not of its end takes it for one.
                self.end_owed = None;
                let age = |at: UnixMillis| now.0.saturating_sub(at.0);
                if !self.firing {
                    let is_quick = self.told_at.is_some_and(|told| age(told) < FLICKER_MS);
                    if age(since) < patience_ms || is_quick {
                        return None;
                    }
                    self.firing = true;
                    self.fired_at = Some(now);
                    return Some(Event::Firing);
                }
                match self.told_at.filter(|told| *told >= since) {
                    None => Some(Event::Firing),
                    Some(told) if age(told) >= repeat_ms => Some(Event::StillFiring),
                    Some(_) => None,
                }
            }
        }
    }

    /// Somebody took the message.
    pub(super) fn told(&mut self, now: UnixMillis) {
        self.told_at = Some(now);
        self.end_owed = None;
    }

    /// There is nobody who could be told of an end.
    pub(super) fn forget_end(&mut self) {
        self.end_owed = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;
    const REPEAT: i64 = 360 * MINUTE;

    fn bad() -> Seen {
        Seen::Problem(Bilingual::new("坏了", "it is broken"))
    }

    #[test]
    fn a_problem_is_told_once_again_after_hours_and_when_it_is_over() {
        let mut state = AlertState::quiet(Rule::Disk);
        let at = |minutes: i64| UnixMillis(minutes * MINUTE);
        let mut see = |minute, seen| {
            let event = state.step(seen, at(minute), 5 * MINUTE, REPEAT);
            if event.is_some() {
                state.told(at(minute));
            }
            event
        };
        assert_eq!(see(0, bad()), None, "it may pass");
        assert_eq!(see(4, bad()), None);
        assert_eq!(see(5, bad()), Some(Event::Firing));
        assert_eq!(see(6, bad()), None);
        assert_eq!(see(7, Seen::Unknown), None);
        assert_eq!(see(364, bad()), None);
        assert_eq!(see(365, bad()), Some(Event::StillFiring));
        assert_eq!(see(366, Seen::Well), Some(Event::Resolved));
        assert_eq!(see(367, Seen::Well), None);
    }

    #[test]
    fn what_nobody_took_is_tried_again_and_its_end_is_nobodys_business() {
        let mut state = AlertState::quiet(Rule::Disk);
        let at = |minutes: i64| UnixMillis(minutes * MINUTE);
        assert_eq!(state.step(bad(), at(0), 0, REPEAT), Some(Event::Firing));
        assert_eq!(state.step(bad(), at(1), 0, REPEAT), Some(Event::Firing));
        assert_eq!(state.step(Seen::Well, at(2), 0, REPEAT), None);
    }

    #[test]
    fn an_end_that_nobody_took_is_told_later_unless_it_was_none() {
        let mut state = AlertState::quiet(Rule::Disk);
        let at = |minutes: i64| UnixMillis(minutes * MINUTE);
        assert_eq!(state.step(bad(), at(0), 0, REPEAT), Some(Event::Firing));
        state.told(at(0));
        assert_eq!(state.step(Seen::Well, at(1), 0, REPEAT), Some(Event::Resolved));
        assert_eq!(state.step(Seen::Well, at(2), 0, REPEAT), Some(Event::Resolved));
        assert_eq!(state.end_owed, Some(Bilingual::new("坏了", "it is broken")));
        assert_eq!((state.fired_at, state.ended_at), (Some(at(0)), Some(at(1))));
        assert_eq!(state.step(bad(), at(3), 0, REPEAT), None, "two beginnings are too close");
        assert_eq!(state.step(Seen::Well, at(4), 0, REPEAT), None, "the end was none");
        assert_eq!(state.step(bad(), at(10), 0, REPEAT), Some(Event::Firing));
    }

    proptest! {
        /// However a problem flickers: of one rule there is never more than one beginning in ten
        /// minutes, and beginnings and ends alternate.
        #[test]
        fn a_flickering_rule_does_not_spam(flicker in proptest::collection::vec(any::<bool>(), 1..400)) {
            let mut state = AlertState::quiet(Rule::ErrorRate);
            let (mut begun, mut is_on) = (None::<i64>, false);
            for (minute, is_bad) in flicker.into_iter().enumerate() {
                let now = UnixMillis(i64::try_from(minute).unwrap() * MINUTE);
                let seen = if is_bad { bad() } else { Seen::Well };
                let Some(event) = state.step(seen, now, 0, REPEAT) else { continue };
                state.told(now);
                match event {
                    Event::Firing => {
                        prop_assert!(!is_on);
                        prop_assert!(begun.is_none_or(|begun| now.0 - begun >= FLICKER_MS));
                        (begun, is_on) = (Some(now.0), true);
                    }
                    Event::StillFiring => prop_assert!(is_on),
                    Event::Resolved => {
                        prop_assert!(is_on);
                        is_on = false;
                    }
                    Event::Test => prop_assert!(false, "nobody asked for a test"),
                }
            }
        }
    }
}
