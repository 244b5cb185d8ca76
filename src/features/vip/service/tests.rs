//! Memberships under everything that can happen to them, with a real database file.

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::base::clock::Clock;
use crate::db::prelude::*;
use crate::db::{Db, DbSettings};
use crate::features::users::VipLevel;

const VIP: VipLevel = VipLevel::Vip;
const SVIP: VipLevel = VipLevel::Svip;
const START: UnixMillis = UnixMillis(1_769_688_000_000);
const HOUR_MS: i64 = 3_600_000;

/// A database with users 1, 2, … and the default plans.
struct Shop {
    db: Db,
    _folder: TempDir,
}

impl Shop {
    fn new(users: i64) -> Self {
        let folder = TempDir::new().unwrap();
        let settings =
            DbSettings::new(folder.path().join("dream.db"), folder.path().join("backups"));
        let db = Db::open(settings, &Clock::system()).unwrap();
        db.write_blocking("test.users", move |tx| {
            for id in 1..=users {
                tx.insert(
                    "INSERT INTO users (id, openid, created_at, updated_at) VALUES (?1, ?2, 0, 0)",
                    params![id, format!("openid-{id}")],
                )?;
            }
            Ok::<_, DbError>(())
        })
        .unwrap();
        Self { db, _folder: folder }
    }

    fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx<'_>) -> Result<T, VipError> + Send + 'static,
    ) -> Result<T, VipError> {
        self.db.write_blocking("test.vip", f)
    }

    fn grant(&self, wanted: Grant, now: UnixMillis) -> Result<Membership, VipError> {
        self.write(move |tx| grant(tx, &wanted, now))
    }

    fn revoke(&self, order: &str, days: RevokeDays, now: UnixMillis) -> Membership {
        let order = order.to_owned();
        self.write(move |tx| revoke(tx, &order, days, now)).unwrap()
    }

    /// What is noted with the user.
    fn noted(&self, user: i64) -> Membership {
        self.db
            .read_inline("test.noted", |tx| {
                tx.query_one(
                    "SELECT vip_level, vip_expire_at FROM users WHERE id = ?1",
                    params![user],
                    |row| {
                        let level: String = row.get(0)?;
                        let level = crate::features::vip::model::level_of(&level);
                        Ok(Membership { level, expires_at: row.get(1)? })
                    },
                )
            })
            .unwrap()
    }

    fn sql(&self, statement: &'static str) -> Result<usize, DbError> {
        self.db.write_blocking("test.sql", move |tx| tx.execute(statement, []))
    }
}

/// `days` of `level` for `fen`.
fn order(user: i64, id: &str, level: VipLevel, days: i64, fen: i64) -> Grant {
    Grant {
        user: UserId(user),
        source: GrantSource::Order(id.to_owned()),
        plan_id: None,
        level,
        days,
        price_fen: Some(fen),
    }
}

fn gift(user: i64, entry: &str, level: VipLevel, days: i64) -> Grant {
    let source = GrantSource::Admin(entry.to_owned());
    Grant { source, price_fen: None, ..order(user, "", level, days, 1) }
}

fn day(n: i64) -> UnixMillis {
    START.plus_millis(n * DAY_MS)
}

fn is(level: VipLevel, end: UnixMillis) -> Membership {
    Membership { level, expires_at: Some(end) }
}

#[test]
fn an_order_grants_once() {
    let shop = Shop::new(2);
    let month = order(1, "a", VIP, 30, 1999);
    assert_eq!(shop.grant(month.clone(), day(0)).unwrap(), is(VIP, day(30)));
    assert_eq!(shop.grant(month.clone(), day(1)).unwrap(), is(VIP, day(30)));
    assert_eq!(shop.noted(1), is(VIP, day(30)));
    // An entry of the audit log of the same name is something else.
    assert_eq!(shop.grant(gift(1, "a", VIP, 1), day(1)).unwrap(), is(VIP, day(31)));
    // The order of one user is not another's.
    let other = shop.grant(Grant { user: UserId(2), ..month }, day(1));
    assert!(matches!(other, Err(VipError::Invalid("user"))), "{other:?}");
    assert_eq!(shop.noted(2), Membership::NONE);
    // Nor does a revoked one come back: the gift alone began on day 1.
    assert_eq!(shop.revoke("a", RevokeDays::All, day(1)), is(VIP, day(2)));
    assert_eq!(shop.grant(order(1, "a", VIP, 30, 1999), day(1)).unwrap(), is(VIP, day(2)));
}

