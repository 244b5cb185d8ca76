//! Stable access tokens: two modes, overlap in the last five minutes, limits.

use crate::base::rng::Rng;
use crate::base::time::UnixMillis;

/// Life of a token in seconds.
const LIFETIME: i64 = 7200;
/// In normal mode nobody gets a token with less than this left; the old one lives on so long.
const OVERLAP: i64 = 300;
/// Forced refreshes closer than this, in seconds, change nothing.
const FORCE_INTERVAL: i64 = 30;
const FORCED_A_DAY: u32 = 20;
const CALLS_A_MINUTE: u32 = 10_000;

/// The tokens of one app.
#[derive(Default)]
pub(super) struct Tokens {
    current: Option<Token>,
    previous: Option<Token>,
    last_forced: Option<UnixMillis>,
    /// Calendar day in seconds since 1970, and forced refreshes in it.
    forced: (i64, u32),
    /// Minute since 1970, and calls in it.
    calls: (i64, u32),
}

struct Token {
    text: String,
    until: UnixMillis,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(***)")
    }
}

impl Tokens {
    /// A token and the seconds it has left, or the `errcode`.
    pub(super) fn get(
        &mut self,
        forced: bool,
        now: UnixMillis,
        rng: &Rng,
    ) -> Result<(String, i64), i64> {
        count(&mut self.calls, now.seconds() / 60, CALLS_A_MINUTE).ok_or(45011)?;
        if forced && self.may_force(now)? {
            self.revoke();
            self.last_forced = Some(now);
        }
        let fresh = |token: &Token| now.plus_seconds(OVERLAP) < token.until;
        if !self.current.as_ref().is_some_and(fresh) {
            self.previous = self.current.take().map(|old| {
                let until = old.until.min(now.plus_seconds(OVERLAP));
                Token { until, ..old }
            });
            let until = now.plus_seconds(LIFETIME);
            self.current = Some(Token { text: rng.token::<114>(), until });
        }
        let current = self.current.as_ref().ok_or(-1)?;
        Ok((current.text.clone(), current.until.seconds() - now.seconds()))
    }

    /// Accepts a living token, or gives the `errcode`.
    pub(super) fn check(&self, token: &str, now: UnixMillis) -> Result<(), i64> {
        if token.is_empty() {
            return Err(41001);
        }
        let known = [&self.current, &self.previous].into_iter().flatten();
        match known.into_iter().find(|candidate| candidate.text == token) {
            Some(found) if now < found.until => Ok(()),
            Some(_) => Err(42001),
            None => Err(40001),
        }
    }

    /// Kills all tokens.
    pub(super) fn revoke(&mut self) {
        self.current = None;
        self.previous = None;
    }

    fn may_force(&mut self, now: UnixMillis) -> Result<bool, i64> {
        if self.last_forced.is_some_and(|last| now < last.plus_seconds(FORCE_INTERVAL)) {
            return Ok(false);
        }
        count(&mut self.forced, now.seconds() / 86_400, FORCED_A_DAY).ok_or(45009)?;
        Ok(true)
    }
}

/// Counts one more in `window`; `None` beyond `limit`.
fn count(counter: &mut (i64, u32), window: i64, limit: u32) -> Option<()> {
    if counter.0 != window {
        *counter = (window, 0);
    }
    counter.1 += 1;
    (counter.1 <= limit).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixMillis = UnixMillis(1_769_688_000_000);

    #[test]
    fn normal_mode_repeats_the_token_and_overlaps_the_next() {
        let (mut tokens, rng) = (Tokens::default(), Rng::seeded(1));
        let (first, left) = tokens.get(false, START, &rng).unwrap();
        assert_eq!(left, 7200);
        assert_eq!(tokens.get(false, START.plus_seconds(6000), &rng), Ok((first.clone(), 1200)));

        let late = START.plus_seconds(7000);
        let (second, left) = tokens.get(false, late, &rng).unwrap();
        assert_ne!(first, second);
        assert_eq!(left, 7200);
        assert_eq!(tokens.check(&first, late), Ok(()));
        assert_eq!(tokens.check(&second, late), Ok(()));
        assert_eq!(tokens.check(&first, START.plus_seconds(7200)), Err(42001));
    }

    #[test]
    fn force_kills_the_old_token_at_most_every_30_seconds_and_20_times_a_day() {
        let (mut tokens, rng) = (Tokens::default(), Rng::seeded(1));
        let (first, _) = tokens.get(false, START, &rng).unwrap();
        let (second, _) = tokens.get(true, START, &rng).unwrap();
        assert_eq!(tokens.check(&first, START), Err(40001));
        let (same, _) = tokens.get(true, START.plus_seconds(29), &rng).unwrap();
        assert_eq!(second, same);
        for n in 1..20 {
            assert!(tokens.get(true, START.plus_seconds(30 * n), &rng).is_ok());
        }
        assert_eq!(tokens.get(true, START.plus_seconds(600), &rng), Err(45009));
    }

    #[test]
    fn a_minute_has_10_000_calls() {
        let (mut tokens, rng) = (Tokens::default(), Rng::seeded(1));
        for _ in 0..10_000 {
            tokens.get(false, START, &rng).unwrap();
        }
        assert_eq!(tokens.get(false, START, &rng), Err(45011));
        assert!(tokens.get(false, START.plus_seconds(60), &rng).is_ok());
    }
}
