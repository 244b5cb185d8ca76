//! `restore`: puts a backup in the place of the database, or tries whether it could.

use std::error::Error;

use clap::Args;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{self, TimeZone};

use super::backup::{PlaceArgs, to_mib};
use crate::base::clock::Clock;
use crate::base::time::UnixMillis;
use crate::features::backups::service::{self, Restored, Source};

#[derive(Args, Debug)]
pub(super) struct RestoreArgs {
    /// `latest`, a name that `backups list` prints, or a file.
    #[arg(value_name = "BACKUP", required_unless_present = "at", conflicts_with = "at")]
    backup: Option<String>,
    /// The newest backup of this time or before: 2026-11-23T04:10:00Z, or 2026-11-23 12:10 in Shanghai.
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<UnixMillis>,
    /// Only try it: restore into a folder that is removed again, and check everything.
    #[arg(long)]
    verify: bool,
    /// Bring missing pictures back too, where the backups have them.
    #[arg(long, conflicts_with = "verify")]
    with_media: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// What was tried is whole, and should not be relied upon all the same.
#[derive(Debug, thiserror::Error)]
#[error("the books in it do not balance: {users} users and {money} payments are wrong")]
struct Unbalanced {
    users: i64,
    money: i64,
}

#[expect(clippy::print_stdout, reason = "this is the output")]
pub(super) fn run(args: &RestoreArgs) -> Result<(), Box<dyn Error>> {
    let clock = Clock::system();
    let place = args.place.place(&clock)?;
    let source = match (args.at, args.backup.as_deref()) {
        (Some(time), _) => Source::At(time),
        (None, Some("latest") | None) => Source::Latest,
        (None, Some(named)) => Source::Named(named.to_owned()),
    };
    let restored = if args.verify {
        service::in_runtime(service::verify(&place, &clock, &source))?
    } else {
        service::in_runtime(service::restore(&place, &clock, &source, args.with_media))?
    };
    print(&restored);
    if args.verify {
        println!("  only tried: nothing was changed");
    } else {
        println!("  it is now {}", place.database.display());
    }
    if let Some(kept) = &restored.kept {
        println!("  what was there before is {}; remove it when you are sure", kept.display());
    }
    let books = restored.books;
    if args.verify && !books.is_balanced() {
        return Err(Unbalanced { users: books.wrong_users, money: books.wrong_money }.into());
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is the output")]
fn print(restored: &Restored) {
    println!("{}", restored.name);
    if let Some(taken_at) = restored.taken_at {
        println!("  taken {}", taken_at.rfc3339_shanghai());
    }
    println!(
        "  {:.1} MiB, schema {}, restored and checked in {:.1} s",
        to_mib(restored.bytes),
        restored.report.schema,
        restored.took_ms / 1000.0
    );
    let books = &restored.books;
    if books.is_balanced() {
        let (users, orders) = (books.users, books.paid_orders);
        println!("  the books of {users} users and {orders} paid orders balance");
    } else {
        println!(
            "  WARNING: the books of {} users and {} payments do not balance",
            books.wrong_users, books.wrong_money
        );
    }
    if let Some(pictures) = restored.pictures {
        println!(
            "  pictures: {} named, {} brought back, {} missing",
            pictures.named, pictures.brought, pictures.missing
        );
    }
}

/// RFC 3339, or date and time in Shanghai.
fn time(text: &str) -> Result<UnixMillis, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(UnixMillis(time.as_millisecond()));
    }
    let there = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| DateTime::strptime(format, text).ok());
    let there = there.and_then(|time| time.to_zoned(TimeZone::fixed(tz::offset(8))).ok());
    there
        .map(|time| UnixMillis(time.timestamp().as_millisecond()))
        .ok_or_else(|| "is no time such as 2026-11-23T04:10:00Z or \"2026-11-23 12:10\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_utc_or_of_shanghai() {
        let noon = UnixMillis(1_769_688_000_000);
        for text in [
            "2026-01-29T12:00:00Z",
            "2026-01-29T20:00:00+08:00",
            "2026-01-29 20:00",
            "2026-01-29 20:00:00",
        ] {
            assert_eq!(time(text), Ok(noon), "{text}");
        }
        for bad in ["", "yesterday", "2026-01-29", "2026-13-29 20:00"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
