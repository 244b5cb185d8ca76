//! Every operation of the admin API, called by everybody: without a session and by each role. A new
//! operation is in no table here and fails the test until somebody has thought about who may call it.

use poem::http::Method;

use crate::openapi::{
    Operation, are_described, has_unique_keys, hides_nothing, is_reviewed, operations_in,
    placeholders,
};
use crate::support::{Admin, Answer, TestApp, command};

const DOCUMENT: &str = "/admin/api/openapi.json";

/// Who is not logged in yet.
const PUBLIC: &str = "Public";

/// What an operation may take: the name of its security scheme, and the least role as its place in
/// [`ROLES`].
const ACCESSES: [(&str, usize); 6] = [
    ("Viewer", 0),
    ("Content", 1),
    ("Operator", 2),
    ("OperatorSteppedUp", 2),
    ("Owner", 3),
    ("OwnerSteppedUp", 3),
];

/// Who may call each operation.
const OPERATIONS: &[(&str, &str)] = &[
    ("addWords", "Content"),
    ("adjustUserPoints", "OperatorSteppedUp"),
    ("adminLogIn", PUBLIC),
    ("adminLogOut", "Viewer"),
    ("banUser", "Operator"),
    ("cancelAdminJob", "Operator"),
    ("changeAdmin", "OwnerSteppedUp"),
    ("changeAdminPassword", "Viewer"),
    ("changeAnnouncement", "Content"),
    ("changeSettings", "Operator"),
    ("checkBooks", "Operator"),
    ("checkOrder", "Operator"),
    ("compareDay", "Operator"),
    ("confirmTotp", "Viewer"),
    ("countRecoveryCodes", "Viewer"),
    ("createAdmin", "OwnerSteppedUp"),
    ("createCodes", "OperatorSteppedUp"),
    ("decideReview", "Content"),
    ("deleteCategory", "Content"),
    ("deleteParam", "Content"),
    ("deleteTemplate", "Content"),
    ("deleteUser", "OperatorSteppedUp"),
    ("downloadBackup", "OwnerSteppedUp"),
    ("endAdminSessions", "Owner"),
    ("endOwnSession", "Viewer"),
    ("examineNow", "Operator"),
    ("exportAdminJobs", "Viewer"),
    ("exportCodes", "Operator"),
    ("exportDifferences", "Viewer"),
    ("exportOrders", "Viewer"),
    ("exportAuditLog", "Viewer"),
    ("exportPaymentEvents", "Viewer"),
    ("exportRefunds", "Viewer"),
    ("exportRevenue", "Viewer"),
    ("exportReview", "Viewer"),
    ("exportTemplates", "Viewer"),
    ("exportUser", "OperatorSteppedUp"),
    ("exportUserPoints", "Viewer"),
    ("exportUsers", "Viewer"),
    ("exportWords", "Viewer"),
    ("findCode", "Operator"),
    ("followLog", "Operator"),
    ("followNumbers", "Viewer"),
    ("getAdminAnnouncement", "Viewer"),
    ("getAdminJob", "Viewer"),
    ("getAdminSession", "Viewer"),
    ("getAlerts", "Viewer"),
    ("getAuditEntry", "Viewer"),
    ("getBackup", "OwnerSteppedUp"),
    ("getBackups", "Viewer"),
    ("getBooks", "Viewer"),
    ("getDoctorReport", "Operator"),
    ("getHome", "Viewer"),
    ("getOrder", "Viewer"),
    ("getRateLimits", "Viewer"),
    ("getRevenue", "Viewer"),
    ("getReviewImage", "Viewer"),
    ("getSettings", "Viewer"),
    ("getSystem", "Viewer"),
    ("getTimeline", "Viewer"),
    ("getUser", "Viewer"),
    ("giveUserMembership", "OperatorSteppedUp"),
    ("importTemplates", "Content"),
    ("listAdminCategories", "Viewer"),
    ("listAdminJobs", "Viewer"),
    ("listAdminPacks", "Viewer"),
    ("listAdminParams", "Viewer"),
    ("listAdminPlans", "Viewer"),
    ("listAdminSessions", "Owner"),
    ("listAdminTemplates", "Viewer"),
    ("listAdmins", "Owner"),
    ("listAuditLog", "Viewer"),
    ("listBillDays", "Viewer"),
    ("listCodeBatches", "Viewer"),
    ("listCodes", "Operator"),
    ("listDifferences", "Viewer"),
    ("listJobFailures", "Viewer"),
    ("listOrders", "Viewer"),
    ("listOwnSessions", "Viewer"),
    ("listPaymentEvents", "Viewer"),
    ("listRefunds", "Viewer"),
    ("listReview", "Viewer"),
    ("listTasks", "Viewer"),
    ("listUpstreams", "Viewer"),
    ("listUserImages", "Viewer"),
    ("listUserPoints", "Viewer"),
    ("listUserSessions", "Viewer"),
    ("listUserNames", "Viewer"),
    ("listUsers", "Viewer"),
    ("listWords", "Viewer"),
    ("logOutUser", "Operator"),
    ("makeBackup", "Owner"),
    ("orderCategories", "Content"),
    ("orderTemplates", "Content"),
    ("previewRefund", "Viewer"),
    ("putCategory", "Content"),
    ("putPack", "Operator"),
    ("putParam", "Content"),
    ("putPlan", "Operator"),
    ("putTemplate", "Content"),
    ("readLog", "Operator"),
    ("refundAdminJob", "OperatorSteppedUp"),
    ("refundOrder", "OperatorSteppedUp"),
    ("removeTotp", "Viewer"),
    ("removeWords", "Content"),
    ("renewRecoveryCodes", "Viewer"),
    ("repairDifference", "Operator"),
    ("replaceWords", "Content"),
    ("resetAdmin", "OwnerSteppedUp"),
    ("resolveDifference", "Operator"),
    ("resolvePaymentEvent", "Operator"),
    ("retryAdminJob", "Operator"),
    ("retryRefund", "OperatorSteppedUp"),
    ("revokeCode", "Operator"),
    ("revokeCodeBatch", "Operator"),
    ("revokeUserGrant", "OperatorSteppedUp"),
    ("runTask", "Operator"),
    ("search", "Viewer"),
    ("setUpAdmin", PUBLIC),
    ("setUpTotp", "Viewer"),
    ("stepUp", "Viewer"),
    ("testAlerts", "Owner"),
    ("testUpstream", "Operator"),
    ("tryRestore", "Owner"),
    ("tryWords", "Viewer"),
    ("unbanUser", "Operator"),
];