#[test]
fn a_refunded_upgrade_leaves_the_lower_membership_as_if_it_had_never_been_bought() {
    let shop = Shop::new(1);
    shop.grant(order(1, "year", VIP, 365, 36_500), day(0)).unwrap();
    // 300 days at 100 fen are 30 days at 1000.
    let upgraded = shop.grant(order(1, "up", SVIP, 30, 30_000), day(65)).unwrap();
    assert_eq!(upgraded, is(SVIP, day(65 + 30 + 30)));
    assert_eq!(shop.revoke("up", RevokeDays::All, day(70)), is(VIP, day(365)));
    assert_eq!(shop.noted(1), is(VIP, day(365)));
    assert_eq!(shop.revoke("year", RevokeDays::All, day(70)), Membership::NONE);
    assert_eq!(shop.noted(1), Membership::NONE);
}

#[test]
fn taking_back_more_than_there_is_takes_what_there_is_and_repeating_it_nothing() {
    let shop = Shop::new(1);
    shop.grant(order(1, "a", VIP, 30, 3000), day(0)).unwrap();
    shop.grant(order(1, "b", VIP, 30, 3000), day(0)).unwrap();
    assert_eq!(shop.revoke("a", RevokeDays::Days(10), day(0)), is(VIP, day(50)));
    assert_eq!(shop.revoke("a", RevokeDays::Days(0), day(0)), is(VIP, day(50)));
    assert_eq!(shop.revoke("a", RevokeDays::Days(1000), day(0)), is(VIP, day(30)));
    assert_eq!(shop.revoke("a", RevokeDays::All, day(0)), is(VIP, day(30)));
    let negative = shop.write(|tx| revoke(tx, "b", RevokeDays::Days(-1), day(0)));
    assert!(matches!(negative, Err(VipError::Invalid("days"))), "{negative:?}");
    let unknown = shop.write(|tx| revoke(tx, "c", RevokeDays::All, day(0)));
    assert!(matches!(unknown, Err(VipError::GrantNotFound)), "{unknown:?}");
}

#[test]
fn several_partial_refunds_round_once() {
    let shop = Shop::new(1);
    shop.grant(order(1, "a", VIP, 30, 1999), day(0)).unwrap();
    let owed = |refunded| shop.write(move |tx| days_to_revoke(tx, "a", refunded)).unwrap();
    assert_eq!(owed(100), RevokeDays::Days(1));
    assert_eq!(shop.revoke("a", owed(100), day(0)), is(VIP, day(29)));
    // 200 of 1999 fen are 3.0015 days, one of which is taken already.
    assert_eq!(owed(200), RevokeDays::Days(2));
    assert_eq!(shop.revoke("a", owed(200), day(0)), is(VIP, day(27)));
    assert_eq!(owed(200), RevokeDays::Days(0));
    assert_eq!(owed(1999), RevokeDays::All);
    // The admin took more than the proportion before: nothing is owed, and nothing given back.
    shop.revoke("a", RevokeDays::Days(20), day(0));
    assert_eq!(owed(300), RevokeDays::Days(0));
}

#[test]
fn a_gift_is_worth_the_cheapest_plan_of_its_level_on_the_day_it_was_given() {
    let shop = Shop::new(1);
    // vip_year: 19990 fen for 365 days is less than vip_month.
    shop.grant(gift(1, "g", VIP, 365), day(0)).unwrap();
    // Prices of tomorrow change nothing.
    shop.sql("UPDATE vip_plans SET current_price = 1 WHERE plan_id = 'vip_year'").unwrap();
    let upgraded = shop.grant(order(1, "up", SVIP, 365, 2 * 19_990), day(0)).unwrap();
    assert_eq!(upgraded, is(SVIP, START.plus_millis(365 * DAY_MS * 3 / 2)));
    shop.sql("UPDATE vip_plans SET level = 'VIP'").unwrap();
    let worthless = shop.grant(gift(1, "h", SVIP, 1), day(0));
    assert!(matches!(worthless, Err(VipError::PlanNotFound)), "{worthless:?}");
}

