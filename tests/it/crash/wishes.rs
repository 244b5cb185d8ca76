//! The jobs of one user: what he asked for, what he was answered, what he has seen of it.

use std::collections::BTreeMap;

use dream_bff::base::rng::Rng;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::driver::{Figures, Front, With};
use crate::support::Answer;

/// Of the answered submissions with a key, so many are asked again at the end.
const ASKED_AGAIN: usize = 20;

/// All he wished for.
pub(super) struct Wishes {
    name: String,
    all: Vec<Wish>,
    /// What he has seen last of each job that he knows.
    jobs: BTreeMap<String, Value>,
    /// Jobs of which he was told that they are cancelled.
    canceled: Vec<String>,
}

/// One intent; its prompt is its name.
struct Wish {
    prompt: String,
    key: Option<String>,
    body: Value,
    /// The first good answer, as it came.
    answer: Option<Answer>,
    /// What he heard last was that nothing was done.
    is_refused: bool,
}

impl Wish {
    fn job(&self) -> Option<String> {
        Some(self.answer.as_ref()?.json()["jobId"].as_str().unwrap().to_owned())
    }
}

fn has_ended(job: &Value) -> bool {
    matches!(job["status"].as_str(), Some("SUCCEEDED" | "FAILED" | "CANCELED"))
}

fn one_of<'a, T>(all: &'a [T], rng: &Rng) -> Option<&'a T> {
    let count = u64::try_from(all.len()).unwrap();
    all.get(usize::try_from(rng.below(count.max(1))).unwrap())
}

impl Wishes {
    pub(super) fn of(name: &str) -> Self {
        let (all, canceled) = (Vec::new(), Vec::new());
        Self { name: name.to_owned(), all, jobs: BTreeMap::new(), canceled }
    }

    /// Jobs whose end he has not seen.
    pub(super) fn open(&self) -> usize {
        self.jobs.values().filter(|job| !has_ended(job)).count()
    }

    fn open_jobs(&self) -> Vec<String> {
        let open = self.jobs.iter().filter(|(_, job)| !has_ended(job));
        open.map(|(id, _)| id.clone()).collect()
    }

    pub(super) async fn submit(&mut self, front: &Front, token: &str, rng: &Rng, keyed: bool) {
        let prompt = format!("{}: wish {}", self.name, self.all.len());
        let key = keyed.then(|| format!("{}-{}", self.name, self.all.len()));
        // The smallest pictures there are: drawing them is most of the work.
        let body = json!({
            "prompt": prompt,
            "mode": if rng.below(3) == 0 { "final" } else { "draft" },
            "aspectRatio": "21:9",
            "sampleCount": if rng.below(6) == 0 { 2 } else { 1 },
        });
        self.all.push(Wish { prompt, key, body, answer: None, is_refused: false });
        self.ask(front, token, self.all.len() - 1).await;
    }

    /// Submits a wish of before again under its key, answered or not.
    pub(super) async fn repeat(&mut self, front: &Front, token: &str, rng: &Rng) {
        let from = self.all.len().saturating_sub(6);
        let recent: Vec<_> = (from..self.all.len()).collect();
        let keyed: Vec<_> = recent.into_iter().filter(|at| self.all[*at].key.is_some()).collect();
        if let Some(at) = one_of(&keyed, rng) {
            self.ask(front, token, *at).await;
        }
    }

    async fn ask(&mut self, front: &Front, token: &str, at: usize) {
        let wish = &mut self.all[at];
        let with = With { token: Some(token), key: wish.key.as_deref() };
        let answer = front.ask("POST", "/v1/images/generate", with, &wish.body).await;
        let Some(answer) = answer else {
            wish.is_refused = false;
            return;
        };
        match (answer.status, &wish.answer) {
            (202, Some(before)) => assert_eq!(before.text(), answer.text(), "the same key"),
            (202, None) => {
                let job = answer.json();
                wish.answer = Some(answer);
                wish.is_refused = false;
                self.jobs.insert(job["jobId"].as_str().unwrap().to_owned(), job);
            }
            (402 | 429 | 503, None) => wish.is_refused = true,
            // Too much at once may be said of a repeated call as well.
            (429 | 503, Some(_)) => {}
            _ => panic!("{} after {:?}", answer.text(), wish.answer),
        }
    }

    pub(super) async fn cancel(&mut self, front: &Front, token: &str, rng: &Rng) {
        let open = self.open_jobs();
        let Some(id) = one_of(&open, rng) else { return };
        let with = With { token: Some(token), key: None };
        let path = format!("/v1/jobs/{id}");
        let Some(answer) = front.ask("DELETE", &path, with, &Value::Null).await else { return };
        match answer.status {
            200 => {
                self.jobs.insert(id.clone(), answer.json());
                self.canceled.push(id.clone());
            }
            // It runs or has ended.
            409 => {}
            _ => panic!("{}", answer.text()),
        }
    }

