//! Certificates from an ACME authority: ordered, served, renewed, and what happens when that fails. The
//! authority is a strict simulator; `tests/acme/pebble.sh` does the same against a real one.

mod authority;
mod checks;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dream_bff::app::tls::TlsStatus;
use dream_bff::base::clock::{Clock, Stopwatch};
use dream_bff::jobs;
use dream_bff::server::{self, Readyz, Tls, Transport};
use poem::EndpointExt as _;
use poem::endpoint::make;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::{Process, TestApp, address_that_refuses, request, until};
use authority::AcmeSim;

const NAME: &str = "api.example.com";
const OTHER: &str = "www.example.com";
const DAY: u64 = 86_400;

/// A server whose certificates the simulated authority gives.
struct Site {
    t: TestApp,
    sim: Arc<AcmeSim>,
    tls: Arc<Tls>,
    address: SocketAddr,
    _folder: TempDir,
    _stop: DropGuard,
}

fn settings<'a>(sim: &'a AcmeSim, roots: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("PUBLIC_URL", "https://api.example.com"),
        ("ACME_DOMAINS", "api.example.com,www.example.com"),
        ("ACME_ACCEPT_TERMS", "true"),
        ("ACME_EMAIL", "ops@example.com"),
        ("ACME_DIRECTORY", &sim.directory),
        ("ACME_CA_PATH", roots),
    ]
}

fn write_roots(folder: &Path, sim: &AcmeSim) -> String {
    let path = folder.join("roots.pem");
    std::fs::write(&path, &sim.authority.root_pem).unwrap();
    path.to_str().unwrap().to_owned()
}

impl Site {
    async fn start(changes: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        // The clock of a server under test is made with it; the authority goes by that one.
        let t = TestApp::start().await;
        let sim = AcmeSim::start(Clock::test(t.clock.clone())).await;
        let roots = write_roots(folder.path(), &sim);
        let mut all = settings(&sim, &roots);
        all.extend(changes);
        t.restart_with(&all);
        let tls = Tls::start(&t.app(), &t.config()).unwrap().unwrap();
        let stop = CancellationToken::new();
        let address = serve(&t, &tls, &sim, &stop).await;
        Self { t, sim, tls, address, _folder: folder, _stop: stop.drop_guard() }
    }

    /// The same files under a new process.
    async fn restart(&mut self) {
        self.t.restart();
        self.tls = Tls::start(&self.t.app(), &self.t.config()).unwrap().unwrap();
        let stop = CancellationToken::new();
        self.address = serve(&self.t, &self.tls, &self.sim, &stop).await;
        self._stop = stop.drop_guard();
    }

    fn status(&self) -> TlsStatus {
        self.t.app().tls.status()
    }

    fn orders(&self) -> usize {
        self.sim.state.lock().new_orders
    }

    /// Whether a client that believes the authority is served under `name`.
    async fn is_good_for(&self, name: &str) -> bool {
        let client = self.sim.authority.client_at(&self.t.clock);
        let answer = client.ask(self.address, name, &request("GET", "/", &[], "")).await;
        answer.is_some_and(|answer| answer.status == 200)
    }

    async fn pass(&self, seconds: u64) {
        self.t.clock.advance(Duration::from_secs(seconds));
        self.tls.step().await;
    }

    fn assert_no_complaints(&self) {
        assert_eq!(self.sim.state.lock().complaints, [""; 0]);
    }
}

/// Serves both listeners and lets the authority's domains lead to them.
async fn serve(t: &TestApp, tls: &Arc<Tls>, sim: &AcmeSim, stop: &CancellationToken) -> SocketAddr {
    let config = t.config();
    let bind = || server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let (main, plain) = (bind(), bind());
    let address = main.local_addr().unwrap();
    {
        let mut state = sim.state.lock();
        state.tls_at = Some(address);
        state.http_at = Some(plain.local_addr().unwrap());
    }
    let (board, _) = jobs::start(&t.app(), &[], &CancellationToken::new());
    let ready = Arc::new(Readyz::new(&t.app(), &board, &config));
    let small = server::plain_endpoint(&t.app(), ready, &config, tls.challenges());
    let limits = server::accept_settings(&config, &t.app());
    tokio::spawn(server::serve(plain, small, limits.clone(), stop.clone()));
    let transport = Transport { tls: Some(Arc::clone(tls)), ..Transport::default() };
    let endpoint = make(|_| async { "ok" }).map_to_response();
    tokio::spawn(server::serve_over(transport, main, endpoint, limits, stop.clone()));
    address
}

