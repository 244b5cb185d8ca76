//! Whose job is next: weighted fair queueing over users. Pure data, no clock.
//!
//! Each user with waiting jobs has a tag, a point in virtual time. The smallest tag among the users
//! who are below their concurrency goes next, and each job moves its user's tag on by the inverse of
//! his weight: weight 4 gets four turns while weight 1 gets one. A user who comes back starts at the
//! virtual time of now, so that having been away saves nothing up, and nobody who waits is passed by
//! more than a turn. Each user's own jobs run in the order of their submission.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::base::ids::UserId;

/// One turn of weight 1 in virtual time. Divisible by the usual weights.
const TURN: u64 = 1 << 32;

/// A user's share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::features::generations) struct Terms {
    /// Turns he gets while a user of weight 1 gets one.
    pub(in crate::features::generations) weight: u32,
    /// His jobs that may run at once.
    pub(in crate::features::generations) concurrency: u32,
}

/// The waiting jobs of all users. About 8 bytes a job and 200 a user.
#[derive(Debug, Default)]
pub(in crate::features::generations) struct Scheduler {
    users: HashMap<UserId, UserQueue>,
    /// Users who have a job waiting and a place free for it.
    ready: BTreeSet<(u64, UserId)>,
    /// The tag of the last turn.
    now: u64,
    queued: usize,
    reserved: usize,
    running: usize,
    /// Of the users who have jobs waiting, together.
    weights: u64,
}

#[derive(Debug)]
struct UserQueue {
    terms: Terms,
    tag: u64,
    /// Ascending.
    jobs: VecDeque<i64>,
    /// Places taken by jobs that are being stored.
    reserved: usize,
    running: u32,
}

impl UserQueue {
    fn is_ready(&self) -> bool {
        !self.jobs.is_empty() && self.running < self.terms.concurrency
    }

    fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.reserved == 0 && self.running == 0
    }

    fn waiting(&self) -> usize {
        self.jobs.len() + self.reserved
    }
}

impl Scheduler {
    /// Jobs that wait, those being stored included.
    pub(in crate::features::generations) fn waiting(&self) -> usize {
        self.queued + self.reserved
    }

    /// The same of one user.
    pub(in crate::features::generations) fn waiting_of(&self, user: UserId) -> usize {
        self.users.get(&user).map_or(0, UserQueue::waiting)
    }

    /// Jobs that hold a worker.
    pub(in crate::features::generations) fn running(&self) -> usize {
        self.running
    }

