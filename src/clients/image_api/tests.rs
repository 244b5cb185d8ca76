//! Both dialects over real HTTP, against the simulator and each of its faults.

use std::time::Duration;

use super::{
    Dialect, ImageRequest, JobProgress, Lease, ResultSource, Submitted, UpstreamCode,
    UpstreamConfig, UpstreamError, Upstreams,
};
use crate::base::clock::{Clock, TestClock};
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::base::time::UnixMillis;
use crate::sandbox::{Fault, ImageApiSim, Outcome, Sandbox, SandboxSettings, Status};

/// Long enough for a busy machine, short enough to wait for.
const TIMEOUT: Duration = Duration::from_millis(1500);
const LATE: Fault = Fault::Hang { ms: 4000 };

struct World {
    sandbox: Sandbox,
    upstreams: Upstreams,
    clock: TestClock,
}

impl World {
    /// Pictures take no time and nothing is limited.
    async fn start(dialect: Dialect) -> Self {
        Self::start_with(dialect, ImageApiSim::API_KEY).await
    }

    async fn start_with(dialect: Dialect, key: &str) -> Self {
        let settings = SandboxSettings {
            image_latency: Duration::ZERO,
            image_rate_per_minute: 0,
            image_concurrency: 0,
            ..SandboxSettings::default()
        };
        let sandbox = Sandbox::start(settings, Clock::system(), Rng::seeded(1)).await.unwrap();
        let config = UpstreamConfig {
            name: "sim".to_owned(),
            base: sandbox.image_api().base(),
            key: Some(Secret::new(key.to_owned())),
            dialect,
            model: None,
            weight: 1,
            concurrency: 4,
            timeout: TIMEOUT,
            max_answer_bytes: 1024 * 1024,
        };
        let clock = TestClock::at(UnixMillis(0));
        let upstreams =
            Upstreams::new(vec![config], Clock::test(clock.clone()), Rng::seeded(1)).unwrap();
        Self { sandbox, upstreams, clock }
    }

    fn api(&self) -> &ImageApiSim {
        self.sandbox.image_api()
    }

    fn lease(&self) -> Lease {
        self.upstreams.lease(None).unwrap()
    }

    async fn submit(&self) -> Result<Submitted, UpstreamError> {
        self.lease().submit("job-1", &small()).await
    }

    async fn submitted(&self) -> String {
        match self.submit().await.unwrap() {
            Submitted::Job { id } => id,
            done @ Submitted::Done(_) => panic!("{done:?}"),
        }
    }

    /// What becomes of a submission that meets `fault`.
    async fn fault(&self, fault: Fault) -> UpstreamError {
        self.api().submit_faults().next(fault, 1);
        self.submit().await.unwrap_err()
    }
}

fn small() -> ImageRequest {
    ImageRequest {
        resolution: "1K".to_owned(),
        aspect_ratio: "Auto".to_owned(),
        ..super::request::tests::plain()
    }
}

#[tokio::test]
async fn a_saas_job_is_submitted_once_per_key_and_followed_to_its_end() {
    let world = World::start(Dialect::ImageSaas).await;
    world.api().outcomes().next(Outcome::Never, 1);
    let id = world.submitted().await;
    assert_eq!(world.submitted().await, id, "the same key is the same job");
    assert_eq!(world.lease().poll(&id).await.unwrap(), JobProgress::Pending);

    assert!(world.api().end_job(&id, &Outcome::Succeed));
    let links = world.api().job(&id).unwrap().result_urls;
    let expected = links.into_iter().map(ResultSource::Url).collect();
    assert_eq!(world.lease().poll(&id).await.unwrap(), JobProgress::Succeeded(expected));
    assert_eq!(world.lease().poll("job_0").await.unwrap(), JobProgress::Unknown);
    assert_eq!(world.lease().base(), world.api().base());
}

#[tokio::test]
async fn a_saas_job_fails_with_the_image_apis_own_words() {
    let world = World::start(Dialect::ImageSaas).await;
    let outcome =
        Outcome::Fail { code: "PROVIDER_ERROR".to_owned(), message: "out of paint".to_owned() };
    world.api().outcomes().next(outcome, 1);
    let id = world.submitted().await;
    let failed = JobProgress::Failed {
        code: "PROVIDER_ERROR".to_owned(),
        message: "out of paint".to_owned(),
    };
    assert_eq!(world.lease().poll(&id).await.unwrap(), failed);
}

#[tokio::test]
async fn a_waiting_job_is_taken_back_and_a_running_one_is_not() {
    let world = World::start(Dialect::ImageSaas).await;
    // It waits for a quarter of it.
    world.api().set_latency(Duration::from_secs(3600));
    let id = world.submitted().await;
    world.lease().cancel(&id).await.unwrap();
    assert_eq!(world.lease().poll(&id).await.unwrap(), JobProgress::Canceled);
    assert_eq!(world.api().job(&id).unwrap().status, Status::Canceled);
    let late = world.lease().cancel(&id).await.unwrap_err();
    assert!(matches!(late.code(), UpstreamCode::Rejected(_)), "{late}");
    world.lease().cancel("job_0").await.unwrap();
}