const WITH_PLAIN: (&str, &str) = ("HTTP_LISTEN", "127.0.0.1:1");

#[tokio::test]
async fn a_certificate_is_ordered_over_either_way_and_served() {
    for (changes, way) in [(&[][..], "tls-alpn-01"), (&[WITH_PLAIN][..], "http-01")] {
        let site = Site::start(changes).await;
        assert!(!site.is_good_for(NAME).await, "nobody believes the placeholder");
        assert!(site.status().is_placeholder);
        // Authorities call nonces stale at will.
        site.sim.state.lock().stale_nonces = 1;

        site.tls.step().await;
        let status = site.status();
        assert_eq!(status.last_error, None);
        assert!(!status.is_placeholder);
        assert_eq!(status.names, [NAME, OTHER]);
        assert!(site.is_good_for(NAME).await && site.is_good_for(OTHER).await);
        assert!(!site.is_good_for("evil.example.com").await);
        assert_eq!(site.sim.state.lock().looked, [way, way]);
        site.assert_no_complaints();

        // Nothing of the check is left.
        let challenge = site.sim.authority.client_at(&site.t.clock).offering(&[b"acme-tls/1"]);
        assert!(challenge.handshake(site.address, NAME).await.is_err());
        site.pass(1).await;
        assert_eq!(site.orders(), 1);
    }
}

#[tokio::test]
async fn it_is_renewed_when_a_third_is_left_and_kept_over_a_restart() {
    let mut site = Site::start(&[]).await;
    site.tls.step().await;
    let first = site.status();
    site.pass(58 * DAY).await;
    assert_eq!(site.orders(), 1);

    site.restart().await;
    site.tls.step().await;
    assert_eq!(site.orders(), 1, "what is stored is served");
    assert_eq!(site.status().not_after, first.not_after);
    assert!(site.is_good_for(NAME).await);

    site.pass(2 * DAY).await;
    assert_eq!(site.orders(), 2);
    assert!(site.status().not_after > first.not_after);
    assert!(site.is_good_for(NAME).await);
    site.t.clock.advance(Duration::from_secs(40 * DAY));
    assert!(site.is_good_for(NAME).await, "the first would have expired");
    assert_eq!(site.sim.state.lock().new_accounts, 1, "the account is kept");
    site.assert_no_complaints();
}

#[tokio::test]
async fn a_failed_check_is_explained_and_not_repeated_at_once() {
    let mut site = Site::start(&[WITH_PLAIN]).await;
    let (_socket, refusing) = address_that_refuses();
    let refusing = refusing.trim_start_matches("http://").parse().unwrap();
    site.sim.state.lock().http_at = Some(refusing);

    site.tls.step().await;
    let status = site.status();
    let said = status.last_error.unwrap();
    assert!(said.contains(NAME) && said.contains("refused") && said.contains("port 80"), "{said}");
    assert!(status.is_placeholder);
    let wait = status.next_try_at.unwrap().0 - site.t.clock.now().0;
    assert!((600_000..=660_000).contains(&wait), "{wait}");
    site.pass(300).await;
    // Restarting in a loop hammers nobody.
    site.restart().await;
    site.sim.state.lock().http_at = Some(refusing);
    assert_eq!(site.status().last_error, Some(said));
    site.pass(200).await;
    assert_eq!(site.orders(), 1);

    // Then it is tried over the other way.
    site.pass(200).await;
    assert_eq!(site.orders(), 2);
    assert_eq!(site.status().last_error, None);
    assert!(site.is_good_for(NAME).await);
    // The authority may have looked at the second name too before the first had failed.
    let looked = site.sim.state.lock().looked.clone();
    let (first, then) = looked.split_at(looked.len() - 2);
    assert!(matches!(first, ["http-01"] | ["http-01", "http-01"]), "{looked:?}");
    assert_eq!(then, ["tls-alpn-01"; 2]);
}