    /// Whether [`Scheduler::next`] has one.
    pub(in crate::features::generations) fn has_next(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes a place for a job that is about to be stored.
    pub(in crate::features::generations) fn reserve(&mut self, user: UserId, terms: Terms) {
        self.change(user, terms, |queue| queue.reserved += 1);
        self.reserved += 1;
    }

    /// Gives such a place back, because nothing was stored.
    pub(in crate::features::generations) fn unreserve(&mut self, user: UserId) {
        let Some(terms) = self.users.get(&user).map(|queue| queue.terms) else { return };
        self.change(user, terms, |queue| queue.reserved = queue.reserved.saturating_sub(1));
        self.reserved = self.reserved.saturating_sub(1);
    }

    /// Adds a stored job; the higher `seq` was submitted later.
    pub(in crate::features::generations) fn add(&mut self, user: UserId, terms: Terms, seq: i64) {
        let now = self.now;
        self.change(user, terms, |queue| {
            if queue.jobs.is_empty() {
                queue.tag = queue.tag.max(now);
            }
            // Nearly always at the end: commits are announced in about their order.
            let at = queue.jobs.partition_point(|known| *known < seq);
            queue.jobs.insert(at, seq);
        });
        self.queued += 1;
    }

    /// Gives a job that has just had its turn back, because it could not begin.
    pub(in crate::features::generations) fn put_back(&mut self, user: UserId, seq: i64) {
        if let Some(terms) = self.users.get(&user).map(|queue| queue.terms) {
            self.add(user, terms, seq);
        }
    }

    /// Takes a job out that does not wait any more; nothing when it had its turn already.
    pub(in crate::features::generations) fn remove(&mut self, user: UserId, seq: i64) {
        let Some(queue) = self.users.get(&user) else { return };
        let Ok(at) = queue.jobs.binary_search(&seq) else { return };
        let terms = queue.terms;
        self.change(user, terms, |queue| {
            queue.jobs.remove(at);
        });
        self.queued -= 1;
    }

    /// Whose turn it is, and with which job. It counts as running until [`Scheduler::finished`].
    pub(in crate::features::generations) fn next(&mut self) -> Option<(UserId, i64)> {
        let (tag, user) = *self.ready.first()?;
        let terms = self.users.get(&user)?.terms;
        self.now = self.now.max(tag);
        let mut next = None;
        self.change(user, terms, |queue| {
            next = queue.jobs.pop_front();
            queue.tag = queue.tag.saturating_add(TURN / u64::from(terms.weight.max(1)));
            queue.running += 1;
        });
        self.queued -= 1;
        self.running += 1;
        next.map(|seq| (user, seq))
    }

    /// Counts a job as running that did so before this process.
    pub(in crate::features::generations) fn resume(&mut self, user: UserId, terms: Terms) {
        self.change(user, terms, |queue| queue.running += 1);
        self.running += 1;
    }

    /// A running job has ended.
    pub(in crate::features::generations) fn finished(&mut self, user: UserId) {
        let Some(terms) = self.users.get(&user).map(|queue| queue.terms) else { return };
        self.change(user, terms, |queue| queue.running = queue.running.saturating_sub(1));
        self.running = self.running.saturating_sub(1);
    }

    /// Where a waiting job stands, from 1: among its user's own jobs, and about where among all, if
    /// everybody who waits goes on waiting.
    pub(in crate::features::generations) fn position(
        &self,
        user: UserId,
        seq: i64,
    ) -> Option<(usize, usize)> {
        let queue = self.users.get(&user)?;
        let own = queue.jobs.binary_search(&seq).ok()? + 1;
        Some((own, self.among_all(queue, own)))
    }

    /// The same for the job that was reserved last.
    pub(in crate::features::generations) fn last_position(&self, user: UserId) -> (usize, usize) {
        let Some(queue) = self.users.get(&user) else { return (1, 1) };
        let own = queue.waiting().max(1);
        (own, self.among_all(queue, own))
    }

    /// While this user gets `own` turns, the others get theirs by weight, but no more than they have
    /// jobs for.
    fn among_all(&self, queue: &UserQueue, own: usize) -> usize {
        let weight = u64::from(queue.terms.weight.max(1));
        let mine = if queue.jobs.is_empty() { 0 } else { weight };
        let others = self.weights.saturating_sub(mine);
        let turns = (own as u64).saturating_mul(others) / weight;
        let waiting = self.waiting().saturating_sub(queue.waiting()) as u64;
        own.saturating_add(usize::try_from(turns.min(waiting)).unwrap_or(usize::MAX))
    }

    /// A user's concurrency, for the estimate of how long his own jobs take.
    pub(in crate::features::generations) fn concurrency_of(&self, user: UserId) -> u32 {
        self.users.get(&user).map_or(1, |queue| queue.terms.concurrency.max(1))
    }

    /// Changes a user's queue and keeps what is derived from it.
    fn change(&mut self, user: UserId, terms: Terms, change: impl FnOnce(&mut UserQueue)) {
        let now = self.now;
        let queue = self.users.entry(user).or_insert_with(|| UserQueue {
            terms,
            tag: now,
            jobs: VecDeque::new(),
            reserved: 0,
            running: 0,
        });
        let weighs = |queue: &UserQueue| match queue.jobs.is_empty() {
            true => 0,
            false => u64::from(queue.terms.weight.max(1)),
        };
        self.ready.remove(&(queue.tag, user));
        self.weights -= weighs(queue);
        queue.terms = terms;
        change(queue);
        self.weights += weighs(queue);
        if queue.is_ready() {
            self.ready.insert((queue.tag, user));
        }
        // A tag in the future is kept: leaving and coming back must not save a turn.
        if queue.is_idle() && queue.tag <= now {
            self.users.remove(&user);
        }
    }

    /// Forgets users who have nothing here, once virtual time has passed their tags.
    pub(in crate::features::generations) fn sweep(&mut self) {
        let (now, is_empty) = (self.now, self.queued == 0);
        self.users.retain(|_, queue| !queue.is_idle() || (queue.tag > now && !is_empty));
    }
}

#[cfg(test)]
mod tests;
