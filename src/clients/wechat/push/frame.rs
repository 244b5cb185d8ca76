//! The encryption of message push: AES-256-CBC, padded to 32 bytes, around a frame of 16 random bytes,
//! the length, the message and the app id.

use aws_lc_rs::cipher::{
    AES_256, AES_CBC_IV_LEN, DecryptingKey, DecryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Padding goes to multiples of this, twice the cipher's block: WeChat's own rule.
const PADDED_TO: usize = 32;

/// Random bytes at the beginning, and the length behind them.
const RANDOM: usize = 16;
const LENGTH: usize = 4;

/// What was inside.
pub(super) struct Frame {
    pub(super) message: String,
    pub(super) appid: String,
}

/// Opens `sealed`, base64. `None` when any part of it is not as it must be.
pub(super) fn open(key: &[u8; 32], sealed: &str) -> Option<Frame> {
    let mut bytes = STANDARD.decode(sealed).ok()?;
    if bytes.is_empty() || bytes.len() % PADDED_TO != 0 {
        return None;
    }
    // The IV is the beginning of the key.
    let iv: [u8; AES_CBC_IV_LEN] = *key.first_chunk()?;
    let cipher = DecryptingKey::cbc(UnboundCipherKey::new(&AES_256, key).ok()?).ok()?;
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    let plain: &[u8] = cipher.decrypt(&mut bytes, context).ok()?;
    parse(unpadded(plain)?)
}

/// `plain` without its padding of 1 to 32 bytes that each tell how many they are.
fn unpadded(plain: &[u8]) -> Option<&[u8]> {
    let count = usize::from(*plain.last()?);
    let start = plain.len().checked_sub(count)?;
    let (content, padding) = plain.split_at_checked(start)?;
    let is_padding =
        (1..=PADDED_TO).contains(&count) && padding.iter().all(|byte| usize::from(*byte) == count);
    is_padding.then_some(content)
}

fn parse(frame: &[u8]) -> Option<Frame> {
    let rest = frame.get(RANDOM..)?;
    let (length, rest) = rest.split_first_chunk::<LENGTH>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (message, appid) = rest.split_at_checked(length)?;
    Some(Frame {
        message: String::from_utf8(message.to_vec()).ok()?,
        appid: String::from_utf8(appid.to_vec()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_one_to_thirty_two_equal_bytes() {
        for count in 1..=32u8 {
            let mut plain = b"content".to_vec();
            plain.extend(std::iter::repeat_n(count, usize::from(count)));
            assert_eq!(unpadded(&plain).unwrap(), b"content", "{count}");
            // One byte that is not the count.
            if count > 1 {
                let at = plain.len() - 2;
                plain[at] ^= 1;
                assert_eq!(unpadded(&plain), None, "{count}");
            }
        }
        assert_eq!(unpadded(&[0; 32]), None);
        assert_eq!(unpadded(&[33; 64]), None);
        assert_eq!(unpadded(&[5; 4]), None);
        assert_eq!(unpadded(b""), None);
    }

    #[test]
    fn a_length_beyond_the_frame_is_refused() {
        let mut frame = vec![0; 16];
        frame.extend(5u32.to_be_bytes());
        frame.extend(b"helloappid");
        let good = parse(&frame).unwrap();
        assert_eq!((good.message.as_str(), good.appid.as_str()), ("hello", "appid"));
        for length in [11, u32::MAX] {
            frame[16..20].copy_from_slice(&length.to_be_bytes());
            assert!(parse(&frame).is_none(), "{length}");
        }
        assert!(parse(&frame[..19]).is_none());
    }
}
