//! The codes a mini-program gets from WeChat and the server turns into an openid or a number.

use moka::sync::Cache;

use crate::base::rng::Rng;
use crate::base::time::UnixMillis;

/// Codes remembered, issued or spent; the oldest are forgotten first.
const MAX_CODES: u64 = 100_000;
/// How long an issued code lives, in seconds.
const LIFETIME: i64 = 5 * 60;
/// Longest name in a code, in bytes.
const MAX_NAME: usize = 128;

/// What a code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Login,
    Phone,
}

#[derive(Clone, Debug)]
struct Issued {
    kind: Kind,
    subject: String,
    until: UnixMillis,
}

#[derive(Debug)]
pub(super) struct Codes {
    issued: Cache<String, Issued>,
    spent: Cache<String, ()>,
}

impl Default for Codes {
    fn default() -> Self {
        Self { issued: Cache::new(MAX_CODES), spent: Cache::new(MAX_CODES) }
    }
}

impl Codes {
    /// A new code for an openid or a phone number.
    pub(super) fn issue(&self, kind: Kind, subject: &str, now: UnixMillis, rng: &Rng) -> String {
        let code = format!("0{}", rng.token::<23>());
        let issued =
            Issued { kind, subject: subject.to_owned(), until: now.plus_seconds(LIFETIME) };
        self.issued.insert(code.clone(), issued);
        code
    }

    /// The openid `code` logs in as, or the `errcode`.
    pub(super) fn log_in(&self, code: &str, now: UnixMillis) -> Result<String, i64> {
        if code.is_empty() {
            return Err(41008);
        }
        if let Some(issued) = self.issued.get(code) {
            return self.redeem(code, &issued, Kind::Login, now, 40163);
        }
        match code.split_once('-') {
            Some(("dev", name)) if is_name(name) => Ok(name.to_owned()),
            Some(("once", rest)) => {
                let (_, name) = rest.split_once('-').ok_or(40029)?;
                if !is_name(name) {
                    return Err(40029);
                }
                self.spend(code, 40163)?;
                Ok(name.to_owned())
            }
            Some(("busy", _)) => Err(-1),
            Some(("limited", _)) => Err(45011),
            Some(("blocked", _)) => Err(40226),
            _ => Err(40029),
        }
    }

    /// The phone number behind `code`, or the `errcode`.
    pub(super) fn phone(&self, code: &str, now: UnixMillis) -> Result<String, i64> {
        if let Some(issued) = self.issued.get(code) {
            return self.redeem(code, &issued, Kind::Phone, now, 40029);
        }
        match code.strip_prefix("phone-") {
            Some(number) if is_number(number) => Ok(number.to_owned()),
            _ => Err(40029),
        }
    }

    fn redeem(
        &self,
        code: &str,
        issued: &Issued,
        kind: Kind,
        now: UnixMillis,
        spent: i64,
    ) -> Result<String, i64> {
        if issued.kind != kind || now >= issued.until {
            return Err(40029);
        }
        self.spend(code, spent)?;
        Ok(issued.subject.clone())
    }

    /// Of several calls with one code, exactly one gets `Ok`.
    fn spend(&self, code: &str, otherwise: i64) -> Result<(), i64> {
        let entry = self.spent.entry_by_ref(code).or_insert(());
        if entry.is_fresh() { Ok(()) } else { Err(otherwise) }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.contains(char::is_control)
}

fn is_number(number: &str) -> bool {
    (5..=15).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
}
