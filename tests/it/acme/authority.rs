//! A strict ACME authority (RFC 8555), over https with a certificate of its own authority.
//!
//! It believes nothing: every request is a JWS whose signature, nonce (good for once), URL and content
//! type are checked; a domain is checked by connecting to where it leads; a request for a certificate
//! must be signed and name exactly the order's domains.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use dream_bff::base::clock::Clock;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::checks;
use crate::support::{Authority, until};

/// The authority, running.
pub(super) struct AcmeSim {
    pub(super) directory: String,
    pub(super) authority: Authority,
    pub(super) state: Mutex<State>,
    base: String,
    clock: Clock,
}

#[derive(Default)]
pub(super) struct State {
    /// Where all domains lead, for each way of checking.
    pub(super) http_at: Option<SocketAddr>,
    pub(super) tls_at: Option<SocketAddr>,
    /// How a number of new orders is answered: problem, status, `Retry-After`.
    pub(super) refusals: Vec<(&'static str, u16, Option<u32>)>,
    /// The name that certificates are for, instead of those ordered.
    pub(super) wrong_name: Option<String>,
    /// How often the authority was asked to make an account, and an order.
    pub(super) new_accounts: usize,
    pub(super) new_orders: usize,
    /// Ways that were asked to be looked at.
    pub(super) looked: Vec<&'static str>,
    /// The client's mistakes. There must be none.
    pub(super) complaints: Vec<String>,
    nonces: HashSet<String>,
    /// Refuses this many good nonces, as authorities do after a restart.
    pub(super) stale_nonces: usize,
    counter: usize,
    /// By the account's address: x and y of its key.
    accounts: HashMap<String, Value>,
    orders: HashMap<usize, OrderState>,
}

#[derive(Clone)]
struct OrderState {
    domains: Vec<String>,
    /// One for each domain: token, status, what failed.
    checks: Vec<Check>,
    certificate: Option<String>,
}

#[derive(Clone)]
struct Check {
    token: String,
    status: &'static str,
    problem: Option<Value>,
}

type Reply = (u16, Value, Vec<(&'static str, String)>);

fn problem(status: u16, name: &str, detail: &str) -> Reply {
    let body = json!({ "type": format!("urn:ietf:params:acme:error:{name}"), "detail": detail });
    (status, body, Vec::new())
}

impl AcmeSim {
    pub(super) async fn start(clock: Clock) -> Arc<Self> {
        let authority = Authority::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://{}", listener.local_addr().unwrap());
        let (chain, key) = authority.pair("127.0.0.1", (2020, 2099));
        let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let sim = Arc::new(Self {
            directory: format!("{base}/directory"),
            authority,
            state: Mutex::default(),
            base,
            clock,
        });
        tokio::spawn(Arc::clone(&sim).accept(listener, TlsAcceptor::from(Arc::new(config))));
        sim
    }

    /// Forgets all accounts.
    pub(super) fn forget_accounts(&self) {
        self.state.lock().accounts.clear();
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, acceptor: TlsAcceptor) {
        while let Ok((socket, _)) = listener.accept().await {
            let (sim, acceptor) = (Arc::clone(&self), acceptor.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(socket).await else { return };
                let service = service_fn(|request: Request<Incoming>| {
                    let sim = Arc::clone(&sim);
                    async move { Ok::<_, Infallible>(sim.answer(request).await) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let is_jose = request
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind == "application/jose+json");
        let method = request.method().as_str().to_owned();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let (status, json, headers) = match (method.as_str(), path.as_str()) {
            ("GET", "/directory") => (200, self.directory(), Vec::new()),
            ("HEAD" | "GET", "/new-nonce") => (200, Value::Null, Vec::new()),
            ("POST", _) if !is_jose => {
                self.complain("a POST that is no application/jose+json");
                problem(415, "malformed", "wrong content type")
            }
            ("POST", path) => match self.verified(path, &body) {
                Ok((account, payload)) => self.act(path, &account, &payload).await,
                Err(reply) => reply,
            },
            _ => problem(405, "malformed", "no such thing"),
        };
        let mut response = Response::builder().status(status).header("replay-nonce", self.nonce());
        for (name, value) in headers {
            response = response.header(name, value);
        }
        let (kind, text) = match &json {
            Value::String(pem) => ("application/pem-certificate-chain", pem.clone()),
            Value::Null => ("text/plain", String::new()),
            json if status >= 400 => ("application/problem+json", json.to_string()),
            json => ("application/json", json.to_string()),
        };
        response.header("content-type", kind).body(Full::new(Bytes::from(text))).unwrap()
    }

    fn directory(&self) -> Value {
        let at = |path: &str| format!("{}/{path}", self.base);
        json!({
            "newNonce": at("new-nonce"), "newAccount": at("new-account"),
            "newOrder": at("new-order"), "revokeCert": at("revoke"), "keyChange": at("key-change"),
            "meta": { "termsOfService": "https://authority.test/terms" },
        })
    }

    fn complain(&self, what: &str) {
        self.state.lock().complaints.push(what.to_owned());
    }

    fn nonce(&self) -> String {
        let mut state = self.state.lock();
        state.counter += 1;
        let nonce = format!("nonce-{}", state.counter);
        state.nonces.insert(nonce.clone());
        nonce
    }

    /// The account (or the key of a new one) and the payload of a request whose every part is right.
    fn verified(&self, path: &str, body: &[u8]) -> Result<(Value, Value), Reply> {
        let wrong = |what: &str| {
            self.complain(what);
            problem(400, "malformed", what)
        };
        let jws: Value = serde_json::from_slice(body).map_err(|_| wrong("no JSON"))?;
        let part = |name: &str| jws[name].as_str().unwrap_or_default().to_owned();
        let (protected, payload) = (part("protected"), part("payload"));
        let decode = |text: &str| B64.decode(text).map_err(|_| wrong("no base64url"));
        let header: Value =
            serde_json::from_slice(&decode(&protected)?).map_err(|_| wrong("no JSON header"))?;
        if header["alg"] != "ES256" {
            return Err(wrong("the algorithm is not ES256"));
        }
        if header["url"] != format!("{}{path}", self.base) {
            return Err(wrong("the signed URL is not that of the request"));
        }
        let is_new = path == "/new-account";
        let jwk = match (header["jwk"].is_object(), header["kid"].as_str(), is_new) {
            (true, None, true) => header["jwk"].clone(),
            (false, Some(kid), false) => match self.state.lock().accounts.get(kid) {
                Some(jwk) => jwk.clone(),
                None => return Err(problem(400, "accountDoesNotExist", "no such account")),
            },
            _ => return Err(wrong("jwk is for new accounts, kid for all else")),
        };
        let mut point = vec![4];
        for axis in ["x", "y"] {
            point.extend(decode(jwk[axis].as_str().unwrap_or_default())?);
        }
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        let signed = format!("{protected}.{payload}");
        key.verify(signed.as_bytes(), &decode(&part("signature"))?)
            .map_err(|_| wrong("the signature is wrong"))?;
        let mut state = self.state.lock();
        if !state.nonces.remove(header["nonce"].as_str().unwrap_or_default()) {
            state.complaints.push("a nonce that was not given, or was used before".to_owned());
            return Err(problem(400, "badNonce", "unknown nonce"));
        }
        if state.stale_nonces > 0 {
            state.stale_nonces -= 1;
            return Err(problem(400, "badNonce", "the nonce has become stale"));
        }
        drop(state);
        let payload = decode(&payload)?;
        let payload = match payload.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&payload).map_err(|_| wrong("no JSON payload"))?,
        };
        Ok((jwk, payload))
    }

    async fn act(&self, path: &str, jwk: &Value, payload: &Value) -> Reply {
        let mut parts = path.trim_start_matches('/').split('/');
        let kind = parts.next().unwrap_or_default();
        let mut number = || parts.next().and_then(|text| text.parse::<usize>().ok());
        let (id, index) = (number(), number());
        match (kind, id, index) {
            ("new-account", ..) => self.new_account(jwk, payload),
            ("new-order", ..) => self.new_order(payload),
            ("order", Some(id), _) if payload.is_null() => self.order(id, 200),
            ("authz", Some(id), Some(index)) if payload.is_null() => self.authz(id, index),
            ("http-01" | "tls-alpn-01", Some(id), Some(index)) if payload.is_object() => {
                let kind = if kind == "http-01" { "http-01" } else { "tls-alpn-01" };
                self.look(kind, id, index, jwk).await
            }
            ("finalize", Some(id), _) => self.finalize(id, payload),
            ("cert", Some(id), _) if payload.is_null() => {
                match self.state.lock().orders.get(&id).and_then(|order| order.certificate.clone())
                {
                    Some(pem) => (200, Value::String(pem), Vec::new()),
                    None => problem(404, "malformed", "no certificate"),
                }
            }
            _ => {
                self.complain(&format!("nobody knows {path} with {payload}"));
                problem(404, "malformed", "no such thing")
            }
        }
    }

    fn new_account(&self, jwk: &Value, payload: &Value) -> Reply {
        if payload["termsOfServiceAgreed"] != true {
            return problem(403, "userActionRequired", "the terms must be agreed to");
        }
        let mut state = self.state.lock();
        state.new_accounts += 1;
        let kid = format!("{}/account/{}", self.base, state.new_accounts);
        state.accounts.insert(kid.clone(), jwk.clone());
        let body = json!({ "status": "valid", "contact": payload["contact"] });
        (201, body, vec![("location", kid)])
    }

    fn new_order(&self, payload: &Value) -> Reply {
        let mut state = self.state.lock();
        state.new_orders += 1;
        if let Some((name, status, wait)) = state.refusals.pop() {
            let (status, body, mut headers) = problem(status, name, "not now");
            headers.extend(wait.map(|seconds| ("retry-after", seconds.to_string())));
            return (status, body, headers);
        }
        let identifiers = payload["identifiers"].as_array().cloned().unwrap_or_default();
        let domains: Vec<String> = identifiers
            .iter()
            .map(|identifier| {
                assert_eq!(identifier["type"], "dns");
                identifier["value"].as_str().unwrap().to_owned()
            })
            .collect();
        state.counter += 1;
        let id = state.counter;
        let check = |index: usize| Check {
            token: format!("token-{id}-{index}"),
            status: "pending",
            problem: None,
        };
        let checks = (0..domains.len()).map(check).collect();
        state.orders.insert(id, OrderState { domains, checks, certificate: None });
        drop(state);
        self.order(id, 201)
    }

    fn order(&self, id: usize, status: u16) -> Reply {
        let state = self.state.lock();
        let Some(order) = state.orders.get(&id) else {
            return problem(404, "malformed", "no such order");
        };
        let all = |wanted: &str| order.checks.iter().all(|check| check.status == wanted);
        let is_invalid = order.checks.iter().any(|check| check.status == "invalid");
        let how = match order.certificate {
            Some(_) => "valid",
            None if is_invalid => "invalid",
            None if all("valid") => "ready",
            None => "pending",
        };
        let at = |path: String| format!("{}/{path}", self.base);
        let authorizations: Vec<_> =
            (0..order.domains.len()).map(|index| at(format!("authz/{id}/{index}"))).collect();
        let mut body = json!({
            "status": how, "authorizations": authorizations,
            "identifiers": order.domains.iter().map(|name| json!({ "type": "dns", "value": name }))
                .collect::<Vec<_>>(),
            "finalize": at(format!("finalize/{id}")),
        });
        if how == "valid" {
            body["certificate"] = json!(at(format!("cert/{id}")));
        }
        (status, body, vec![("location", at(format!("order/{id}")))])
    }

    fn authz(&self, id: usize, index: usize) -> Reply {
        let state = self.state.lock();
        let found = state.orders.get(&id).and_then(|order| {
            Some((order.domains.get(index)?.clone(), order.checks.get(index)?.clone()))
        });
        let Some((domain, check)) = found else {
            return problem(404, "malformed", "no such authorization");
        };
        let challenges: Vec<_> = ["http-01", "tls-alpn-01"]
            .map(|kind| {
                let url = format!("{}/{kind}/{id}/{index}", self.base);
                json!({
                    "type": kind, "url": url, "token": check.token, "status": check.status,
                    "error": check.problem,
                })
            })
            .to_vec();
        let body = json!({
            "identifier": { "type": "dns", "value": domain },
            "status": check.status, "challenges": challenges,
        });
        (200, body, Vec::new())
    }

    /// Looks at once whether the domain leads to who holds the account.
    async fn look(&self, kind: &'static str, id: usize, index: usize, jwk: &Value) -> Reply {
        let leads = || {
            let state = self.state.lock();
            if kind == "http-01" { state.http_at } else { state.tls_at }
        };
        // Names of a server that is just starting lead somewhere in a moment.
        until("the domain leads somewhere", || leads().is_some()).await;
        let (domain, check, at) = {
            let mut state = self.state.lock();
            state.looked.push(kind);
            let at = if kind == "http-01" { state.http_at } else { state.tls_at };
            let order = &state.orders[&id];
            (order.domains[index].clone(), order.checks[index].clone(), at)
        };
        let (x, y) = (jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap());
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let thumbprint = B64.encode(digest(&SHA256, canonical.as_bytes()));
        let wanted = format!("{}.{thumbprint}", check.token);
        let seen = match kind {
            "http-01" => checks::http(at, &domain, &check.token, &wanted).await,
            _ => checks::tls_alpn(at, &domain, digest(&SHA256, wanted.as_bytes()).as_ref()).await,
        };
        let (status, error) = match seen {
            Ok(()) => ("valid", Value::Null),
            Err((name, detail)) => ("invalid", problem(400, name, &detail).1),
        };
        let mut state = self.state.lock();
        let check = &mut state.orders.get_mut(&id).unwrap().checks[index];
        check.status = status;
        check.problem = (!error.is_null()).then_some(error);
        // As real ones do, it says so only when it is asked about the order.
        let url = format!("{}/{kind}/{id}/{index}", self.base);
        let body =
            json!({ "type": kind, "url": url, "token": check.token, "status": "processing" });
        (200, body, Vec::new())
    }

    fn finalize(&self, id: usize, payload: &Value) -> Reply {
        let csr = B64.decode(payload["csr"].as_str().unwrap_or_default()).unwrap_or_default();
        let domains = self.state.lock().orders[&id].domains.clone();
        let key = match checks::requested(&csr, &domains) {
            Ok(key) => key,
            Err(what) => {
                self.complain(&what);
                return problem(400, "badCSR", &what);
            }
        };
        let names = match self.state.lock().wrong_name.clone() {
            Some(name) => vec![name],
            None => domains,
        };
        let pem = checks::certificate(&self.authority, key, names, self.clock.now());
        self.state.lock().orders.get_mut(&id).unwrap().certificate = Some(pem);
        self.order(id, 200)
    }
}