#[tokio::test]
async fn openai_pictures_come_with_the_answer() {
    let world = World::start(Dialect::OpenaiImages).await;
    let Submitted::Done(sources) = world.submit().await.unwrap() else { panic!("it is done") };
    let links = world.api().jobs(1)[0].result_urls.clone();
    assert_eq!(sources, links.into_iter().map(ResultSource::Url).collect::<Vec<_>>());
    assert_eq!(world.lease().poll("job_0").await.unwrap(), JobProgress::Unknown);
    world.lease().cancel("job_0").await.unwrap();
}

#[tokio::test]
async fn every_fault_is_sorted_by_whether_a_repeat_may_help() {
    for dialect in [Dialect::ImageSaas, Dialect::OpenaiImages] {
        let world = World::start(dialect).await;
        for (fault, retryable, sent) in [
            (Fault::Error { code: 400 }, false, false),
            (Fault::Error { code: 401 }, false, false),
            (Fault::Error { code: 403 }, false, false),
            (Fault::Error { code: 404 }, false, false),
            (Fault::Error { code: 422 }, false, false),
            (Fault::Error { code: 500 }, false, true),
            (Fault::Error { code: 502 }, true, true),
            (Fault::Error { code: 504 }, true, true),
            (Fault::Html { status: 502 }, true, true),
            (Fault::Html { status: 404 }, false, false),
            (Fault::Html { status: 200 }, true, true),
            (Fault::Drop, true, true),
            (Fault::Cut, true, true),
            (Fault::Garbage, true, true),
            (Fault::Huge { megabytes: 3 }, false, true),
            (LATE, true, true),
        ] {
            let err = world.fault(fault.clone()).await;
            let seen = (err.is_retryable(), err.was_sent());
            assert_eq!(seen, (retryable, sent), "{dialect:?} {fault:?}: {err:?}");
            let is_late = matches!(fault, Fault::Hang { .. } | Fault::Error { code: 504 });
            assert_eq!(err.code() == UpstreamCode::Timeout, is_late, "{fault:?}: {err:?}");
        }
        assert!(world.submit().await.is_ok(), "the faults are over");
    }
}

#[tokio::test]
async fn an_image_api_that_is_gone_was_not_spoken_to() {
    let world = World::start(Dialect::ImageSaas).await;
    let lease = world.lease();
    world.sandbox.stop().await;
    let err = lease.submit("job-1", &small()).await.unwrap_err();
    assert!(err.is_retryable() && !err.was_sent() && err.is_outage(), "{err:?}");
}

#[tokio::test]
async fn a_busy_image_api_gets_the_pause_it_asks_for() {
    for (dialect, code) in [(Dialect::ImageSaas, 429), (Dialect::OpenaiImages, 503)] {
        let world = World::start(dialect).await;
        let err = world.fault(Fault::Error { code }).await;
        assert!(err.is_retryable() && !err.was_sent());
        assert_eq!(err.retry_after(), Some(Duration::from_secs(1)));
        assert!(world.upstreams.lease(None).is_none(), "nothing new in its pause");
        assert!(world.upstreams.states()[0].is_paused);
        world.clock.advance(Duration::from_secs(1));
        assert!(world.submit().await.is_ok());
    }
}

#[tokio::test]
async fn a_wrong_key_is_the_operators_fault_and_no_users() {
    for dialect in [Dialect::ImageSaas, Dialect::OpenaiImages] {
        let err = World::start_with(dialect, "sk-wrong").await.submit().await.unwrap_err();
        assert_eq!((err.code(), err.is_retryable()), (UpstreamCode::Provider, false));
        assert!(err.is_outage());
    }
}

#[tokio::test]
async fn polling_survives_every_fault() {
    let world = World::start(Dialect::ImageSaas).await;
    let id = world.submitted().await;
    for (fault, retryable) in [
        (Fault::Error { code: 500 }, false),
        (Fault::Error { code: 503 }, true),
        (Fault::Html { status: 502 }, true),
        (Fault::Drop, true),
        (Fault::Cut, true),
        (Fault::Garbage, true),
    ] {
        world.api().poll_faults().next(fault.clone(), 1);
        let err = world.upstreams.lease_named("sim").unwrap().poll(&id).await.unwrap_err();
        assert_eq!(err.is_retryable(), retryable, "{fault:?}: {err:?}");
    }
    let progress = world.upstreams.lease_named("sim").unwrap().poll(&id).await.unwrap();
    assert!(matches!(progress, JobProgress::Succeeded(links) if links.len() == 2));
}
