//! Categories as an administrator keeps them.

use serde_json::{Value, json};

use super::GalleryError;
use crate::base::content_version::content_version;

/// A category, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CategoryRecord {
    /// 1–32 of `a-z`, `0-9`, `-`, `_`; pictures know it, so it stays. `all` is none.
    pub id: String,
    /// 1–20 characters.
    pub name: String,
    /// Up to 16 characters, most often one sign.
    pub icon: String,
    /// Its place in the list, the smallest first.
    pub sort: i64,
    /// Public pictures in it.
    pub images: i64,
}

impl CategoryRecord {
    /// Trimmed and checked.
    ///
    /// # Errors
    /// `Invalid` naming the field.
    pub(in crate::features::gallery) fn checked(mut self) -> Result<Self, GalleryError> {
        let is_id_char = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        if !(1..=32).contains(&self.id.len())
            || !self.id.chars().all(is_id_char)
            || self.id == "all"
        {
            return Err(GalleryError::Invalid("categoryId"));
        }
        self.name = self.name.trim().to_owned();
        let is_good = |text: &str| !text.chars().any(char::is_control);
        if !(1..=20).contains(&self.name.chars().count()) || !is_good(&self.name) {
            return Err(GalleryError::Invalid("name"));
        }
        self.icon = self.icon.trim().to_owned();
        if self.icon.chars().count() > 16 || !is_good(&self.icon) {
            return Err(GalleryError::Invalid("icon"));
        }
        Ok(self)
    }

    /// As the audit log has it.
    pub fn to_json(&self) -> Value {
        json!({ "categoryId": self.id, "name": self.name, "icon": self.icon })
    }

    /// Names the category as it is.
    pub fn version(&self) -> String {
        content_version(&self.to_json().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_field_that_is_wrong_is_named() {
        let of = |id: &str, name: &str, icon: &str| {
            let [id, name, icon] = [id, name, icon].map(str::to_owned);
            match (CategoryRecord { id, name, icon, sort: 0, images: 0 }).checked() {
                Ok(_) => "",
                Err(GalleryError::Invalid(field)) => field,
                Err(err) => panic!("{err}"),
            }
        };
        assert_eq!(of("pets-2", " 宠物 ", "🐱"), "");
        for id in ["", "all", "Pets", "宠物", &"x".repeat(33)] {
            assert_eq!(of(id, "x", ""), "categoryId", "{id}");
        }
        assert_eq!((of("x", " ", ""), of("x", &"字".repeat(21), "")), ("name", "name"));
        assert_eq!(of("x", "x", &"x".repeat(17)), "icon");
    }
}
