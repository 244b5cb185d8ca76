//! The API document: the contract with the mini-program. A change of it is a change of a file that
//! is reviewed, `tests/openapi/api.json`.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::support::{TestApp, command};

/// Operations that anybody may call; all others name a security scheme.
pub(crate) const PUBLIC: &[&str] = &[
    "announceImageJob",
    "checkPushUrl",
    "getAnnouncement",
    "getGlobalStats",
    "getParamTemplate",
    "getPromptTemplate",
    "listGalleryCategories",
    "listParamTemplates",
    "listPointsPacks",
    "listPromptTemplates",
    "listVipPlans",
    "notifyPayment",
    "notifyRefund",
    "pushWechatEvent",
    "refreshToken",
    "wechatLogin",
];

/// An operation of the document.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    /// As HTTP has it: `POST`.
    pub(crate) method: String,
    /// With the base path: `/v1/proxy/jobs/{jobId}`.
    pub(crate) path: String,
    pub(crate) spec: Value,
}

/// All operations of the document as served.
pub(crate) async fn operations(t: &TestApp) -> Vec<Operation> {
    operations_in(&t.get("/api/openapi.json").await.ok())
}

/// All operations of a document.
pub(crate) fn operations_in(document: &Value) -> Vec<Operation> {
    let base = document["servers"][0]["url"].as_str().expect("the document has a server");
    let paths = document["paths"].as_object().expect("the document has paths");
    let operations = paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().expect("a path has operations");
        operations.iter().map(move |(method, spec)| Operation {
            id: spec["operationId"].as_str().unwrap_or_default().to_owned(),
            method: method.to_uppercase(),
            path: format!("{base}{path}"),
            spec: spec.clone(),
        })
    });
    operations.collect()
}

#[tokio::test]
async fn the_document_is_the_reviewed_one() {
    let t = TestApp::start().await;
    let answer = t.get("/api/openapi.json").await;
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    is_reviewed(&answer.text(), "tests/openapi/api.json");
}

/// Fails when `document` is not the one in the file `reviewed`.
#[track_caller]
pub(crate) fn is_reviewed(document: &str, reviewed: &str) {
    let served = format!("{document}\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(reviewed);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &served).expect("the snapshot can be written");
    }
    let reviewed = fs::read_to_string(&path).unwrap_or_default();
    if let Some(line) = first_difference(&reviewed, &served) {
        panic!(
            "the API changed: the document differs from {} at line {line}.\n\
             If that is meant: UPDATE_SNAPSHOTS=1 cargo test --test it openapi, then review the \
             diff and commit it.",
            path.display()
        );
    }
}

#[tokio::test]
async fn the_command_line_prints_the_same_document() {
    let t = TestApp::start().await;
    let served = format!("{}\n", t.get("/api/openapi.json").await.text());
    let folder = tempfile::tempdir().unwrap();
    let done = command(folder.path()).arg("openapi").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let printed = String::from_utf8(done.stdout).unwrap();
    assert_eq!(first_difference(&served, &printed), None);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "printing leaves nothing behind: {left:?}");
}

#[tokio::test]
async fn no_key_stands_twice() {
    let t = TestApp::start().await;
    let document = t.get("/api/openapi.json").await.text();
    has_unique_keys(&document);
}

/// Fails when an object of `document` has a key twice.
#[track_caller]
pub(crate) fn has_unique_keys(document: &str) {
    // Readers keep one of two: half of a path's methods would be gone. It happens when two APIs
    // share a path; all methods of one path belong into one feature.
    if let Err(err) = serde_json::from_str::<UniqueKeys>(document) {
        panic!("{err}");
    }
}

#[tokio::test]
async fn every_operation_is_described() {
    let t = TestApp::start().await;
    let operations = operations(&t).await;
    are_described(&operations, PUBLIC);
}