#[tokio::test]
async fn the_authoritys_wait_is_kept_and_sighup_tries_sooner() {
    let site = Site::start(&[]).await;
    site.sim.state.lock().refusals = vec![("rateLimited", 429, Some(7200))];
    site.tls.step().await;
    let status = site.status();
    assert!(status.last_error.unwrap().contains("staging"), "says how to try things out");
    let wait = status.next_try_at.unwrap().0 - site.t.clock.now().0;
    assert_eq!(wait, 7_200_000);
    site.pass(7000).await;
    assert_eq!(site.orders(), 1);
    // The operator knows better; not within a minute of the last try, though.
    site.tls.reload().await;
    site.tls.step().await;
    assert_eq!(site.orders(), 2);
    assert!(site.is_good_for(NAME).await);
}

#[tokio::test]
async fn what_an_authority_forgot_is_made_anew() {
    let site = Site::start(&[]).await;
    site.tls.step().await;
    site.sim.forget_accounts();
    site.pass(61 * DAY).await;
    let said = site.status().last_error.unwrap();
    assert!(said.contains("made anew"), "{said}");
    assert!(site.is_good_for(NAME).await, "the old one is served meanwhile");
    site.pass(700).await;
    assert_eq!(site.status().last_error, None);
    assert_eq!(site.sim.state.lock().new_accounts, 2);
}

#[tokio::test]
async fn a_certificate_for_somebody_else_is_not_taken() {
    let site = Site::start(&[]).await;
    site.tls.step().await;
    site.sim.state.lock().wrong_name = Some("somebody.else.example".to_owned());
    site.pass(61 * DAY).await;
    let said = site.status().last_error.unwrap();
    assert!(said.contains("somebody.else.example"), "{said}");
    assert!(site.is_good_for(NAME).await);
}

#[tokio::test]
async fn an_authority_that_cannot_be_reached_is_asked_again_soon() {
    let (_socket, refusing) = address_that_refuses();
    let refusing = format!("{}/directory", refusing.replace("http://", "https://"));
    let site = Site::start(&[("ACME_DIRECTORY", &refusing)]).await;
    site.tls.step().await;
    let status = site.status();
    let said = status.last_error.unwrap();
    assert!(said.contains("cannot be reached") && said.contains("ACME_DIRECTORY"), "{said}");
    let wait = status.next_try_at.unwrap().0 - site.t.clock.now().0;
    assert!((60_000..=66_000).contains(&wait), "{wait}");
}

#[tokio::test]
async fn the_real_program_gets_its_certificate_by_itself() {
    let (folder, sandbox) = (TempDir::new().unwrap(), Process::sandbox().await);
    let sim = AcmeSim::start(Clock::system()).await;
    let roots = write_roots(folder.path(), &sim);
    let mut all = settings(&sim, &roots);
    all.push(("HTTP_LISTEN", "127.0.0.1:0"));
    let server = Process::serve(folder.path(), &sandbox, &all).await;
    {
        let mut state = sim.state.lock();
        state.tls_at = Some(server.address);
        state.http_at = server.listens_elsewhere("listening for plain HTTP");
    }
    until("a certificate is there", || server.log().contains("a certificate was issued")).await;
    let client = sim.authority.client();
    let begun = Stopwatch::start();
    let ask = request("GET", "/readyz", &[], "");
    // It is said a moment before it is served.
    let answer = loop {
        match client.ask(server.address, NAME, &ask).await {
            Some(answer) => break answer,
            None => assert!(begun.elapsed() < Duration::from_secs(10), "{}", server.log()),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(answer.status, 200);
    assert!(!server.log().contains("PRIVATE KEY"));
}