#[test]
fn a_clock_that_was_set_back_costs_nothing() {
    let shop = Shop::new(1);
    shop.grant(order(1, "a", VIP, 30, 3000), day(10)).unwrap();
    assert_eq!(shop.grant(order(1, "b", VIP, 30, 3000), day(9)).unwrap(), is(VIP, day(69)));
    assert_eq!(shop.revoke("b", RevokeDays::All, day(9)), is(VIP, day(40)));
}

#[test]
fn a_grant_for_nobody_or_of_nothing_is_refused() {
    let shop = Shop::new(1);
    let nobody = shop.grant(order(7, "a", VIP, 30, 3000), day(0));
    assert!(matches!(nobody, Err(VipError::NoSuchUser)), "{nobody:?}");
    let nothing = shop.grant(order(1, "a", VIP, 0, 3000), day(0));
    assert!(matches!(nothing, Err(VipError::Invalid("days"))), "{nothing:?}");
}

#[test]
fn the_record_of_grants_cannot_be_changed_or_thinned_out() {
    let shop = Shop::new(1);
    shop.grant(order(1, "a", VIP, 30, 3000), day(0)).unwrap();
    shop.revoke("a", RevokeDays::Days(2), day(0));
    for statement in [
        "DELETE FROM vip_grants",
        "UPDATE vip_grants SET duration_ms = duration_ms + 1",
        "UPDATE vip_grants SET price = 1",
        "UPDATE vip_grants SET revoked_ms = revoked_ms - 1",
        "UPDATE vip_grants SET revoked_ms = duration_ms + 1",
        "UPDATE vip_grants SET revoked_at = NULL",
    ] {
        assert!(matches!(shop.sql(statement), Err(DbError::Constraint { .. })), "{statement}");
    }
}

#[test]
fn a_quote_is_what_paying_comes_to() {
    let shop = Shop::new(1);
    let quoted = |plan: &'static str, now| {
        shop.db.read_inline("test.quote", |tx| quote(tx, UserId(1), plan, now))
    };
    let pay = |plan: &'static str, id: &str, now| {
        let plan = shop.write(move |tx| Ok(plan_on_sale(tx, plan)?.unwrap())).unwrap();
        shop.grant(Grant::of_order(id, UserId(1), &plan, plan.current_price), now).unwrap()
    };
    let first = quoted("vip_month", day(0)).unwrap();
    assert_eq!((first.current, first.change), (Membership::NONE, Change::Begins));
    assert_eq!(pay("vip_month", "a", day(0)), first.after);
    let second = quoted("vip_year", day(7)).unwrap();
    assert_eq!((second.current, second.change), (first.after, Change::Renews));
    assert_eq!(pay("vip_year", "b", day(7)), second.after);
    let third = quoted("svip_lifetime", day(8)).unwrap();
    assert!(matches!(third.change, Change::Upgrades { from: VIP, .. }), "{third:?}");
    assert_eq!(pay("svip_lifetime", "c", day(8)), third.after);
    let lower = quoted("vip_month", day(9));
    assert!(
        matches!(lower, Err(VipError::LowerLevel { running: SVIP, until })
            if Some(until) == third.after.expires_at),
        "{lower:?}"
    );
    // It arrives all the same, and is not lost.
    assert!(pay("vip_month", "d", day(9)).expires_at > third.after.expires_at);
    shop.sql("UPDATE vip_plans SET on_sale = 0").unwrap();
    let retired = quoted("svip_lifetime", day(9));
    assert!(matches!(retired, Err(VipError::PlanNotFound)), "{retired:?}");
}

#[test]
fn nobody_is_sold_more_than_the_calendar_has() {
    let shop = Shop::new(1);
    for n in 0..90 {
        shop.grant(order(1, &format!("{n}"), SVIP, 36_500, 199_900), day(0)).unwrap();
    }
    let more = shop.write(|tx| quote(tx, UserId(1), "svip_lifetime", day(0)));
    assert!(matches!(more, Err(VipError::LongEnough)), "{more:?}");
    let end = shop.noted(1).expires_at.unwrap();
    assert_eq!(end.rfc3339(), "9999-12-01T00:00:00.000Z");
    for n in 0..90 {
        shop.revoke(&format!("{n}"), RevokeDays::All, day(1));
    }
    assert_eq!(shop.noted(1), Membership::NONE);
}

