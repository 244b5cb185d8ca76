//! Starting, loading, killing, and starting again; then letting all come to rest and looking closely.
//! Knows no feature.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dream_bff::app::App;
use dream_bff::base::clock::Stopwatch;
use dream_bff::base::rng::Rng;
use dream_bff::sandbox::Sandbox;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{Answer, Process, Wire, command, request, until};

/// After the last start everything must have ended within this time; what has not is stuck.
const REST: Duration = Duration::from_secs(180);

/// Most time between the moment a server listens and its death.
const LIFE_MS: u64 = 2400;

/// One life in so many is a long one, in which much comes to its end.
const LONG_LIVED: u64 = 10;

/// Such a life.
const LONG_LIFE_MS: u64 = 6000;

/// [`Workload::between`] is for one death in so many, …
const BETWEEN: u64 = 3;

/// … except for the last ones: what it begins needs time.
const WITHOUT_BETWEEN: u32 = 3;

/// One start in so many is killed before it need have come to listen.
const STILLBORN: u64 = 6;

/// Most time between such a start and its death.
const STILLBORN_MS: u64 = 250;

/// How long and with which dice.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) rounds: u32,
    pub(super) seed: u64,
}

/// Work that the next start has to go on with.
pub(super) struct CutOff {
    pub(super) count: u64,
    /// Whether there is some that the outside world has not heard of again.
    pub(super) is_forgotten: Box<dyn Fn(&Sandbox) -> bool>,
}

/// See [`Workload::prepare`].
pub(super) type Prepare = Box<dyn FnOnce(Arc<App>) -> BoxFuture<'static, ()>>;

/// What somebody does to the data of a server that has just died, from this process.
pub(super) type Between =
    for<'a> fn(&'a Arc<App>, &'a Path, &'a Rng, &'a Figures) -> BoxFuture<'a, ()>;

/// What happens to a server between its starts and deaths, and what must hold in the end.
pub(super) struct Workload {
    /// Settings of the server, beside those that every test has.
    pub(super) settings: Vec<(&'static str, &'static str)>,
    /// Prepares the data before the first start.
    pub(super) prepare: Prepare,
    /// Who uses the server, all at once.
    pub(super) actors: Vec<Box<dyn Actor>>,
    /// A change of the outside world, every now and then while there is load.
    pub(super) weather: fn(&Sandbox, &Rng),
    /// After some of the deaths but the last ones, if there is any.
    pub(super) between: Option<Between>,
    /// Tells the simulators where the server listens now.
    pub(super) announce: fn(&Sandbox, SocketAddr),
    /// Makes the outside world behave, for the end.
    pub(super) calm: fn(&Sandbox),
    /// What the last kill cut off in the middle.
    pub(super) cut_off: fn(&Connection, &Sandbox) -> CutOff,
    /// What has not come to its end, in words that help whoever looks into a failure.
    pub(super) open: fn(&Connection, &Sandbox) -> Vec<String>,
    /// What must be so of the files, when the server is dead.
    pub(super) audits: Vec<fn(&Rest<'_>)>,
}

/// Somebody who uses the server and remembers what it answered.
pub(super) trait Actor: Send {
    /// One thing that he does while the server lives and dies.
    fn act<'a>(&'a mut self, front: &'a Front) -> BoxFuture<'a, ()>;

    /// After the last start: asks again what was not answered.
    fn settle<'a>(&'a mut self, front: &'a Front) -> BoxFuture<'a, ()>;

    /// When all has ended: what he was told must be so.
    fn check<'a>(&'a mut self, front: &'a Front, figures: &'a Figures) -> BoxFuture<'a, ()>;

    /// The same in the database of the dead server.
    fn check_database(&self, database: &Connection);
}

/// What is left when the server is dead for good.
pub(super) struct Rest<'a> {
    pub(super) folder: &'a Path,
    pub(super) sandbox: &'a Sandbox,
    pub(super) database: &'a Connection,
    pub(super) figures: &'a Figures,
}

