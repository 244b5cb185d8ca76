//! Certificates from an ACME authority (RFC 8555), ordered and renewed by the server itself.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::parse::ConfigError;
use super::values::BaseUrl;

/// Certificates from an ACME authority.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS certificates from an ACME authority")]
pub struct AcmeConfig {
    /// Domains to order one certificate for, comma-separated; turns TLS on.
    #[arg(long, env = "ACME_DOMAINS", value_name = "api.example.com", value_delimiter = ',')]
    pub acme_domains: Vec<DomainName>,

    /// You agree to the terms of service of the authority (of Let's Encrypt: letsencrypt.org/repository).
    #[arg(long, env = "ACME_ACCEPT_TERMS", value_name = "true", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub acme_accept_terms: bool,

    /// Where the authority may write to about the account.
    #[arg(long, env = "ACME_EMAIL", value_name = "ops@example.com", value_parser = email)]
    pub acme_email: Option<String>,

    /// Directory of the authority. To try things out without spending the limits of the real one:
    /// acme-staging-v02.api.letsencrypt.org/directory
    #[arg(
        long,
        env = "ACME_DIRECTORY",
        default_value = "https://acme-v02.api.letsencrypt.org/directory"
    )]
    pub acme_directory: BaseUrl,

    /// How the authority checks the domains (default: HTTP-01 when HTTP_LISTEN is set, else TLS-ALPN-01,
    /// and the other one after a failure).
    #[arg(long, env = "ACME_CHALLENGE", value_name = "tls-alpn-01")]
    pub acme_challenge: Option<AcmeChallenge>,

    /// Root certificates in PEM that the authority's own https is checked against, instead of the usual
    /// ones: for an authority of one's own.
    #[arg(long, env = "ACME_CA_PATH", value_name = "/etc/dream-bff/acme-root.pem", value_parser = roots)]
    pub acme_ca_path: Option<AcmeRoots>,

    /// Longest time one call to the authority may take, in seconds (1–300).
    #[arg(long, env = "ACME_TIMEOUT", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub acme_timeout: u64,
}

impl AcmeConfig {
    /// Whether certificates are ordered at all.
    pub fn is_on(&self) -> bool {
        !self.acme_domains.is_empty()
    }

    /// What no single value can tell.
    ///
    /// # Errors
    /// When the terms are not accepted, or the challenge needs a listener that is not there.
    pub(super) fn check(&self, has_plain_listener: bool) -> Result<(), ConfigError> {
        if !self.is_on() {
            return Ok(());
        }
        if !self.acme_accept_terms {
            return Err(ConfigError::wrong(
                "ACME_ACCEPT_TERMS",
                "is not set, and an authority gives certificates only to those who agree to its \
                 terms of service",
                "ACME_ACCEPT_TERMS=true",
            ));
        }
        if self.acme_challenge == Some(AcmeChallenge::Http01) && !has_plain_listener {
            return Err(ConfigError::wrong(
                "ACME_CHALLENGE",
                "is http-01, for which the authority asks on port 80, and HTTP_LISTEN is not set",
                "HTTP_LISTEN=0.0.0.0:80",
            ));
        }
        Ok(())
    }
}

/// A way of showing that a domain leads here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AcmeChallenge {
    /// A file on port 80.
    #[value(name = "http-01")]
    Http01,
    /// A certificate on port 443.
    #[value(name = "tls-alpn-01")]
    TlsAlpn01,
}

/// A name that an authority can check: at least two labels of ASCII, no wildcard, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainName(String);

impl DomainName {
    /// In lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DomainName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim().trim_end_matches('.').to_ascii_lowercase();
        if name.starts_with("*.") {
            return Err("wildcards need a challenge by DNS, which is not supported; list the \
                        names one by one"
                .to_owned());
        }
        if !name.is_ascii() {
            return Err("must be written in ASCII (punycode, xn--…)".to_owned());
        }
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let labels: Vec<&str> = name.split('.').collect();
        let ends_in_letters =
            labels.last().is_some_and(|last| last.bytes().any(|byte| byte.is_ascii_alphabetic()));
        if name.len() > 253 || labels.len() < 2 || !labels.iter().all(|label| is_label(label)) {
            return Err(
                "is no domain name: neither scheme nor port nor path belongs here".to_owned()
            );
        }
        if !ends_in_letters {
            return Err("is an address; certificates are ordered for names".to_owned());
        }
        Ok(Self(name))
    }
}

/// Root certificates, as DER.
#[derive(Clone, Debug)]
pub struct AcmeRoots(Vec<Vec<u8>>);

impl AcmeRoots {
    /// Each as DER; at least one.
    pub fn ders(&self) -> &[Vec<u8>] {
        &self.0
    }
}

fn roots(path: &str) -> Result<AcmeRoots, String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    let bytes = std::fs::read(Path::new(path)).map_err(|err| format!("cannot be read: {err}"))?;
    let ders: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(&bytes)
        .map(|der| der.map(|der| der.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|err| format!("is no PEM: {err}"))?;
    if ders.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    Ok(AcmeRoots(ders))
}

fn email(text: &str) -> Result<String, String> {
    let is_address = text.split_once('@').is_some_and(|(who, host)| {
        !who.is_empty() && host.contains('.') && !text.contains([' ', ',', ':', '<'])
    });
    if is_address { Ok(text.to_owned()) } else { Err("is no mail address".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_name_that_an_authority_can_check() {
        for good in ["api.example.com", "API.Example.com.", "xn--fiq228c.xn--55qx5d.cn"] {
            let name: DomainName = good.parse().unwrap();
            assert_eq!(name.as_str(), good.trim_end_matches('.').to_lowercase());
        }
        for (bad, problem) in [
            ("*.example.com", "wildcards"),
            ("https://api.example.com", "no domain name"),
            ("api.example.com:443", "no domain name"),
            ("api.example.com/x", "no domain name"),
            ("localhost", "no domain name"),
            ("-a.example.com", "no domain name"),
            ("a..example.com", "no domain name"),
            ("", "no domain name"),
            ("203.0.113.9", "is an address"),
            ("中文.example.com", "punycode"),
        ] {
            let said = bad.parse::<DomainName>().unwrap_err();
            assert!(said.contains(problem), "{bad}: {said}");
        }
        assert!(format!("a.{}.example.com", "x".repeat(64)).parse::<DomainName>().is_err());
    }

    #[test]
    fn a_mail_address_looks_like_one() {
        assert!(email("ops@example.com").is_ok());
        for bad in ["ops", "@example.com", "ops@localhost", "mailto:ops@example.com", "a@b.c,d@e.f"]
        {
            assert!(email(bad).is_err(), "{bad}");
        }
    }
}
