//! The real binary, killed again and again under load: what was answered is there, what was not
//! happened wholly or not at all, and the books balance.
//!
//! `CRASH_ROUNDS=200 cargo test --test it crash -- --nocapture` kills it so often; `CRASH_SEED` repeats
//! the dice of a run, not its every interleaving. A new kind of load is another [`Workload`]: actors
//! who use the server and remember what they were told, weather for the outside world, and audits of
//! the file that is left.

mod audit;
mod buyer;
mod driver;
mod guest;
mod images;
mod money;
mod payments;
mod storage;
mod wishes;

use dream_bff::base::rng::Rng;

use self::driver::Plan;

/// Enough to meet every kind of moment, few enough for every run of the tests.
const ROUNDS: u32 = 8;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

#[expect(clippy::print_stdout, reason = "whoever looks into a failure needs the seed")]
fn plan() -> Plan {
    let rounds = number("CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.try_into().unwrap());
    let seed = number("CRASH_SEED").unwrap_or_else(|| Rng::system().below(1_000_000));
    println!("CRASH_ROUNDS={rounds} CRASH_SEED={seed}");
    Plan { rounds, seed }
}

/// So few deaths that chance decides whether each kind of moment was met; what must hold is checked all
/// the same.
fn few(plan: Plan) -> bool {
    plan.rounds < 50
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_payment_is_lost_or_granted_twice_by_kills_under_load() {
    let plan = plan();
    let figures = driver::run(plan, payments::workload).await;
    println!("{figures}");
    let paid = figures.of("orders paid at WeChat");
    assert!(paid >= u64::from(plan.rounds), "hardly any load: {figures}");
    let cut_off = figures.of("cut off by the last kill");
    assert!(few(plan) || cut_off > 0, "no payment was left to be found: {figures}");
    let is_both = figures.of("orders paid by virtual payment") > 0;
    assert!(few(plan) || is_both, "one channel only: {figures}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_by_kills_under_load() {
    let plan = plan();
    let figures = driver::run(plan, images::workload).await;
    println!("{figures}");
    let acknowledged = figures.of("submits acknowledged");
    assert!(acknowledged >= u64::from(plan.rounds), "hardly any load: {figures}");
    let cut_off = figures.of("cut off by the last kill");
    assert!(few(plan) || cut_off > 0, "nothing was left to be taken up: {figures}");
    let delivered = figures.of("jobs SUCCEEDED");
    assert!(few(plan) || delivered > 0, "nothing was ever delivered: {figures}");
}