/// About the caller himself: they ask for a step-up whatever his role is.
const OWN_SECRETS: [&str; 4] = ["confirmTotp", "removeTotp", "renewRecoveryCodes", "setUpTotp"];

const ROLES: [&str; 4] = ["viewer", "content", "operator", "owner"];

/// The least role that this access takes; `None` for who is not logged in.
fn least(access: &str) -> Option<usize> {
    if access == PUBLIC {
        return None;
    }
    let found = ACCESSES.iter().find(|(name, _)| *name == access);
    Some(found.unwrap_or_else(|| panic!("{access} is no security scheme")).1)
}

fn access(operation: &Operation) -> &'static str {
    let found = OPERATIONS.iter().find(|(id, _)| *id == operation.id);
    found.map(|(_, access)| *access).unwrap_or_else(|| {
        panic!(
            "{} ({} {}) is new: add it to OPERATIONS with who may call it",
            operation.id, operation.method, operation.path
        )
    })
}

async fn operations(t: &TestApp) -> Vec<Operation> {
    operations_in(&t.admin("viewer").get(DOCUMENT).await.ok())
}

fn path(operation: &Operation) -> String {
    let mut path = operation.path.clone();
    for name in placeholders(&operation.path) {
        path = path.replace(&format!("{{{name}}}"), "987654321");
    }
    path
}

fn method(operation: &Operation) -> Method {
    operation.method.parse().unwrap()
}

/// Streams, which end with their session: that they begin is enough here.
const STREAMS: [&str; 2] = ["followLog", "followNumbers"];

async fn call(admin: &Admin, operation: &Operation, body: &str) -> Answer {
    if STREAMS.contains(&operation.id.as_str()) {
        let (head, body) = admin.get(&path(operation)).open().await.into_parts();
        let body = if head.status.is_success() { vec![] } else { body.into_vec().await.unwrap() };
        return Answer { status: head.status.as_u16(), headers: head.headers, body };
    }
    let call = admin.call(method(operation), &path(operation));
    if operation.method == "GET" { call.await } else { call.bytes(body).await }
}

