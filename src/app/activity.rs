//! Who is here today: each user once a day, collected in memory to be written in one go.
//!
//! Guarantees: memory is bounded; seeing a user again the same day costs a shared lock and nothing
//! else. Beyond the bound a user may be noted more than once, or, when even the notes are full, not
//! before his next request.

use std::collections::HashSet;

use parking_lot::RwLock;

use crate::base::ids::UserId;
use crate::base::time::UnixMillis;

/// More of them make it rarer that two requests want one lock.
const SHARDS: usize = 16;

/// Users of today that a shard remembers, some 20 bytes each.
const SEEN_MAX: usize = 64 * 1024;

/// Users that a shard notes until somebody takes them.
const NEW_MAX: usize = 8 * 1024;

const DAY_MS: i64 = 86_400_000;

/// Asia/Shanghai is ahead of UTC by this.
const SHANGHAI_MS: i64 = 8 * 3_600_000;

/// The users of today, and those of them that are not written yet.
pub struct ActiveUsers {
    shards: [RwLock<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    /// Since 1970, in Asia/Shanghai.
    day: i64,
    seen: HashSet<UserId>,
    new: Vec<(UserId, UnixMillis)>,
}

impl Default for ActiveUsers {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| RwLock::default()) }
    }
}

impl ActiveUsers {
    /// A user did something.
    pub fn saw(&self, user: UserId, now: UnixMillis) {
        let day = now.0.saturating_add(SHANGHAI_MS).div_euclid(DAY_MS);
        let shards = i64::try_from(SHARDS).unwrap_or(i64::MAX);
        let at = usize::try_from(user.0.rem_euclid(shards)).unwrap_or(0);
        let shard = &self.shards[at];
        {
            let shard = shard.read();
            if shard.day == day && shard.seen.contains(&user) {
                return;
            }
        }
        let mut shard = shard.write();
        if shard.day != day {
            shard.day = day;
            shard.seen = HashSet::new();
        }
        if shard.new.len() >= NEW_MAX || shard.seen.contains(&user) {
            return;
        }
        shard.new.push((user, now));
        if shard.seen.len() < SEEN_MAX {
            shard.seen.insert(user);
        }
    }

    /// Takes who is new since the last time, each with the moment he was seen first.
    pub fn take(&self) -> Vec<(UserId, UnixMillis)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            if !shard.read().new.is_empty() {
                all.append(&mut shard.write().new);
            }
        }
        all
    }

    /// Gives back what could not be written; what has no room is forgotten.
    pub fn put_back(&self, users: Vec<(UserId, UnixMillis)>) {
        let shards = i64::try_from(SHARDS).unwrap_or(i64::MAX);
        for (user, at) in users {
            let index = usize::try_from(user.0.rem_euclid(shards)).unwrap_or(0);
            let mut shard = self.shards[index].write();
            if shard.new.len() < NEW_MAX {
                shard.new.push((user, at));
            } else {
                shard.seen.remove(&user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-29, one millisecond before midnight in Shanghai.
    const LATE: UnixMillis = UnixMillis(1_769_702_399_999);

    #[test]
    fn a_user_is_new_once_a_day() {
        let active = ActiveUsers::default();
        active.saw(UserId(1), LATE);
        active.saw(UserId(1), LATE);
        active.saw(UserId(17), LATE);
        let mut taken = active.take();
        taken.sort_unstable();
        assert_eq!(taken, [(UserId(1), LATE), (UserId(17), LATE)]);
        active.saw(UserId(1), LATE);
        assert_eq!(active.take(), []);
        let next = LATE.plus_millis(1);
        active.saw(UserId(1), next);
        assert_eq!(active.take(), [(UserId(1), next)]);
    }

    #[test]
    fn what_was_not_written_comes_again_and_nobody_is_lost_for_want_of_room() {
        let active = ActiveUsers::default();
        let sixteenth = |n: usize| UserId(i64::try_from(n * SHARDS).unwrap());
        for n in 0..=NEW_MAX {
            active.saw(sixteenth(n), LATE);
        }
        let taken = active.take();
        assert_eq!(taken.len(), NEW_MAX);
        active.put_back(taken.clone());
        assert_eq!(active.take(), taken);
        // He had no room the first time.
        active.saw(sixteenth(NEW_MAX), LATE);
        assert_eq!(active.take(), [(sixteenth(NEW_MAX), LATE)]);
    }
}
