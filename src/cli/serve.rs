//! `serve`: runs the server.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;

use super::admin::setup_notice;
use super::logging::Logs;
use super::{ServeArgs, log_signal, logging, sandbox_mode, seed};
use crate::app::App;
use crate::base::clock::Clock;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::config::Config;
use crate::db::{DatabaseLock, LockError};
use crate::features::admin::service::setup;
use crate::sandbox::Sandbox;
use crate::server::{
    self, Inherited, ProxyHeaders, Readyz, Sockets, Tls, Transport, TrustedProxies, shutdown,
    systemd,
};
use crate::{features, jobs};

/// Threads for work of unknown length, such as long reads. They end when idle.
const BLOCKING_THREADS: usize = 16;

/// How often another server on the same database is waited for, and how long each time: a restart that
/// overlaps waits, a second server is refused after 15 s.
const LOCK_TRIES: u32 = 150;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// The demo data of a sandbox.
const SANDBOX_SEED: seed::SeedOptions =
    seed::SeedOptions { users: 100, images: 500, templates: 36, seed: 42, balance: 100 };

pub(super) fn run(args: ServeArgs) -> Result<(), Box<dyn Error>> {
    let config = if args.sandbox {
        sandbox_mode::settings(args.config)?
    } else {
        args.config.check_production()?;
        args.config
    };
    config.check_tls()?;
    server::check_files(&config, Clock::system().now())?;
    let logs = logging::start(&config.log)?;
    // While this is the only thread: it reads and clears a part of the environment.
    let inherited = Inherited::take()?;
    let runtime =
        Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build()?;
    match args.sandbox {
        true => run_sandbox(&runtime, config, &logs, inherited),
        false => run_server(&runtime, config, &logs, None, inherited),
    }
}

fn run_sandbox(
    runtime: &Runtime,
    mut config: Config,
    logs: &Logs,
    inherited: Inherited,
) -> Result<(), Box<dyn Error>> {
    let (clock, rng) = (Clock::system(), Rng::system());
    let simulators = sandbox_mode::simulators(&config);
    let sandbox = runtime.block_on(Sandbox::start(simulators, clock, rng))?;
    sandbox_mode::point_at(&mut config, &sandbox)?;
    let done = run_server(runtime, config, logs, Some(&sandbox), inherited);
    runtime.block_on(sandbox.stop());
    done
}

fn run_server(
    runtime: &Runtime,
    config: Config,
    logs: &Logs,
    sandbox: Option<&Sandbox>,
    inherited: Inherited,
) -> Result<(), Box<dyn Error>> {
    systemd::opening();
    let _lock = runtime.block_on(own(&config.storage.database_path()))?;
    let is_fresh = !config.storage.database_path().exists();
    let app = App::open(&config, Clock::system(), Rng::system())?;
    logs.attach(&app.log);
    if sandbox.is_some() && is_fresh {
        let media =
            seed::MediaPlace { storage: &*app.media.storage, base_url: &app.media.base_url };
        seed::run(&app.db, &SANDBOX_SEED, media)?;
    }
    features::prepare(&app)?;
    let served = runtime.block_on(serve(&app, &config, sandbox, inherited));
    // Every request was answered or cut by now: what is left is to make the file complete by itself.
    app.db.close();
    tracing::info!("stopped");
    served
}

/// The database for this process alone. Another server on it may be just ending.
async fn own(database: &Path) -> Result<DatabaseLock, LockError> {
    let mut left = LOCK_TRIES;
    loop {
        match DatabaseLock::take(database) {
            Err(LockError::Taken { holder, .. }) if left > 0 => {
                if left == LOCK_TRIES {
                    tracing::warn!(holder, "another server has the database; waiting for its end");
                }
                left -= 1;
                tokio::time::sleep(LOCK_PAUSE).await;
            }
            taken => return taken,
        }
    }
}