#[tokio::test]
async fn every_operation_has_its_row_and_the_document_says_the_same() {
    let t = TestApp::start().await;
    let operations = operations(&t).await;
    for operation in &operations {
        let schemes: Vec<String> = operation.spec["security"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|scheme| scheme.as_object().unwrap().keys().cloned())
            .collect();
        let expected = match access(operation) {
            PUBLIC => vec![],
            access => vec![access.to_owned()],
        };
        assert_eq!(schemes, expected, "{}", operation.id);
    }
    for (id, _) in OPERATIONS {
        assert!(operations.iter().any(|known| known.id == *id), "{id} is gone: drop its row");
    }
}

#[tokio::test]
async fn without_a_session_there_is_nothing() {
    let t = TestApp::start().await;
    let alice = t.log_in("alice").await.token;
    let admin = t.admin("owner");
    for operation in operations(&t).await {
        if access(&operation) == PUBLIC {
            continue;
        }
        let path = path(&operation);
        // The body is wrong too: nobody looks at it.
        let call =
            || t.call(method(&operation), &path).header("sec-fetch-site", "same-origin").bytes("{");
        for answer in [
            call().await,
            call().token(&alice).await,
            call().token(&admin.token).await,
            call().header("cookie", format!("dream_admin={}", admin.token)).await,
            call().header("cookie", "__Secure-dream_admin=").await,
            call().header("cookie", format!("__Secure-dream_admin={alice}")).await,
        ] {
            answer.fails(401, "UNAUTHORIZED");
        }
    }
}

#[tokio::test]
async fn each_role_has_what_it_may_and_no_more() {
    let t = TestApp::start().await;
    for operation in operations(&t).await {
        let access = access(&operation);
        let Some(least) = least(access) else { continue };
        for (at, role) in ROLES.iter().enumerate() {
            // Anew each time: some operations end the session.
            let admin = t.admin(role);
            let id = &operation.id;
            if at < least {
                let stepped_up = admin.stepped_up(&t);
                call(&stepped_up, &operation, "{").await.fails(403, "FORBIDDEN");
                continue;
            }
            if access.ends_with("SteppedUp") {
                call(&admin, &operation, "{").await.fails(403, "STEP_UP_REQUIRED");
            }
            if OWN_SECRETS.contains(&id.as_str()) {
                call(&admin, &operation, r#"{"code":"123456"}"#)
                    .await
                    .fails(403, "STEP_UP_REQUIRED");
            }
            let answer = call(&admin.stepped_up(&t), &operation, "{}").await;
            assert!(![401, 403].contains(&answer.status), "{role} {id}: {}", answer.text());
            assert!(answer.status < 500, "{role} {id}: {}", answer.text());
            if answer.status < 400 {
                assert_eq!(answer.header("cache-control"), Some("no-store"), "{role} {id}");
            }
        }
    }
}

#[tokio::test]
async fn a_change_from_elsewhere_is_refused_whatever_the_operation() {
    let t = TestApp::start().await;
    for operation in operations(&t).await {
        let admin = t.admin("owner").stepped_up(&t);
        let cookie = format!("{}={}", crate::support::COOKIE, admin.token);
        let call = |name: &str, value: &str| {
            t.call(method(&operation), &path(&operation))
                .header("cookie", &cookie)
                .header(name, value)
        };
        call("sec-fetch-site", "cross-site").await.fails(403, "FORBIDDEN");
        call("sec-fetch-site", "same-site").await.fails(403, "FORBIDDEN");
        if operation.method != "GET" {
            call("origin", "https://evil.example").await.fails(403, "FORBIDDEN");
            call("x-nothing", "says where it comes from").await.fails(403, "FORBIDDEN");
        }
    }
}

#[tokio::test]
async fn the_document_is_the_reviewed_one_and_for_administrators() {
    let t = TestApp::start().await;
    t.get(DOCUMENT).await.fails(401, "UNAUTHORIZED");
    let answer = t.admin("viewer").get(DOCUMENT).await;
    let document = answer.text();
    has_unique_keys(&document);
    let public: Vec<&str> =
        OPERATIONS.iter().filter(|(_, access)| *access == PUBLIC).map(|(id, _)| *id).collect();
    are_described(&operations_in(&answer.ok()), &public);
    hides_nothing(&operations_in(&answer.ok()));
    let folder = tempfile::tempdir().unwrap();
    let done = command(folder.path()).args(["openapi", "--admin"]).output().unwrap();
    assert_eq!(String::from_utf8(done.stdout).unwrap(), format!("{document}\n"));
    is_reviewed(&document, "tests/openapi/admin.json");
}
