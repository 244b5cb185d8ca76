//! What a backup is called: the database, and when it was taken. Only such names are ever removed.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::base::time::UnixMillis;

/// `dream-20261123T034500123Z`, from which its files are named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackupName {
    taken_at: UnixMillis,
    stem: String,
}

/// Letters of the time: `20261123T034500123Z`.
const TIME_LEN: usize = 19;

impl BackupName {
    /// For the database file called `stem` without its ending.
    pub fn new(stem: &str, taken_at: UnixMillis) -> Self {
        Self { taken_at, stem: stem.to_owned() }
    }

    /// Reads what [`fmt::Display`] writes; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (stem, time) = text.rsplit_once('-')?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if stem.is_empty() || !stem.chars().all(is_plain) || stem.starts_with('.') {
            return None;
        }
        let taken_at = parse_time(time)?;
        let name = Self::new(stem, taken_at);
        // What does not read back as itself was not written by us.
        (name.to_string() == text).then_some(name)
    }

    /// When the database was copied.
    pub fn taken_at(&self) -> UnixMillis {
        self.taken_at
    }

    /// The database that it is of.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// The compressed database.
    pub fn database(&self) -> String {
        format!("{self}.db.zst")
    }

    /// The compressed list of pictures.
    pub fn media_list(&self) -> String {
        format!("{self}.media.zst")
    }

    /// The manifest; a backup without one does not count.
    pub fn manifest(&self) -> String {
        format!("{self}.json")
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.stem, compact(self.taken_at))
    }
}

/// `20261123T034500123Z`.
pub(in crate::features::backups) fn compact(at: UnixMillis) -> String {
    at.rfc3339().replace(['-', ':', '.'], "")
}

fn parse_time(text: &str) -> Option<UnixMillis> {
    let bare = text.strip_suffix('Z')?;
    if text.len() != TIME_LEN || !text.is_ascii() {
        return None;
    }
    let (seconds, millis) = bare.split_at_checked(15)?;
    let at = DateTime::strptime("%Y%m%dT%H%M%S", seconds).ok()?;
    let at = at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond();
    Some(UnixMillis(at.checked_add(millis.parse().ok()?)?))
}

/// When a copy from before a migration was made, by its name `pre-migration-v1-to-v2-<time>.db`.
pub(in crate::features::backups) fn pre_migration_time(file: &str) -> Option<UnixMillis> {
    let middle = file.strip_prefix("pre-migration-v")?.strip_suffix(".db")?;
    let (versions, time) = middle.rsplit_once('-')?;
    let (from, to) = versions.split_once("-to-v")?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // There the time keeps the point before its milliseconds.
    let time = time.replace('.', "");
    if is_number(from) && is_number(to) { parse_time(&time) } else { None }
}

/// The same of a copy that is still being made, or of which a kill left the half.
pub(in crate::features::backups) fn growing_pre_migration_time(file: &str) -> Option<UnixMillis> {
    pre_migration_time(file.strip_suffix(".partial")?)
}

/// Whether a file of this name may be one of ours: a backup's, or what a run that was cut off left.
pub(in crate::features::backups) fn is_ours(file: &str) -> bool {
    let whole = file.strip_suffix(".partial").unwrap_or(file);
    [".db.zst", ".media.zst", ".json"]
        .iter()
        .any(|ending| whole.strip_suffix(ending).and_then(BackupName::parse).is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_says_what_and_when() {
        let name = BackupName::new("dream", UnixMillis(1_769_688_000_007));
        assert_eq!(name.to_string(), "dream-20260129T120000007Z");
        assert_eq!(BackupName::parse("dream-20260129T120000007Z"), Some(name.clone()));
        assert!(is_ours(&name.database()) && is_ours(&name.manifest()));
        assert!(is_ours("dream-20260129T120000007Z.media.zst.partial"));
        for other in [
            "dream-20260129T120000007Z",
            "dream.json",
            "notes.json",
            "dream-20260129T120000007Z.json.bak",
            "../dream-20260129T120000007Z.json",
            "-20260129T120000007Z.json",
            "dream-20261329T120000007Z.json",
            "dream-20260129T12000007Z.json",
            "dream-20260129T120000+07Z.json",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn a_copy_from_before_a_migration_says_when() {
        let at = pre_migration_time("pre-migration-v12-to-v13-20260129T120000.007Z.db");
        assert_eq!(at, Some(UnixMillis(1_769_688_000_007)));
        let half = "pre-migration-v12-to-v13-20260129T120000.007Z.db.partial";
        assert_eq!(growing_pre_migration_time(half), at);
        assert_eq!(pre_migration_time(half), None);
        for other in ["pre-migration-v1-to-v2.db", "pre-migration-vx-to-v2-20260129T120000.007Z.db"]
        {
            assert_eq!(pre_migration_time(other), None);
        }
    }

    proptest! {
        #[test]
        fn every_name_reads_back(at in 0_i64..4_102_444_800_000, stem in "[a-z][a-z0-9_.-]{0,12}") {
            let name = BackupName::new(&stem, UnixMillis(at));
            prop_assert_eq!(BackupName::parse(&name.to_string()), Some(name));
        }

        #[test]
        fn no_text_confuses_it(text in ".{0,60}") {
            if let Some(name) = BackupName::parse(&text) {
                prop_assert_eq!(name.to_string(), text.clone());
            }
            let _ = pre_migration_time(&text);
        }
    }
}