/// Fails when one of `operations` is not documented as all are; `public` ones take no session.
#[track_caller]
pub(crate) fn are_described(operations: &[Operation], public: &[&str]) {
    assert!(operations.len() > 10, "the document was understood");
    let problems: Vec<String> = operations
        .iter()
        .flat_map(|operation| {
            let of = format!("{} {}", operation.method, operation.path);
            problems(operation, public).into_iter().map(move |problem| format!("{of}: {problem}"))
        })
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn no_fixed_path_hides_a_thing_of_that_name() {
    let t = TestApp::start().await;
    hides_nothing(&operations(&t).await);
}

/// Fixed paths beside things that have a name, and why nothing is called so.
const NO_NAMES: &[(&str, &str)] = &[
    ("/v1/favorites/check", "favorites are numbers"),
    ("/v1/jobs/quota", "jobs are 32 hexadecimal digits"),
    ("/admin/api/audit/export.csv", "entries are numbers"),
    ("/admin/api/backups/drill", "backups are called by the time they were made at"),
    ("/admin/api/backups/run", "backups are called by the time they were made at"),
    ("/admin/api/jobs/export.csv", "jobs are 32 hexadecimal digits"),
    ("/admin/api/jobs/failures", "jobs are 32 hexadecimal digits"),
    ("/admin/api/orders/export.csv", "orders are 32 hexadecimal digits"),
    ("/admin/api/users/export.csv", "users are numbers"),
    ("/admin/api/users/names", "users are numbers"),
];

/// Fails when the name of a thing in a path could be the fixed part of another path: that thing could
/// be made and then not be reached.
#[track_caller]
pub(crate) fn hides_nothing(operations: &[Operation]) {
    let hides = |fixed: &str, named: &str| {
        let (fixed, named): (Vec<_>, Vec<_>) =
            (fixed.split('/').collect(), named.split('/').collect());
        let is_name = |part: &str| part.starts_with('{');
        fixed.len() == named.len()
            && fixed.iter().zip(&named).all(|(a, b)| a == b || is_name(b))
            && fixed.iter().zip(&named).any(|(a, b)| is_name(b) && !is_name(a))
    };
    let paths: HashSet<&str> = operations.iter().map(|operation| &*operation.path).collect();
    for fixed in &paths {
        let is_known = NO_NAMES.iter().any(|(path, _)| path == fixed);
        let hidden = paths.iter().find(|named| hides(fixed, named));
        assert!(
            is_known || hidden.is_none(),
            "{fixed} hides a thing of that name at {}: put it beside, not below, or say in NO_NAMES \
             why nothing is called so",
            hidden.unwrap_or(fixed)
        );
        assert!(!is_known || hidden.is_some(), "{fixed} hides nothing any more");
    }
}

#[tokio::test]
async fn the_documentation_page_loads_nothing_from_elsewhere() {
    let t = TestApp::start().await;
    let page = t.get("/api/docs").await;
    assert_eq!(page.status, 200);
    let foreign = foreign_links(&page.text());
    assert!(foreign.is_empty(), "{foreign:?}");
    // With the document inside the page there is no second request, nor one to a validator.
    assert!(page.text().contains("spec: spec,"));
}

/// The number of the first line that differs.
fn first_difference(left: &str, right: &str) -> Option<usize> {
    if left == right {
        return None;
    }
    let same = left.lines().zip(right.lines()).take_while(|(left, right)| left == right).count();
    Some(same + 1)
}

fn problems(operation: &Operation, public: &[&str]) -> Vec<String> {
    let Operation { id, path, spec, .. } = operation;
    let mut problems = Vec::new();
    let is_empty = |name: &str| spec[name].as_str().is_none_or(str::is_empty);
    for name in ["summary", "operationId"] {
        if is_empty(name) {
            problems.push(format!("no {name}"));
        }
    }
    if spec["tags"].as_array().is_none_or(Vec::is_empty) {
        problems.push("no tags".to_owned());
    }
    for range in ["4XX", "5XX"] {
        let content = &spec["responses"][range]["content"]["application/json; charset=utf-8"];
        if content["schema"]["$ref"] != "#/components/schemas/ErrorBody" {
            problems.push(format!("{range} is not documented as an error"));
        }
    }
    let is_protected = spec["security"].as_array().is_some_and(|schemes| !schemes.is_empty());
    if is_protected == public.contains(&id.as_str()) {
        problems.push(if is_protected {
            "is public, and asks for a token".to_owned()
        } else {
            "names no security scheme; take a UserAuth, or list it in PUBLIC".to_owned()
        });
    }
    let mut parameters: Vec<&str> = spec["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|parameter| parameter["in"] == "path")
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    let mut placeholders = placeholders(path);
    parameters.sort_unstable();
    placeholders.sort_unstable();
    if parameters != placeholders {
        problems.push(format!("has the parameters {parameters:?} in its path"));
    }
    problems
}

/// The names in braces of a path.
pub(crate) fn placeholders(path: &str) -> Vec<&str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect()
}

/// Values of `src` and `href` in the tags of a page that name a host. What stands inside scripts
/// and styles is left out.
fn foreign_links(page: &str) -> Vec<String> {
    let mut tags = String::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let end = rest[start..].find('>').map_or(rest.len(), |end| start + end + 1);
        let tag = &rest[start..end];
        tags.push_str(tag);
        let inside = ["script", "style"].into_iter().find(|name| tag[1..].starts_with(name));
        rest = match inside.and_then(|name| rest[end..].find(&format!("</{name}"))) {
            Some(length) => &rest[end + length..],
            None => &rest[end..],
        };
    }
    let values = ["src=", "href="].into_iter().flat_map(|name| {
        tags.match_indices(name).map(|(at, _)| {
            let value = tags[at + name.len()..].trim_start_matches(['"', '\'']);
            value.split(['"', '\'', ' ', '>']).next().unwrap_or_default().to_owned()
        })
    });
    values.filter(|value| value.contains("//")).collect()
}

