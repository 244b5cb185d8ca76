use proptest::prelude::*;

use super::*;

const NORMAL: Terms = Terms { weight: 1, concurrency: 2 };
const VIP: Terms = Terms { weight: 4, concurrency: 4 };

/// Jobs of one length on so many workers; counts who was served.
struct Simulation {
    scheduler: Scheduler,
    running: VecDeque<UserId>,
    workers: usize,
    served: HashMap<UserId, usize>,
}

impl Simulation {
    fn new(workers: usize) -> Self {
        let scheduler = Scheduler::default();
        Self { scheduler, running: VecDeque::new(), workers, served: HashMap::new() }
    }

    fn submit(&mut self, user: i64, terms: Terms, seqs: std::ops::Range<i64>) {
        for seq in seqs {
            self.scheduler.add(UserId(user), terms, seq);
        }
    }

    /// Every worker that is free takes a job, then the oldest running one ends.
    fn step(&mut self) {
        while self.running.len() < self.workers {
            let Some((user, _)) = self.scheduler.next() else { break };
            *self.served.entry(user).or_default() += 1;
            self.running.push_back(user);
        }
        if let Some(user) = self.running.pop_front() {
            self.scheduler.finished(user);
        }
    }

    fn served(&self, user: i64) -> usize {
        self.served.get(&UserId(user)).copied().unwrap_or(0)
    }
}

#[test]
fn a_vip_gets_four_turns_while_a_normal_user_gets_one() {
    let mut it = Simulation::new(4);
    it.submit(1, NORMAL, 0..1000);
    it.submit(2, VIP, 1000..2000);
    for _ in 0..1000 {
        it.step();
    }
    let (normal, vip) = (it.served(1), it.served(2));
    assert!((790..=810).contains(&vip) && (190..=210).contains(&normal), "{vip} to {normal}");
}

#[test]
fn nobody_starves_among_members_who_never_stop() {
    let mut it = Simulation::new(4);
    for vip in 10..60 {
        it.submit(vip, Terms { weight: 8, concurrency: 8 }, vip * 1000..vip * 1000 + 500);
    }
    it.submit(1, NORMAL, 0..3);
    // 50 × 8 turns of members for each of his.
    for _ in 0..401 * 3 + 4 {
        it.step();
    }
    assert_eq!(it.served(1), 3);
}

#[test]
fn ten_thousand_jobs_of_one_user_do_not_hold_up_the_others() {
    let mut it = Simulation::new(2);
    it.submit(1, NORMAL, 0..10_000);
    for _ in 0..500 {
        it.step();
    }
    for user in 2..12 {
        it.submit(user, NORMAL, 20_000 + user..20_001 + user);
    }
    // Each of the eleven gets a turn before anybody gets a second one.
    for _ in 0..13 {
        it.step();
    }
    for user in 2..12 {
        assert_eq!(it.served(user), 1, "user {user}");
    }
}

#[test]
fn leaving_and_coming_back_saves_nothing() {
    let mut it = Simulation::new(1);
    it.submit(1, NORMAL, 0..1000);
    let mut own = 5000;
    // He submits one at a time, again as soon as he was served.
    for _ in 0..200 {
        if it.scheduler.waiting_of(UserId(2)) == 0 {
            it.submit(2, NORMAL, own..own + 1);
            own += 1;
        }
        it.step();
    }
    let (steady, eager) = (it.served(1), it.served(2));
    assert!(steady.abs_diff(eager) <= 2, "{steady} to {eager}");
}

#[test]
fn a_users_own_jobs_keep_their_order_and_his_cap() {
    let mut it = Scheduler::default();
    for seq in [3, 1, 2] {
        it.add(UserId(1), NORMAL, seq);
    }
    assert_eq!((it.next(), it.next()), (Some((UserId(1), 1)), Some((UserId(1), 2))));
    assert_eq!(it.next(), None);
    it.finished(UserId(1));
    assert_eq!(it.next(), Some((UserId(1), 3)));
}

#[test]
fn a_position_counts_what_will_run_before() {
    let mut it = Scheduler::default();
    it.add(UserId(1), NORMAL, 1);
    it.add(UserId(1), NORMAL, 2);
    assert_eq!(it.position(UserId(1), 2), Some((2, 2)));
    for seq in 10..20 {
        it.add(UserId(2), VIP, seq);
    }
    // Four VIP jobs for each of his.
    assert_eq!(it.position(UserId(1), 1), Some((1, 5)));
    assert_eq!(it.position(UserId(1), 2), Some((2, 10)));
    assert_eq!(it.position(UserId(2), 13), Some((4, 5)));
    assert_eq!(it.position(UserId(2), 1), None);
    it.reserve(UserId(1), NORMAL);
    assert_eq!(it.last_position(UserId(1)).0, 3);
}

proptest! {
    /// Whatever happens, what is counted is what is there, and nothing stays behind.
    #[test]
    fn the_counts_are_what_is_there(ops in prop::collection::vec((0..6_u8, 0..4_i64), 1..200)) {
        let mut it = Scheduler::default();
        let (mut seq, mut running, mut reserved) = (0, Vec::new(), Vec::new());
        for (op, user) in ops {
            let user = UserId(user);
            match op {
                0 | 1 => {
                    seq += 1;
                    it.add(user, if user.0 == 0 { VIP } else { NORMAL }, seq);
                }
                2 => running.extend(it.next().map(|(user, _)| user)),
                3 => running.pop().into_iter().for_each(|user| it.finished(user)),
                4 => it.remove(user, seq),
                _ => { it.reserve(user, NORMAL); reserved.push(user); }
            }
            prop_assert_eq!(it.running(), running.len());
            prop_assert_eq!(it.waiting(), (0..4).map(|id| it.waiting_of(UserId(id))).sum::<usize>());
        }
        reserved.into_iter().for_each(|user| it.unreserve(user));
        loop {
            while let Some((user, _)) = it.next() { running.push(user); }
            let Some(user) = running.pop() else { break };
            it.finished(user);
        }
        it.sweep();
        prop_assert!(it.users.is_empty() && it.ready.is_empty());
        prop_assert_eq!((it.waiting(), it.running(), it.weights), (0, 0, 0));
    }
}
