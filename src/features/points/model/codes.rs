//! Codes that people read, type and dictate: invitations and vouchers.
//!
//! The alphabet is Crockford's base 32: no letter looks like a digit or like another letter, and what
//! people write instead (O for 0, I and L for 1) is understood.

use crate::base::rng::Rng;

/// Crockford's base 32.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The longest text worth looking at.
const TEXT_MAX: usize = 64;

/// 40 bits: unique by the database, and secret from nobody.
pub(in crate::features::points) fn draw_invite_code(rng: &Rng) -> String {
    letters(&rng.bytes::<8>())
}

/// 80 bits: cannot be guessed at any rate of trying.
pub(in crate::features::points) fn draw_redeem_code(rng: &Rng) -> String {
    letters(&rng.bytes::<16>())
}

/// A code as it is stored, from what somebody typed: without spaces and hyphens, in capitals. `None`
/// when it cannot be one of ours.
pub(in crate::features::points) fn normal_code(typed: &str) -> Option<String> {
    if typed.len() > TEXT_MAX {
        return None;
    }
    let code: Option<String> = typed
        .chars()
        .filter(|letter| !letter.is_whitespace() && *letter != '-')
        .map(|letter| match letter.to_ascii_uppercase() {
            'O' => Some('0'),
            'I' | 'L' => Some('1'),
            letter if letter.is_ascii() && ALPHABET.contains(&(letter as u8)) => Some(letter),
            _ => None,
        })
        .collect();
    code.filter(|code| !code.is_empty())
}

fn letters(random: &[u8]) -> String {
    random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_survives_being_typed() {
        for code in [draw_invite_code(&Rng::seeded(1)), draw_redeem_code(&Rng::seeded(2))] {
            assert_eq!(normal_code(&code).as_ref(), Some(&code));
            let typed = format!(" {}-{} ", &code[..4].to_lowercase(), &code[4..]);
            assert_eq!(normal_code(&typed), Some(code));
        }
        assert_eq!(normal_code("oil0-abcz").unwrap(), "0110ABCZ");
    }

    #[test]
    fn what_cannot_be_a_code_is_not_looked_up() {
        for typed in ["", " - ", "梦想", "ABC!", "u", &"A".repeat(65)] {
            assert_eq!(normal_code(typed), None, "{typed}");
        }
    }
}