/// Any JSON in which no object has a key twice.
struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Check;

        impl<'de> Visitor<'de> for Check {
            type Value = UniqueKeys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> Result<UniqueKeys, E> {
                Ok(UniqueKeys)
            }

            fn visit_bool<E>(self, _: bool) -> Result<UniqueKeys, E> {
                Ok(UniqueKeys)
            }

            fn visit_i64<E>(self, _: i64) -> Result<UniqueKeys, E> {
                Ok(UniqueKeys)
            }

            fn visit_u64<E>(self, _: u64) -> Result<UniqueKeys, E> {
                Ok(UniqueKeys)
            }

            fn visit_f64<E>(self, _: f64) -> Result<UniqueKeys, E> {
                Ok(UniqueKeys)
            }

            fn visit_str<E>(self, _: &str) -> Result<UniqueKeys, E> {
                Ok(UniqueKeys)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<UniqueKeys, A::Error> {
                while items.next_element::<UniqueKeys>()?.is_some() {}
                Ok(UniqueKeys)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<UniqueKeys, A::Error> {
                let mut seen = HashSet::new();
                while let Some(key) = members.next_key::<String>()? {
                    members.next_value::<UniqueKeys>()?;
                    if let Some(twice) = seen.replace(key) {
                        return Err(A::Error::custom(format!("the key {twice:?} stands twice")));
                    }
                }
                Ok(UniqueKeys)
            }
        }

        deserializer.deserialize_any(Check)
    }
}

#[test]
fn a_key_that_stands_twice_is_seen() {
    assert!(serde_json::from_str::<UniqueKeys>(r#"[{"a":{"a":1.5},"b":null},{"a":-1}]"#).is_ok());
    let twice = serde_json::from_str::<UniqueKeys>(r#"{"a":[{"b":1,"b":2}]}"#);
    assert!(twice.is_err_and(|err| err.to_string().contains("\"b\" stands twice")));
}

#[test]
fn a_link_to_elsewhere_is_seen() {
    let page = r#"<head><style>a{src="https://x"}</style><script>let u = 'href="https://y"'</script>
        <script src="//cdn.example/a.js"></script><link href='/own.css'></head>"#;
    assert_eq!(foreign_links(page), ["//cdn.example/a.js"]);
}

#[test]
fn an_operation_without_description_is_seen() {
    let operation = Operation {
        id: "x".to_owned(),
        method: "GET".to_owned(),
        path: "/v1/x/{jobId}".to_owned(),
        spec: serde_json::json!({ "operationId": "x", "tags": [], "responses": {"200": {}} }),
    };
    let problems = problems(&operation, PUBLIC);
    assert_eq!(problems.len(), 6, "{problems:?}");
}
