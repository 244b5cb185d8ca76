//! What a picture costs whom: membership, free quota, points. Pure.

use super::{GenerationError, Pictures};
use crate::features::settings::{Entitlement, PriceTable};

/// Pictures that a user has had, given back ones not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::features::generations) struct Usage {
    /// Free ones of the day.
    pub(in crate::features::generations) free_today: i64,
    /// Free ones of the calendar month.
    pub(in crate::features::generations) free_month: i64,
    /// All of the day.
    pub(in crate::features::generations) all_today: i64,
}

impl Usage {
    /// How many more may be free; `None` is no limit.
    pub(in crate::features::generations) fn free_left(&self, may: &Entitlement) -> Option<i64> {
        let left = |limit: Option<u32>, used: i64| {
            limit.map(|limit| i64::from(limit).saturating_sub(used).max(0))
        };
        let day = left(may.free_per_day, self.free_today);
        let month = left(may.free_per_month, self.free_month);
        match (day, month) {
            (Some(day), Some(month)) => Some(day.min(month)),
            (day, month) => day.or(month),
        }
    }
}

/// How a job is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::features::generations) enum Payment {
    /// Out of the free quota, all of it.
    Free,
    /// In points; 0 when the price list says so.
    Points(i64),
}

/// How `pictures` are to be paid for. Whether the balance covers the points, booking them will
/// show; what waits in the queue is asked after that.
///
/// # Errors
/// `VipRequired`, then `QuotaExceeded`.
pub(in crate::features::generations) fn payment(
    may: &Entitlement,
    prices: &PriceTable,
    pictures: Pictures,
    used: &Usage,
) -> Result<Payment, GenerationError> {
    let Pictures { mode, resolution, count } = pictures;
    if resolution > may.max_resolution {
        return Err(GenerationError::VipRequired);
    }
    let wanted = i64::from(count);
    let is_fair = |limit: u32| used.all_today.saturating_add(wanted) <= i64::from(limit);
    if !may.fair_use_per_day.is_none_or(is_fair) {
        return Err(GenerationError::QuotaExceeded);
    }
    // All or nothing: with fewer free ones left than the job has, the whole job is paid.
    if used.free_left(may).is_none_or(|left| left >= wanted) {
        return Ok(Payment::Free);
    }
    if !may.points_allowed {
        return Err(GenerationError::QuotaExceeded);
    }
    Ok(Payment::Points(prices.price(mode, resolution, count)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::settings::{Entitlements, Mode, Resolution};

    fn asked(
        may: &Entitlement,
        resolution: Resolution,
        count: u32,
        used: Usage,
    ) -> Result<Payment, &'static str> {
        let pictures = Pictures { mode: Mode::Final, resolution, count };
        payment(may, &PriceTable::default(), pictures, &used).map_err(|err| match err {
            GenerationError::VipRequired => "VIP",
            GenerationError::QuotaExceeded => "QUOTA",
            _ => "?",
        })
    }

    fn used(free: i64, all: i64) -> Usage {
        Usage { free_today: free, free_month: free, all_today: all }
    }

    #[test]
    fn free_pictures_go_first_and_a_job_is_never_split() {
        let may = Entitlements::default().normal;
        let of = |count, free| asked(&may, Resolution::K1, count, used(free, free));
        assert_eq!(of(5, 0), Ok(Payment::Free));
        assert_eq!(of(1, 4), Ok(Payment::Free));
        assert_eq!(of(2, 4), Ok(Payment::Points(4)));
        assert_eq!(of(1, 5), Ok(Payment::Points(2)));
        assert_eq!(of(1, 99), Ok(Payment::Points(2)));
    }

    #[test]
    fn what_points_cannot_lift_comes_before_points() {
        let levels = Entitlements::default();
        let all_used = used(5, 5);
        assert_eq!(asked(&levels.normal, Resolution::K4, 1, all_used), Err("VIP"));
        assert_eq!(asked(&levels.vip, Resolution::K4, 1, all_used), Ok(Payment::Free));
        assert_eq!(asked(&levels.vip, Resolution::K1, 2, used(0, 999)), Err("QUOTA"));
        let no_points = Entitlement { points_allowed: false, ..levels.normal };
        assert_eq!(asked(&no_points, Resolution::K1, 1, all_used), Err("QUOTA"));
        assert_eq!(asked(&no_points, Resolution::K4, 1, all_used), Err("VIP"));
    }

    #[test]
    fn a_month_may_have_a_limit_of_its_own() {
        let may = Entitlement { free_per_month: Some(7), ..Entitlements::default().normal };
        let month = |free_month| Usage { free_today: 0, free_month, all_today: 0 };
        assert_eq!(asked(&may, Resolution::K1, 2, month(5)), Ok(Payment::Free));
        assert_eq!(asked(&may, Resolution::K1, 2, month(6)), Ok(Payment::Points(4)));
        assert_eq!(month(6).free_left(&may), Some(1));
    }
}
