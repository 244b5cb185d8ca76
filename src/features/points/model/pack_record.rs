//! Packs as an administrator keeps them.

use serde_json::{Value, json};

use super::{Pack, PointsError};
use crate::base::content_version::content_version;

/// The most points of a pack, with and without its bonus.
const POINTS_MAX: i64 = 10_000_000;

/// The most that a pack costs, in fen.
const PRICE_MAX: i64 = 100_000_000;

/// Characters of an id or a name.
const TEXT_MAX: usize = 64;

/// A pack, and how it is offered.
#[derive(Clone, Debug)]
pub struct PackRecord {
    pub pack: Pack,
    pub is_on_sale: bool,
    /// Its place in the list, the smallest first.
    pub sort: i64,
}

impl PackRecord {
    /// The record, its name trimmed.
    ///
    /// # Errors
    /// `Pack` with the first field that is out of range.
    pub(in crate::features::points) fn checked(mut self) -> Result<Self, PointsError> {
        let pack = &mut self.pack;
        let is_id_char = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !(1..=TEXT_MAX).contains(&pack.id.len()) || !pack.id.chars().all(is_id_char) {
            return Err(PointsError::Pack("packId"));
        }
        pack.name = pack.name.trim().to_owned();
        if !(1..=TEXT_MAX).contains(&pack.name.chars().count())
            || pack.name.chars().any(char::is_control)
        {
            return Err(PointsError::Pack("name"));
        }
        let within = |value: i64, least: i64, most: i64, field| match value {
            value if (least..=most).contains(&value) => Ok(()),
            _ => Err(PointsError::Pack(field)),
        };
        within(pack.points, 1, POINTS_MAX, "points")?;
        within(pack.bonus_points, 0, POINTS_MAX, "bonusPoints")?;
        within(pack.current_price, 1, PRICE_MAX, "currentPrice")?;
        within(pack.original_price, pack.current_price, PRICE_MAX, "originalPrice")?;
        Ok(self)
    }

    /// As the audit log has it.
    pub fn to_json(&self) -> Value {
        let pack = &self.pack;
        json!({
            "packId": pack.id, "name": pack.name, "points": pack.points,
            "bonusPoints": pack.bonus_points, "originalPrice": pack.original_price,
            "currentPrice": pack.current_price, "popular": pack.is_popular,
            "onSale": self.is_on_sale, "sort": self.sort,
        })
    }

    /// Names the record as it is.
    pub fn version(&self) -> String {
        content_version(&self.to_json().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> PackRecord {
        let pack = Pack {
            id: "points_100".to_owned(),
            name: " 100 积分 ".to_owned(),
            points: 100,
            bonus_points: 0,
            original_price: 1000,
            current_price: 900,
            is_popular: false,
        };
        PackRecord { pack, is_on_sale: true, sort: 1 }
    }

    #[test]
    fn the_first_field_out_of_range_is_named() {
        assert_eq!(record().checked().unwrap().pack.name, "100 积分");
        let wrong = |change: fn(&mut Pack)| {
            let mut wrong = record();
            change(&mut wrong.pack);
            match wrong.checked() {
                Err(PointsError::Pack(field)) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(wrong(|pack| pack.id = "积分".to_owned()), "packId");
        assert_eq!(wrong(|pack| pack.name = " ".to_owned()), "name");
        assert_eq!(wrong(|pack| pack.points = 0), "points");
        assert_eq!(wrong(|pack| pack.bonus_points = -1), "bonusPoints");
        assert_eq!(wrong(|pack| pack.current_price = 0), "currentPrice");
        assert_eq!(wrong(|pack| pack.original_price = 899), "originalPrice");
    }
}