/// What was counted.
#[derive(Default)]
pub(super) struct Figures(Mutex<BTreeMap<String, u64>>);

impl Figures {
    pub(super) fn add(&self, what: &str, count: u64) {
        *self.0.lock().entry(what.to_owned()).or_default() += count;
    }

    pub(super) fn of(&self, what: &str) -> u64 {
        self.0.lock().get(what).copied().unwrap_or(0)
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lock().iter().try_for_each(|(what, count)| writeln!(f, "{what}: {count}"))
    }
}

/// The server as its clients find it: at an address that changes, or not at all.
#[derive(Clone)]
pub(super) struct Front {
    address: watch::Receiver<Option<SocketAddr>>,
    figures: Arc<Figures>,
}

/// What a request says beside its path.
#[derive(Clone, Copy, Default)]
pub(super) struct With<'a> {
    pub(super) token: Option<&'a str>,
    pub(super) key: Option<&'a str>,
}

impl Front {
    /// One request, as soon as there is a server. `None` when no whole answer came: whether it had an
    /// effect is unknown then.
    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        with: With<'_>,
        body: &Value,
    ) -> Option<Answer> {
        let address = (*self.address.clone().wait_for(Option::is_some).await.ok()?)?;
        let bearer = with.token.map(|token| format!("Bearer {token}"));
        let mut headers: Vec<_> = bearer.iter().map(|text| ("authorization", &**text)).collect();
        headers.extend(with.key.map(|key| ("idempotency-key", key)));
        let text = request(method, path, &headers, &body.to_string());
        let answer = Wire::try_ask(address, &text).await;
        let Some(answer) = answer else {
            self.figures.add("requests without an answer", 1);
            // Until the death has become known.
            tokio::time::sleep(Duration::from_millis(5)).await;
            return None;
        };
        self.figures.add("requests answered", 1);
        assert_ne!(answer.status, 500, "{method} {path}: {}", answer.text());
        Some(answer)
    }

    /// The same while the server is not killed.
    pub(super) async fn surely(
        &self,
        method: &str,
        path: &str,
        with: With<'_>,
        body: &Value,
    ) -> Answer {
        let answer = self.ask(method, path, with, body).await;
        answer.unwrap_or_else(|| panic!("{method} {path} was not answered in peace"))
    }
}

