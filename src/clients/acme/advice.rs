//! What went wrong with the authority, in its own words and with what to do about it.

use std::time::Duration;

use instant_acme::{Error, Problem};

use super::ChallengeKind;
use crate::base::error_chain::error_chain;
use crate::clients::http::CallError;

/// The names of ACME's errors begin with this.
const NAMESPACE: &str = "urn:ietf:params:acme:error:";

/// Why there is no certificate: one line.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct AcmeError {
    what: String,
    /// The authority wants to be left alone for so long.
    pub retry_after: Option<Duration>,
    /// Nothing came from the authority: asking again soon costs nobody anything.
    pub is_unreachable: bool,
    /// The authority does not know the account, which must be made anew.
    pub is_account_unknown: bool,
}

impl AcmeError {
    /// Something that no authority said.
    pub fn ours(what: String) -> Self {
        Self { what, retry_after: None, is_unreachable: false, is_account_unknown: false }
    }

    pub(super) fn of(err: Error, retry_after: Option<Duration>) -> Self {
        let is_unreachable = matches!(
            &err,
            Error::Other(cause) if matches!(
                cause.downcast_ref(),
                Some(CallError::Connect(_) | CallError::Timeout(_) | CallError::Overloaded)
            )
        );
        let (what, is_account_unknown) = match &err {
            Error::Api(problem) => {
                let is_unknown = name(problem) == "accountDoesNotExist";
                (told(problem, advice(name(problem), None)), is_unknown)
            }
            _ if is_unreachable => {
                let chain = error_chain(&err);
                let advice = "may this machine reach it (firewall, DNS), and is ACME_DIRECTORY \
                              right?";
                (format!("the authority cannot be reached: {chain}; {advice}"), false)
            }
            Error::Timeout(_) => {
                ("the authority did not finish in two minutes; it is asked again".to_owned(), false)
            }
            _ => (format!("the authority's answer cannot be used: {}", error_chain(&err)), false),
        };
        Self { what, retry_after, is_unreachable, is_account_unknown }
    }

    /// The check of a domain failed.
    pub(super) fn of_check((domain, problem): (String, Problem), kind: ChallengeKind) -> Self {
        let told = told(&problem, advice(name(&problem), Some(kind)));
        Self::ours(format!("{domain}: {told}"))
    }
}

impl From<Error> for AcmeError {
    fn from(err: Error) -> Self {
        Self::of(err, None)
    }
}

fn name(problem: &Problem) -> &str {
    let name = problem.r#type.as_deref().unwrap_or_default();
    name.strip_prefix(NAMESPACE).unwrap_or(name)
}

fn told(problem: &Problem, advice: &str) -> String {
    let mut said = problem.detail.clone().unwrap_or_else(|| "no reason given".to_owned());
    for part in &problem.subproblems {
        said.push_str("; ");
        said.push_str(&part.to_string());
    }
    // One line, whatever came.
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("the authority says \"{said}\" ({}); {advice}", name(problem))
}

/// What to do, by the error's name (RFC 8555, 6.7) and the way of the check.
fn advice(name: &str, kind: Option<ChallengeKind>) -> &'static str {
    match (name, kind) {
        ("dns", _) => {
            "does the domain's A (or AAAA) record lead to this server? New records take a while"
        }
        ("connection", Some(ChallengeKind::Http01)) => {
            "is port 80 open from outside (security group, firewall), and does HTTP_LISTEN listen \
             on it? A domain in mainland China needs its ICP filing"
        }
        ("connection", _) => {
            "is port 443 open from outside (security group, firewall), and does LISTEN listen on \
             it? A domain in mainland China needs its ICP filing"
        }
        ("unauthorized" | "incorrectResponse", Some(ChallengeKind::Http01)) => {
            "something else answers on port 80 of this domain: another server, a CDN, or an AAAA \
             record that leads elsewhere"
        }
        ("unauthorized" | "incorrectResponse" | "tls", _) => {
            "something else answers on port 443 of this domain: another server, a CDN, or an AAAA \
             record that leads elsewhere. Behind a proxy that ends TLS use http-01"
        }
        ("caa", _) => "the domain's CAA record must name this authority",
        ("rateLimited", _) => {
            "wait; while trying things out set ACME_DIRECTORY to the authority's staging directory"
        }
        ("rejectedIdentifier", _) => "this authority gives no certificate for that name",
        ("userActionRequired", _) => "the authority's terms have changed: read and accept them",
        ("externalAccountRequired", _) => {
            "this authority wants an account made by hand, which is not supported: use another"
        }
        ("invalidContact" | "unsupportedContact", _) => "correct ACME_EMAIL, or leave it empty",
        ("accountDoesNotExist", _) => "the account is made anew at the next try",
        _ => "it is tried again later",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(name: &str, detail: &str) -> Problem {
        serde_json::from_value(serde_json::json!({
            "type": format!("{NAMESPACE}{name}"), "detail": detail,
        }))
        .unwrap()
    }

    #[test]
    fn the_authority_is_quoted_and_the_operator_told_what_to_do() {
        let http = Some(ChallengeKind::Http01);
        let refused = |kind: ChallengeKind| {
            let problem = problem("connection", "Connection\n refused");
            AcmeError::of_check(("a.example.com".to_owned(), problem), kind).to_string()
        };
        let said = refused(ChallengeKind::Http01);
        let quoted =
            "a.example.com: the authority says \"Connection refused\" (connection); is port 80";
        assert!(said.starts_with(quoted), "{said}");
        assert!(refused(ChallengeKind::TlsAlpn01).contains("is port 443"));
        for name in ["dns", "caa", "rateLimited", "unauthorized", "externalAccountRequired"] {
            assert_ne!(advice(name, http), advice("other", http), "{name}");
        }
    }

    #[test]
    fn what_matters_for_the_next_try_is_kept() {
        let wait = Some(Duration::from_secs(3600));
        let limited = AcmeError::of(Error::Api(problem("rateLimited", "too many")), wait);
        assert_eq!(limited.retry_after, wait);
        assert!(!limited.is_unreachable && !limited.is_account_unknown);
        let unknown = AcmeError::of(Error::Api(problem("accountDoesNotExist", "gone")), None);
        assert!(unknown.is_account_unknown);
        let away = AcmeError::of(Error::Other(Box::new(CallError::Overloaded)), None);
        assert!(away.is_unreachable && away.to_string().contains("cannot be reached"));
    }
}
