//! Randomness as a value: the system's generator in production, a seeded one in tests.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// Where ids, nonces and tokens get their randomness. Cryptographically secure unless seeded.
#[derive(Clone, Default)]
pub struct Rng {
    seeded: Option<Arc<Mutex<StdRng>>>,
}

impl Rng {
    /// The thread's generator, seeded by the operating system.
    pub fn system() -> Self {
        Self::default()
    }

    /// A repeatable sequence, for tests and demo data only.
    pub fn seeded(seed: u64) -> Self {
        Self { seeded: Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))) }
    }

    /// `N` random bytes.
    #[expect(clippy::disallowed_methods, reason = "this is the generator the others are sent to")]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.seeded {
            Some(seeded) => seeded.lock().fill_bytes(&mut bytes),
            None => rand::rng().fill_bytes(&mut bytes),
        }
        bytes
    }

    /// A random number below `bound` (0 when `bound` is 0). The bias is below 2⁻³² for bounds below 2³².
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        u64::from_le_bytes(self.bytes::<8>()) % bound
    }

    /// `N` random bytes as URL-safe text without padding.
    pub fn token<const N: usize>(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<N>())
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.seeded.is_some() { "Rng(seeded)" } else { "Rng(system)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_the_system_does_not() {
        assert_eq!(Rng::seeded(7).token::<16>(), Rng::seeded(7).token::<16>());
        assert_ne!(Rng::system().token::<16>(), Rng::system().token::<16>());
    }
}