    /// Waits a moment for one of his jobs, or looks at one that has ended.
    pub(super) async fn wait(&mut self, front: &Front, token: &str, rng: &Rng) {
        let mut of = self.open_jobs();
        if of.is_empty() {
            of = self.jobs.keys().cloned().collect();
        }
        if let Some(id) = one_of(&of, rng) {
            self.look(front, token, id, "?wait=1").await;
        }
    }

    async fn look(&mut self, front: &Front, token: &str, id: &str, query: &str) {
        let with = With { token: Some(token), key: None };
        let path = format!("/v1/jobs/{id}{query}");
        let Some(answer) = front.ask("GET", &path, with, &Value::Null).await else { return };
        let now = answer.ok();
        assert_goes_on(&self.jobs[id], &now);
        self.jobs.insert(id.to_owned(), now);
    }

    /// Asks again, under the same keys, what was not answered, and some of what was.
    pub(super) async fn settle(&mut self, front: &Front, token: &str) {
        let mut again = 0;
        for at in (0..self.all.len()).rev() {
            let wish = &self.all[at];
            if wish.key.is_none() || (wish.answer.is_some() && again == ASKED_AGAIN) {
                continue;
            }
            again += usize::from(wish.answer.is_some());
            self.ask(front, token, at).await;
            let wish = &self.all[at];
            assert!(wish.answer.is_some() || wish.is_refused, "{} was not answered", wish.prompt);
        }
    }

    /// Every job that he was told of has ended, and his pictures can be looked at.
    pub(super) async fn check(&self, front: &Front, token: &str, figures: &Figures) {
        let acknowledged = self.all.iter().filter(|wish| wish.answer.is_some()).count();
        figures.add("submits acknowledged", acknowledged.try_into().unwrap());
        figures.add("submits refused", self.all.iter().filter(|w| w.is_refused).count() as u64);
        let with = With { token: Some(token), key: None };
        for wish in &self.all {
            let Some(id) = wish.job() else { continue };
            let path = format!("/v1/jobs/{id}");
            let job = front.surely("GET", &path, with, &Value::Null).await.ok();
            assert!(has_ended(&job), "{job}");
            assert_goes_on(&self.jobs[&id], &job);
            assert!(!self.canceled.contains(&id) || job["status"] == "CANCELED", "{job}");
            let pictures = |field: &str| job[field].as_array().unwrap().clone();
            let (full, small) = (pictures("resultUrls"), pictures("thumbnailUrls"));
            let expected = match job["status"] == "SUCCEEDED" {
                true => wish.body["sampleCount"].as_u64().unwrap(),
                false => 0,
            };
            assert_eq!((full.len() as u64, small.len() as u64), (expected, expected), "{job}");
            for url in full.iter().chain(&small) {
                look_at(front, url.as_str().unwrap()).await;
                figures.add("pictures looked at", 1);
            }
        }
    }

    /// What was answered is there once, what was refused is not, and of the rest nothing is twice.
    pub(super) fn check_database(&self, database: &Connection, user: i64) {
        let mut jobs = database
            .prepare("SELECT job_id FROM generations WHERE user_id = ?1 AND prompt = ?2")
            .unwrap();
        for wish in &self.all {
            let found = jobs.query_map(params![user, wish.prompt], |row| row.get(0)).unwrap();
            let found: Vec<String> = found.map(Result::unwrap).collect();
            let what = format!("{} {:?} of user {user}: {found:?}", wish.prompt, wish.key);
            match wish.job() {
                Some(job) => assert_eq!(found, [job], "{what}"),
                None if wish.is_refused => assert!(found.is_empty(), "{what}"),
                None => assert!(found.len() <= 1, "{what}"),
            }
        }
    }
}

/// An end is an end; only a job that was too late may still be delivered.
#[track_caller]
fn assert_goes_on(before: &Value, now: &Value) {
    match before["status"].as_str().unwrap() {
        "SUCCEEDED" => {
            for field in ["status", "resultUrls"] {
                let (before, now) = (without_host(&before[field]), without_host(&now[field]));
                assert_eq!(before, now);
            }
        }
        "CANCELED" => assert_eq!(now["status"], "CANCELED", "{now}"),
        "FAILED" => assert!(now["status"] == "FAILED" || now["status"] == "SUCCEEDED", "{now}"),
        _ => {}
    }
}

/// Each start listens on another port, which the addresses of pictures show.
fn without_host(value: &Value) -> Value {
    match value {
        Value::Array(all) => all.iter().map(without_host).collect(),
        Value::String(text) => json!(text.find("/media/").map_or(&**text, |at| &text[at..])),
        other => other.clone(),
    }
}

async fn look_at(front: &Front, url: &str) {
    let path = &url[url.find("/media/").unwrap()..];
    let answer = front.surely("GET", path, With::default(), &Value::Null).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    let picture = image::load_from_memory(&answer.body);
    assert!(picture.is_ok(), "{path}: {picture:?}");
}