/// What can happen to a user.
#[derive(Clone, Debug)]
enum Step {
    /// So many days of a level at so many fen a day.
    Buy {
        level: VipLevel,
        days: i64,
        per_day: i64,
    },
    /// All of one of the grants, or some days.
    Revoke {
        which: prop::sample::Index,
        days: Option<i64>,
    },
    Wait {
        hours: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let buy = (prop::sample::select(vec![VIP, SVIP]), 1..=60_i64, 1..=500_i64)
        .prop_map(|(level, days, per_day)| Step::Buy { level, days, per_day });
    let revoke = (any::<prop::sample::Index>(), prop::option::weighted(0.6, 0..=40_i64))
        .prop_map(|(which, days)| Step::Revoke { which, days });
    prop_oneof![4 => buy, 3 => revoke, 3 => (1..=900_i64).prop_map(|hours| Step::Wait { hours })]
}

/// What the test knows of a grant.
#[derive(Clone, Debug)]
struct Bought {
    level: VipLevel,
    at: UnixMillis,
    per_day: i64,
    days: i64,
    revoked: i64,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_is_revoked_is_as_if_never_bought(steps in prop::collection::vec(step(), 1..40)) {
        let shop = Shop::new(2);
        let mut now = START;
        let mut all: Vec<Bought> = Vec::new();
        for step in steps {
            let answer = match step {
                Step::Wait { hours } => {
                    now = now.plus_millis(hours * HOUR_MS);
                    continue;
                }
                Step::Buy { level, days, per_day } => {
                    let id = all.len().to_string();
                    all.push(Bought { level, at: now, per_day, days, revoked: 0 });
                    shop.grant(order(1, &id, level, days, days * per_day), now).unwrap()
                }
                Step::Revoke { which, days } => {
                    if all.is_empty() {
                        continue;
                    }
                    let n = which.index(all.len());
                    let left = all[n].days - all[n].revoked;
                    all[n].revoked += days.unwrap_or(left).min(left);
                    let wanted = days.map_or(RevokeDays::All, RevokeDays::Days);
                    shop.revoke(&n.to_string(), wanted, now)
                }
            };
            // What is answered is what is noted, and it runs.
            prop_assert_eq!(shop.noted(1), answer);
            prop_assert_eq!(answer.level == VipLevel::Normal, answer.expires_at.is_none());
            prop_assert!(answer.expires_at.is_none_or(|end| end > now));
        }

        // Days granted less days revoked is what the record says.
        let record = shop.write(|tx| Ok(grants(tx, UserId(1))?)).unwrap();
        let days = |ms: i64| { assert_eq!(ms % DAY_MS, 0); ms / DAY_MS };
        let recorded: i64 = record.iter().map(|g| days(g.duration_ms - g.revoked_ms)).sum();
        prop_assert_eq!(recorded, all.iter().map(|b| b.days - b.revoked).sum::<i64>());
        prop_assert_eq!(record.len(), all.len());

        // Another user who only ever bought what was left stands the same.
        for (n, bought) in all.iter().enumerate() {
            let left = bought.days - bought.revoked;
            if left > 0 {
                let fen = left * bought.per_day;
                let twin = order(2, &format!("twin-{n}"), bought.level, left, fen);
                shop.grant(twin, bought.at).unwrap();
            }
        }
        let of = |user| shop.write(move |tx| membership(tx, UserId(user), now)).unwrap();
        prop_assert_eq!(of(1), of(2));

        // After everything is refunded, nothing is left.
        for n in 0..all.len() {
            shop.revoke(&n.to_string(), RevokeDays::All, now);
        }
        prop_assert_eq!(shop.noted(1), Membership::NONE);
    }

    #[test]
    fn within_one_level_the_end_is_exact(
        bought in prop::collection::vec((1..=60_i64, 1..=500_i64, 0..=60_i64), 1..15),
    ) {
        let shop = Shop::new(1);
        for (n, (days, per_day, revoked)) in bought.iter().enumerate() {
            shop.grant(order(1, &n.to_string(), VIP, *days, days * per_day), START).unwrap();
            shop.revoke(&n.to_string(), RevokeDays::Days(*revoked), START);
        }
        let left: i64 = bought.iter().map(|(days, _, revoked)| (days - revoked).max(0)).sum();
        let expected = if left > 0 { is(VIP, day(left)) } else { Membership::NONE };
        prop_assert_eq!(shop.noted(1), expected);
    }
}
