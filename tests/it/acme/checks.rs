//! How the simulated authority looks: at domains, and at requests for certificates.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use dream_bff::base::time::UnixMillis;
use rcgen::{CertificateParams, DistinguishedName, PublicKeyData, SignatureAlgorithm};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer as _, X509Certificate, X509CertificationRequest};

use crate::support::{Authority, Wire};

/// The authority's word for what went wrong, and the details.
type Failed = (&'static str, String);

/// id-pe-acmeIdentifier (RFC 8737).
const ACME_IDENTIFIER: &str = "1.3.6.1.5.5.7.1.31";

async fn connect(at: Option<SocketAddr>) -> Result<TcpStream, Failed> {
    let at = at.ok_or(("dns", "NXDOMAIN looking up A".to_owned()))?;
    TcpStream::connect(at).await.map_err(|err| ("connection", err.to_string()))
}

pub(super) async fn http(
    at: Option<SocketAddr>,
    domain: &str,
    token: &str,
    wanted: &str,
) -> Result<(), Failed> {
    let mut wire = Wire::over(connect(at).await?);
    let path = format!("/.well-known/acme-challenge/{token}");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {domain}\r\n\r\n");
    let answer = wire.exchange(&request).await.ok_or(("connection", "cut".to_owned()))?;
    match answer.status == 200 && answer.text().trim_end() == wanted {
        true => Ok(()),
        false => Err(("unauthorized", format!("got {}", answer.status))),
    }
}

pub(super) async fn tls_alpn(
    at: Option<SocketAddr>,
    domain: &str,
    digest: &[u8],
) -> Result<(), Failed> {
    let socket = connect(at).await?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let name = ServerName::try_from(domain.to_owned()).unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await;
    let stream = stream.map_err(|err| ("tls", err.to_string()))?;
    let (_, tls) = stream.get_ref();
    if tls.alpn_protocol() != Some(b"acme-tls/1") {
        return Err(("unauthorized", "acme-tls/1 was not negotiated".to_owned()));
    }
    let shown = tls.peer_certificates().and_then(|chain| chain.first()).unwrap();
    let (_, certificate) = X509Certificate::from_der(shown).unwrap();
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    let is_named = names.value.general_names == [GeneralName::DNSName(domain)];
    let mark =
        certificate.extensions().iter().find(|ext| ext.oid.to_id_string() == ACME_IDENTIFIER);
    let is_marked =
        mark.is_some_and(|ext| ext.critical && ext.value == [&[4, 32], digest].concat());
    match is_named && is_marked {
        true => Ok(()),
        false => Err(("unauthorized", "another certificate".to_owned())),
    }
}

/// The key that `csr` asks to certify for exactly `domains`.
pub(super) fn requested(csr: &[u8], domains: &[String]) -> Result<Vec<u8>, String> {
    let (_, csr) = X509CertificationRequest::from_der(csr).map_err(|err| err.to_string())?;
    let info = &csr.certification_request_info;
    let key = info.subject_pki.subject_public_key.data.to_vec();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key)
        .verify(info.raw, &csr.signature_value.data)
        .map_err(|_| "the request is not signed by its key".to_owned())?;
    let mut names: Vec<String> = Vec::new();
    for extension in csr.requested_extensions().into_iter().flatten() {
        if let ParsedExtension::SubjectAlternativeName(san) = extension {
            names.extend(san.general_names.iter().filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            }));
        }
    }
    match names == domains {
        true => Ok(key),
        false => Err(format!("asked for {names:?}, ordered {domains:?}")),
    }
}

struct Requested(Vec<u8>);

impl PublicKeyData for Requested {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// A chain for `key`, good for ninety days.
pub(super) fn certificate(
    authority: &Authority,
    key: Vec<u8>,
    names: Vec<String>,
    now: UnixMillis,
) -> String {
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    let day = 86_400;
    let now = Duration::from_secs(u64::try_from(now.seconds()).unwrap());
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + now - Duration::from_secs(3600);
    params.not_after = params.not_before + Duration::from_secs(90 * day);
    let leaf = params.signed_by(&Requested(key), authority.issuer()).unwrap();
    format!("{}{}", leaf.pem(), authority.root_pem)
}

/// Looks at nothing: what matters is in the certificate.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