#[expect(clippy::print_stdout, reason = "the banner is for the person who started it")]
async fn serve(
    app: &Arc<App>,
    config: &Config,
    sandbox: Option<&Sandbox>,
    inherited: Inherited,
) -> Result<(), Box<dyn Error>> {
    let stop: CancellationToken = shutdown::on_signals()?;
    log_signal::listen(app, &stop)?;
    let sockets = Sockets::open(inherited, config)?;
    let address = sockets.main.local_addr()?;
    let tls = Tls::start(app, config)?;
    let (board, mut tasks) = jobs::start(app, &features::periodic(), &stop);
    let mut engines = features::start(app, &stop);
    let ready = Arc::new(Readyz::new(app, &board, config));
    let endpoint = server::endpoint(app, board, config, sandbox.map(Sandbox::control_routes))?;
    tasks.spawn(reload_on_hangup(shutdown::on_hangup()?, tls.clone(), stop.clone()));
    if let Some(tls) = &tls {
        tasks.spawn(Arc::clone(tls).run(stop.clone()));
    }
    if let Some((listener, tls)) = sockets.plain.zip(tls.as_ref()) {
        tracing::info!(address = %listener.local_addr()?, "listening for plain HTTP");
        let plain = server::plain_endpoint(app, Arc::clone(&ready), config, tls.challenges());
        let transport = Transport { proxy: proxy_headers(config, false), tls: None };
        let settings = server::plain_settings(config, app);
        tasks.spawn(drop_count(server::serve_over(
            transport,
            listener,
            plain,
            settings,
            stop.clone(),
        )));
    }
    tracing::info!(
        %address,
        version = env!("CARGO_PKG_VERSION"),
        tls = tls.is_some(),
        inherited = sockets.are_inherited,
        "listening"
    );
    if sandbox.is_some() {
        let admin = Secret::new(sandbox_mode::ADMIN_PASSWORD.to_owned());
        setup::ensure(app, sandbox_mode::ADMIN_NAME, &admin).await?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        println!("{}", sandbox_mode::banner(&format!("{scheme}://{address}")));
    }
    if let Some(token) = setup::link(app).await? {
        println!("{}", setup_notice(&config.http.public_url(), &token));
    }
    tasks.spawn(tell_systemd(ready, format!("serving on {address}"), stop.clone(), config));
    // Ends with the process: systemd watches to the end.
    tokio::spawn(systemd::feed_watchdog(Arc::clone(app)));

    let transport = Transport { proxy: proxy_headers(config, true), tls };
    let settings = server::accept_settings(config, app);
    server::serve_over(transport, sockets.main, Arc::new(endpoint), settings, stop).await;
    // Tasks are short; one that hangs must not keep the process.
    let _ = tokio::time::timeout(Duration::from_secs(5), async {
        while tasks.join_next().await.is_some() {}
        while engines.join_next().await.is_some() {}
    })
    .await;
    features::finish(app).await;
    Ok(())
}

async fn drop_count(serving: impl Future<Output = usize>) {
    serving.await;
}

/// Whose PROXY headers are believed. On the main listener they must send one.
fn proxy_headers(config: &Config, is_main: bool) -> ProxyHeaders {
    let trusted = TrustedProxies::new(config.http.trusted_proxies.clone());
    match (config.tls.proxy_protocol, is_main) {
        (false, _) => ProxyHeaders::Off,
        (true, true) => ProxyHeaders::Required(trusted),
        (true, false) => ProxyHeaders::Allowed(trusted),
    }
}

/// SIGHUP reads anew what can be read anew.
async fn reload_on_hangup(mut hangup: Signal, tls: Option<Arc<Tls>>, stop: CancellationToken) {
    while let Some(Some(())) = stop.run_until_cancelled(hangup.recv()).await {
        tracing::info!("SIGHUP: reading anew what can be");
        systemd::reloading();
        if let Some(tls) = &tls {
            tls.reload().await;
        }
        systemd::reloaded();
    }
}

/// Says that we serve, and later that we stop.
fn tell_systemd(
    ready: Arc<Readyz>,
    status: String,
    stop: CancellationToken,
    config: &Config,
) -> impl Future<Output = ()> + use<> {
    let limit = Duration::from_secs(config.http.shutdown_timeout);
    async move {
        stop.run_until_cancelled(systemd::started(&ready, &status)).await;
        stop.cancelled().await;
        systemd::stopping(limit);
    }
}
