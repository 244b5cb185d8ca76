//! The access token: HS256 and nothing else, every claim required.

use jsonwebtoken::{Algorithm, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use super::model::{ACCESS_LIFE_S, AuthError, CurrentUser, SessionId};
use crate::app::keys::Keys;
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;

const KIND: &str = "access";

/// The claims. `sub` and `userId` say the same, as text for the standard and as a number for the
/// mini-program.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    sub: String,
    user_id: i64,
    r#type: String,
    jti: String,
    /// Seconds.
    iat: i64,
    /// Seconds.
    exp: i64,
    ver: i64,
    sid: String,
}

/// What goes into a token.
pub(super) struct Grant<'a> {
    pub(super) user_id: UserId,
    pub(super) session_id: &'a SessionId,
    pub(super) token_id: String,
    pub(super) version: i64,
}

/// Signs an access token. Returns it with its end.
pub(super) fn sign(
    keys: &Keys,
    grant: Grant<'_>,
    now: UnixMillis,
) -> Result<(String, UnixMillis), AuthError> {
    let claims = Claims {
        sub: grant.user_id.to_string(),
        user_id: grant.user_id.0,
        r#type: KIND.to_owned(),
        jti: grant.token_id,
        iat: now.seconds(),
        exp: now.seconds() + ACCESS_LIFE_S,
        ver: grant.version,
        sid: grant.session_id.0.clone(),
    };
    let token = encode(&Header::new(Algorithm::HS256), &claims, keys.signing())
        .map_err(AuthError::Signing)?;
    Ok((token, UnixMillis(claims.exp.saturating_mul(1000))))
}

/// Checks signature and claims, then time; whether it was revoked is another question. Any of the current and the previous key will do.
pub(super) fn verify(keys: &Keys, token: &str, now: UnixMillis) -> Result<CurrentUser, AuthError> {
    let mut rules = Validation::new(Algorithm::HS256);
    // Time is judged below, by the clock that tests can move and after everything else.
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let claims = keys
        .verifying()
        .iter()
        .find_map(|key| decode::<Claims>(token, key, &rules).ok())
        .ok_or(AuthError::Invalid)?
        .claims;
    let is_whole =
        claims.r#type == KIND && claims.sub == claims.user_id.to_string() && !claims.jti.is_empty();
    if !is_whole || claims.sid.is_empty() {
        return Err(AuthError::Invalid);
    }
    if claims.exp <= now.seconds() {
        return Err(AuthError::Expired);
    }
    Ok(CurrentUser {
        user_id: UserId(claims.user_id),
        session_id: SessionId(claims.sid),
        token_id: claims.jti,
        expires_at: UnixMillis(claims.exp.saturating_mul(1000)),
        version: claims.ver,
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::EncodingKey;
    use serde_json::{Value, json};

    use super::*;
    use crate::base::secret::Secret;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn keys(current: &str, previous: Option<&str>) -> Keys {
        let secret = |text: &str| Secret::new(text.to_owned());
        Keys::new(&secret(current), previous.map(secret).as_ref()).unwrap()
    }

    fn good() -> String {
        let session = SessionId("session".to_owned());
        let grant = Grant {
            user_id: UserId(7),
            session_id: &session,
            token_id: "jti".to_owned(),
            version: 3,
        };
        sign(&keys(SECRET, None), grant, NOW).unwrap().0
    }

    fn claims() -> Value {
        let part = good().split('.').nth(1).unwrap().to_owned();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    fn signed(claims: &Value, algorithm: Algorithm) -> String {
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(SECRET.as_bytes()))
            .unwrap()
    }

    #[test]
    fn what_is_signed_is_read_back() {
        let verified = verify(&keys(SECRET, None), &good(), NOW).unwrap();
        assert_eq!((verified.user_id, verified.version), (UserId(7), 3));
        assert_eq!(verified.expires_at, NOW.plus_seconds(ACCESS_LIFE_S));
        assert_eq!(
            claims(),
            json!({"sub": "7", "userId": 7, "type": "access", "jti": "jti", "ver": 3, "sid": "session",
                   "iat": 1_800_000_000, "exp": 1_800_604_800})
        );
    }

    #[test]
    fn it_ends_to_the_second() {
        let end = NOW.plus_seconds(ACCESS_LIFE_S);
        assert!(verify(&keys(SECRET, None), &good(), end.plus_millis(-1)).is_ok());
        assert!(matches!(verify(&keys(SECRET, None), &good(), end), Err(AuthError::Expired)));
    }

    #[test]
    fn a_rotated_secret_still_verifies_and_a_strange_one_does_not() {
        let other = "ffffffffffffffffffffffffffffffff";
        assert!(verify(&keys(other, Some(SECRET)), &good(), NOW).is_ok());
        assert!(matches!(verify(&keys(other, None), &good(), NOW), Err(AuthError::Invalid)));
    }

    #[test]
    fn other_algorithms_are_refused_even_with_our_key() {
        let keys = keys(SECRET, None);
        for algorithm in [Algorithm::HS384, Algorithm::HS512] {
            assert!(matches!(
                verify(&keys, &signed(&claims(), algorithm), NOW),
                Err(AuthError::Invalid)
            ));
        }
        let body = good().split('.').nth(1).unwrap().to_owned();
        for header in [
            r#"{"alg":"none","typ":"JWT"}"#,
            r#"{"alg":"NONE"}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"RS256"}"#,
        ] {
            let header = URL_SAFE_NO_PAD.encode(header);
            let signature = good().split('.').nth(2).unwrap().to_owned();
            for forged in [
                format!("{header}.{body}."),
                format!("{header}.{body}.{signature}"),
                format!("{header}.{body}"),
            ] {
                assert!(matches!(verify(&keys, &forged, NOW), Err(AuthError::Invalid)), "{forged}");
            }
        }
    }

    #[test]
    fn every_claim_is_required_and_checked() {
        let keys = keys(SECRET, None);
        assert!(verify(&keys, &signed(&claims(), Algorithm::HS256), NOW).is_ok());
        for name in ["sub", "userId", "type", "jti", "iat", "exp", "ver", "sid"] {
            let mut less = claims();
            less.as_object_mut().unwrap().remove(name);
            assert!(
                matches!(
                    verify(&keys, &signed(&less, Algorithm::HS256), NOW),
                    Err(AuthError::Invalid)
                ),
                "{name}"
            );
        }
        for (name, value) in [
            ("sub", json!("8")),
            ("sub", json!(7)),
            ("userId", json!("7")),
            ("type", json!("refresh")),
            ("jti", json!("")),
            ("sid", json!("")),
            ("exp", json!("soon")),
            ("ver", json!(null)),
        ] {
            let mut other = claims();
            other[name] = value.clone();
            let verified = verify(&keys, &signed(&other, Algorithm::HS256), NOW);
            assert!(matches!(verified, Err(AuthError::Invalid)), "{name} {value}");
        }
    }
}