/// Runs it all; what does not hold is a panic.
pub(super) async fn run(
    plan: Plan,
    workload: impl FnOnce(Plan, &Arc<Sandbox>) -> Workload,
) -> Arc<Figures> {
    let (folder, sandbox) = (TempDir::new().unwrap(), Arc::new(Process::sandbox().await));
    let figures = Arc::<Figures>::default();
    let workload = workload(plan, &sandbox);
    let app = Process::inside(folder.path(), &sandbox);
    (workload.prepare)(Arc::clone(&app)).await;
    app.db.close();
    drop(app);

    let (address, front) = watch::channel(None);
    let front = Front { address: front, figures: Arc::clone(&figures) };
    let load = Load::start(&workload.weather, workload.actors, &front, &sandbox, plan);
    let rng = Rng::seeded(plan.seed);
    for round in 1..=plan.rounds {
        let mut server = Process::serve_at_once(folder.path(), &sandbox, &workload.settings);
        let is_last = round == plan.rounds;
        let life = if !is_last && rng.below(STILLBORN) == 0 {
            figures.add("kills while starting", 1);
            rng.below(STILLBORN_MS)
        } else {
            server.listens().await;
            (workload.announce)(&sandbox, server.address);
            address.send_replace(Some(server.address));
            // Squared: short lives are the interesting ones. The last one leaves much behind.
            let dice = if is_last { 1000 } else { rng.below(1000) };
            let most = if rng.below(LONG_LIVED) == 0 { LONG_LIFE_MS } else { LIFE_MS };
            most * dice * dice / 1_000_000
        };
        tokio::time::sleep(Duration::from_millis(life)).await;
        server.kill();
        address.send_replace(None);
        figures.add("kills", 1);
        assert_sound(&server);
        let is_early = round + WITHOUT_BETWEEN < plan.rounds;
        if let Some(between) = workload.between.filter(|_| is_early && rng.below(BETWEEN) == 0) {
            let app = Process::inside(folder.path(), &sandbox);
            between(&app, folder.path(), &rng, &figures).await;
            app.db.close();
        }
    }

    let database = database(folder.path());
    let cut_off = (workload.cut_off)(&database, &sandbox);
    figures.add("cut off by the last kill", cut_off.count);
    let mut server = Process::serve(folder.path(), &sandbox, &workload.settings).await;
    (workload.announce)(&sandbox, server.address);
    (workload.calm)(&sandbox);
    // Before anybody else is let in: it must not be they who bring it to mind.
    until("all that was cut off is gone on with", || !(cut_off.is_forgotten)(&sandbox)).await;
    address.send_replace(Some(server.address));
    let mut actors = load.stop().await;
    for actor in &mut actors {
        actor.settle(&front).await;
    }
    let waiting = Stopwatch::start();
    loop {
        let open = (workload.open)(&database, &sandbox);
        if open.is_empty() {
            break;
        }
        assert!(waiting.elapsed() < REST, "stuck: {open:#?}\n{figures}{}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    figures.add("ms until all had ended", waiting.elapsed().as_millis().try_into().unwrap());
    for actor in &mut actors {
        actor.check(&front, &figures).await;
    }
    server.kill();
    address.send_replace(None);
    assert_sound(&server);

    for actor in &actors {
        actor.check_database(&database);
    }
    let rest =
        Rest { folder: folder.path(), sandbox: &sandbox, database: &database, figures: &figures };
    assert_books(rest.folder);
    for audit in workload.audits {
        audit(&rest);
    }
    figures
}

/// Actors and weather, until [`Load::stop`].
struct Load {
    actors: JoinSet<Box<dyn Actor>>,
    weather: JoinSet<()>,
    stop: CancellationToken,
}

impl Load {
    fn start(
        weather: &fn(&Sandbox, &Rng),
        actors: Vec<Box<dyn Actor>>,
        front: &Front,
        sandbox: &Arc<Sandbox>,
        plan: Plan,
    ) -> Self {
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        for mut actor in actors {
            let (front, stop) = (front.clone(), stop.clone());
            running.spawn(async move {
                while !stop.is_cancelled() {
                    actor.act(&front).await;
                }
                actor
            });
        }
        let (change, sandbox, rng) = (*weather, Arc::clone(sandbox), Rng::seeded(!plan.seed));
        let (until, mut weather) = (stop.clone(), JoinSet::new());
        weather.spawn(async move {
            while !until.is_cancelled() {
                change(&sandbox, &rng);
                tokio::time::sleep(Duration::from_millis(50 + rng.below(200))).await;
            }
        });
        Self { actors: running, weather, stop }
    }

    async fn stop(self) -> Vec<Box<dyn Actor>> {
        self.stop.cancel();
        // A panic in there is one here.
        self.weather.join_all().await;
        self.actors.join_all().await
    }
}

/// The database of the server in `folder`.
pub(super) fn database(folder: &Path) -> Connection {
    let connection = Connection::open(folder.join("data/dream.db")).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection
}

/// A server may be killed, but it must not have gone wrong before.
fn assert_sound(server: &Process) {
    let log = server.log();
    let wrong =
        log.lines().find(|line| line.contains("panicked") || line.contains("INTERNAL_ERROR"));
    assert_eq!(wrong, None, "{log}");
}

/// `dream-bff books` says that they balance.
fn assert_books(folder: &Path) {
    let output = command(folder).arg("books").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
