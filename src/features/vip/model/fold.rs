//! What a user's grants come to: the arithmetic of membership. Pure, in whole milliseconds.
//!
//! Grants are taken in order of time. Between two of them time passes and is used up. A grant
//!
//! - of the level that runs comes behind what is left;
//! - of a higher level converts what is left, and the higher level begins at once;
//! - of a lower level (the shop does not sell it, but a payment may arrive all the same) is itself
//!   converted and comes behind what is left of the higher level.
//!
//! Converting `ms` of one rate to another gives `ms × (fen per ms of the one) ÷ (fen per ms of the
//! other)`, rounded down to the millisecond. What is left may stand in pieces of different rates
//! (renewed at another price); each piece is converted and rounded down by itself, so a conversion
//! loses less than a millisecond a piece and never gains one.

use std::collections::VecDeque;

use super::{DAY_MS, DAYS_MAX, Membership, PRICE_MAX};
use crate::base::time::UnixMillis;
use crate::features::users::VipLevel;

/// More than any membership that can be written down. A conversion gives no more.
const LEFT_MAX_MS: i64 = 10_000 * 366 * DAY_MS;

/// The last moment a membership is said to end: 9999-12-01, which every client can still read.
pub(in crate::features::vip) const LAST: UnixMillis = UnixMillis(253_399_622_400_000);

/// What time is worth: so many fen for so many milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::features::vip) struct Rate {
    fen: i64,
    ms: i64,
}

impl Rate {
    /// `None` outside what the table admits, within which no conversion overflows.
    pub(in crate::features::vip) fn new(fen: i64, ms: i64) -> Option<Self> {
        let is_sound =
            (1..=PRICE_MAX).contains(&fen) && (1..=DAYS_MAX.saturating_mul(DAY_MS)).contains(&ms);
        is_sound.then_some(Self { fen, ms })
    }

    pub(in crate::features::vip) fn fen(self) -> i64 {
        self.fen
    }

    pub(in crate::features::vip) fn ms(self) -> i64 {
        self.ms
    }

    /// How long `ms` of this rate last at the rate `to`, rounded down.
    fn convert(self, ms: i64, to: Self) -> i64 {
        if self == to {
            return ms;
        }
        // At most 3.2e14 × 1e8 × 3.2e12 = 1e35, and i128 holds 1.7e38.
        let [ms, fen, per, to_fen, to_per] = [ms, self.fen, self.ms, to.fen, to.ms].map(i128::from);
        let worth = ms.saturating_mul(fen).saturating_mul(to_per);
        let converted = worth.checked_div(per.saturating_mul(to_fen)).unwrap_or(0);
        i64::try_from(converted).unwrap_or(LEFT_MAX_MS).min(LEFT_MAX_MS)
    }
}

/// What counts of a grant.
#[derive(Clone, Copy, Debug)]
pub(in crate::features::vip) struct LiveGrant {
    /// Not `Normal`.
    pub(in crate::features::vip) level: VipLevel,
    pub(in crate::features::vip) granted_at: UnixMillis,
    /// Its duration less what was taken back; positive.
    pub(in crate::features::vip) live_ms: i64,
    pub(in crate::features::vip) rate: Rate,
}

/// What a grant does to a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// There was none.
    Begins,
    /// The same level goes on for longer.
    Renews,
    /// The higher level begins at once; what was left of the lower one becomes a part of it.
    Upgrades {
        from: VipLevel,
        /// What was left, in milliseconds.
        left_ms: i64,
        /// What that has become.
        converted_ms: i64,
    },
    /// The higher level goes on for longer.
    Extends {
        /// What the grant has become, in milliseconds.
        converted_ms: i64,
    },
}

/// A membership on its way through time.
#[derive(Clone, Debug)]
pub(in crate::features::vip) struct Running {
    level: VipLevel,
    at: UnixMillis,
    /// What is left, in the order in which it is used up; empty exactly when there is no membership.
    left: VecDeque<Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    ms: i64,
    rate: Rate,
}

/// What grants, in order of time, come to at `now`. All count: one that seems to lie ahead was made
/// before the clock was set back.
pub(in crate::features::vip) fn fold(grants: &[LiveGrant], now: UnixMillis) -> Running {
    let mut running =
        Running { level: VipLevel::Normal, at: UnixMillis(i64::MIN), left: VecDeque::new() };
    for grant in grants {
        running.add(grant);
    }
    running.pass(now);
    running
}

impl Running {
    /// Goes on by one grant, not before the last one.
    pub(in crate::features::vip) fn add(&mut self, grant: &LiveGrant) -> Change {
        self.pass(grant.granted_at);
        let LiveGrant { level, live_ms, rate, .. } = *grant;
        let Some(last) = self.left.back().copied() else {
            self.level = level;
            self.left.push_back(Piece { ms: live_ms, rate });
            return Change::Begins;
        };
        if level == self.level {
            self.left.push_back(Piece { ms: live_ms, rate });
            return Change::Renews;
        }
        if level < self.level {
            // At the rate of what it comes behind.
            let converted_ms = rate.convert(live_ms, last.rate);
            self.left.push_back(Piece { ms: converted_ms, rate: last.rate });
            return Change::Extends { converted_ms };
        }
        let left_ms = self.left_ms();
        let converted_ms = self
            .left
            .iter()
            .map(|piece| piece.rate.convert(piece.ms, rate))
            .fold(0, i64::saturating_add);
        let from = self.level;
        self.level = level;
        self.left.clear();
        self.left.push_back(Piece { ms: live_ms.saturating_add(converted_ms), rate });
        Change::Upgrades { from, left_ms, converted_ms }
    }

    /// What it is at the moment it has come to.
    pub(in crate::features::vip) fn membership(&self) -> Membership {
        match self.end() {
            None => Membership::NONE,
            Some(end) => Membership { level: self.level, expires_at: Some(end.min(LAST)) },
        }
    }

    /// Whether it ends later than can be written down.
    pub(in crate::features::vip) fn is_beyond_writing(&self) -> bool {
        self.end().is_some_and(|end| end > LAST)
    }

    fn end(&self) -> Option<UnixMillis> {
        (!self.left.is_empty()).then(|| self.at.plus_millis(self.left_ms()))
    }

    fn left_ms(&self) -> i64 {
        self.left.iter().map(|piece| piece.ms).fold(0, i64::saturating_add)
    }

    /// Uses up the time until `to`.
    fn pass(&mut self, to: UnixMillis) {
        if to <= self.at {
            return;
        }
        let mut passed = to.0.saturating_sub(self.at.0);
        self.at = to;
        while let Some(first) = self.left.front_mut() {
            if first.ms > passed {
                first.ms = first.ms.saturating_sub(passed);
                return;
            }
            passed = passed.saturating_sub(first.ms);
            self.left.pop_front();
        }
        self.level = VipLevel::Normal;
    }
}

#[cfg(test)]
mod tests;
