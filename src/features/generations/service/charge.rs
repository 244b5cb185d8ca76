//! Paying for pictures and giving back, within the caller's transaction: one rule for jobs and for
//! calls that are passed through. After the commit the caller calls `points::service::changed`.

use crate::app::App;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;
use crate::db::Tx;
use crate::features::generations::model::{
    Booking, GenerationError, Payment, Pictures, Receipt, Tariff, payment,
};
use crate::features::generations::store;
use crate::features::points::{self, Entry, PointsError};
use crate::features::settings;
use crate::features::users;

/// What a user may have now, and at which prices.
///
/// # Errors
/// `Points(NoSuchUser)`; what the database fails with.
pub fn tariff(app: &App, user: UserId, now: UnixMillis) -> Result<Tariff, GenerationError> {
    let settings = settings::service::current(app);
    let owner = app.db.read_inline("generations.owner", |tx| users::service::find(tx, user))?;
    let owner = owner.ok_or(GenerationError::Points(PointsError::NoSuchUser))?;
    Ok(Tariff {
        may: *owner.level_at(now).entitlement(&settings.entitlements),
        prices: settings.economy.prices,
        balance: owner.points_balance,
    })
}

/// Whether [`charge`] would succeed, without charging: what somebody could not have with an empty
/// queue either is what he is told before the queue is.
///
/// # Errors
/// As [`charge`].
pub fn check_affordable(
    app: &App,
    tariff: &Tariff,
    user: UserId,
    pictures: Pictures,
    now: UnixMillis,
) -> Result<(), GenerationError> {
    let day = now.shanghai_date().to_string();
    app.db.read_inline("generations.price", |tx| match price(tx, tariff, user, &day, pictures)? {
        Payment::Points(price) if price > tariff.balance => {
            Err(GenerationError::Points(PointsError::Insufficient))
        }
        Payment::Points(_) | Payment::Free => Ok(()),
    })
}

/// Takes the price: out of the free quota of the day of `now`, all of it or none, else points.
///
/// # Errors
/// `VipRequired`, `QuotaExceeded`, `Points(Insufficient)`, in this order; what the database fails with.
pub fn charge(
    tx: &Tx<'_>,
    tariff: &Tariff,
    user: UserId,
    pictures: Pictures,
    booking: Booking,
    now: UnixMillis,
) -> Result<Receipt, GenerationError> {
    let day = now.shanghai_date().to_string();
    let count = i64::from(pictures.count);
    let (free, points) = match price(tx, tariff, user, &day, pictures)? {
        Payment::Free => (count, 0),
        Payment::Points(price) => (0, price),
    };
    if points > 0 {
        points::service::spend(tx, &entry(user, points, booking), now)?;
    }
    store::quota::add(tx, user, &day, free, count.saturating_sub(free))?;
    Ok(Receipt { user, day, pictures: count, free, points })
}

/// Returns what was paid: points to the balance, pictures to their day. The caller sees to it that
/// this happens once.
///
/// # Errors
/// What the database fails with.
pub fn give_back(
    tx: &Tx<'_>,
    paid: &Receipt,
    booking: Booking,
    now: UnixMillis,
) -> Result<(), GenerationError> {
    if paid.points > 0 {
        points::service::refund(tx, &entry(paid.user, paid.points, booking), now)?;
    }
    let rest = paid.pictures.saturating_sub(paid.free);
    let (free, rest) = (paid.free.saturating_neg(), rest.saturating_neg());
    Ok(store::quota::add(tx, paid.user, &paid.day, free, rest)?)
}

fn price(
    tx: &Tx<'_>,
    tariff: &Tariff,
    user: UserId,
    day: &str,
    pictures: Pictures,
) -> Result<Payment, GenerationError> {
    let used = store::quota::usage(tx, user, day)?;
    payment(&tariff.may, &tariff.prices, pictures, &used)
}

fn entry(user: UserId, amount: i64, booking: Booking) -> Entry {
    let Booking { reason, reference, description } = booking;
    Entry { user, amount, reason, reference, description }
}
