//! What WeChat Pay answers to which call.

use std::sync::atomic::Ordering;

use poem::http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;

use super::authorization::{self, Merchant};
use super::bills;
use super::fields::{self, Field, Kind, required};
use super::keys::Signer;
use super::refunds::{Asked, RefundOutcome};
use super::refusal::Refusal;
use super::{Books, PayCall, WechatPaySim, apiv3_key};
use crate::sandbox::crypto;
use crate::sandbox::journal::Journal;
use crate::sandbox::listener::{Call, Reply, Simulator};
use crate::sandbox::plan::Faults;
use crate::sandbox::wechat::WechatSim;

const BY_NUMBER: &str = "/v3/pay/transactions/out-trade-no/";
const BY_ID: &str = "/v3/pay/transactions/id/";
const REFUNDS: &str = "/v3/refund/domestic/refunds";

const CLOSE: &[Field] = &[required("mchid", Kind::Text(32))];

/// What a call is about.
enum Target<'a> {
    Prepay,
    ByNumber(&'a str),
    ById(&'a str),
    Close(&'a str),
    Refund,
    QueryRefund(&'a str),
    Certificates,
    Bill,
    BillFile,
}

impl Target<'_> {
    fn kind(&self) -> PayCall {
        match self {
            Self::Prepay => PayCall::Prepay,
            Self::ByNumber(_) | Self::ById(_) => PayCall::Query,
            Self::Close(_) => PayCall::Close,
            Self::Refund => PayCall::Refund,
            Self::QueryRefund(_) => PayCall::QueryRefund,
            Self::Certificates => PayCall::Certificates,
            Self::Bill => PayCall::Bill,
            Self::BillFile => PayCall::BillFile,
        }
    }
}

fn target(call: &Call) -> Option<Target<'_>> {
    let path = call.path.as_str();
    let (is_get, is_post) = (call.method == Method::GET, call.method == Method::POST);
    match path {
        "/v3/pay/transactions/jsapi" if is_post => return Some(Target::Prepay),
        REFUNDS if is_post => return Some(Target::Refund),
        "/v3/certificates" if is_get => return Some(Target::Certificates),
        "/v3/bill/tradebill" if is_get => return Some(Target::Bill),
        "/v3/billdownload/file" if is_get => return Some(Target::BillFile),
        _ => {}
    }
    if let Some(number) = path.strip_prefix(BY_NUMBER) {
        return match number.strip_suffix("/close") {
            Some(number) if is_post => Some(Target::Close(number)),
            None if is_get => Some(Target::ByNumber(number)),
            _ => None,
        };
    }
    if !is_get {
        return None;
    }
    let refund = path.strip_prefix(REFUNDS).and_then(|rest| rest.strip_prefix('/'));
    path.strip_prefix(BY_ID).map(Target::ById).or(refund.map(Target::QueryRefund))
}

impl Simulator for WechatPaySim {
    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn faults(&self, call: &Call) -> Option<&Faults> {
        target(call).map(|target| self.faults_of(target.kind()))
    }

    fn error(&self, call: &Call, code: i64) -> Reply {
        let status = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let is_refund = matches!(target(call), Some(Target::Refund));
        let code = match status.as_u16() {
            400 => "INVALID_REQUEST",
            401 => "SIGN_ERROR",
            403 if is_refund => "NOT_ENOUGH",
            403 => "NO_AUTH",
            404 => "RESOURCE_NOT_EXISTS",
            429 => "FREQUENCY_LIMITED",
            _ => "SYSTEM_ERROR",
        };
        let refusal = Refusal::new(status, code, "the sandbox was told to fail");
        let signer = self.signing.signer_for(call).unwrap_or_else(|_| self.signing.any_signer());
        self.refuse(&refusal, signer)
    }

    async fn answer(&self, call: &Call) -> Reply {
        let signer = match self.admit(call) {
            Ok(signer) => signer,
            Err(refusal) => return self.refuse(&refusal, self.signing.any_signer()),
        };
        match self.act(call) {
            Ok(Answer::Json(body)) => self.sign(Reply::json(StatusCode::OK, &body), signer),
            Ok(Answer::Done) => self.sign(Reply::empty(StatusCode::NO_CONTENT), signer),
            Ok(Answer::File(body)) => Reply {
                status: StatusCode::OK,
                content_type: "text/plain;charset=utf-8",
                headers: Vec::new(),
                body,
            },
            Err(refusal) => self.refuse(&refusal, signer),
        }
    }
}

enum Answer {
    Json(Value),
    Done,
    /// Not signed: there is a checksum for it.
    File(Vec<u8>),
}

impl WechatPaySim {
    /// Who calls is the merchant; the key the answer is signed with.
    fn admit(&self, call: &Call) -> Result<&'static Signer, Refusal> {
        let keys = self.signing.keys;
        let merchant = Merchant {
            mchid: Self::MCHID,
            serial: &keys.merchant.id,
            public_key: &keys.merchant.public_der,
        };
        authorization::check(call, &merchant, &self.nonces, self.clock.now())?;
        self.signing.signer_for(call)
    }

    fn act(&self, call: &Call) -> Result<Answer, Refusal> {
        let now = self.clock.now();
        let target = target(call).ok_or_else(|| {
            Refusal::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", "请求的资源不存在")
        })?;
        if matches!(target, Target::ByNumber(_) | Target::ById(_))
            && call.query("mchid") != Self::MCHID
        {
            return Err(Refusal::param("mchid", "缺少或错误的商户号"));
        }
        let mut books = self.books.lock();
        let Books { orders, refunds } = &mut *books;
        let of = (WechatSim::APPID, Self::MCHID);
        match target {
            Target::Prepay => {
                let id = orders.prepay(&call.body, of, now, &self.rng)?;
                Ok(Answer::Json(serde_json::json!({ "prepay_id": id })))
            }
            Target::ByNumber(number) => {
                let order = orders.find(number, now).ok_or_else(Refusal::no_order)?;
                Ok(Answer::Json(order.answer(of.0, of.1)))
            }
            Target::ById(id) => {
                let number = orders.number_of(id).ok_or_else(Refusal::no_order)?;
                let order = orders.find(&number, now).ok_or_else(Refusal::no_order)?;
                Ok(Answer::Json(order.answer(of.0, of.1)))
            }
            Target::Close(number) => {
                if fields::check(&call.body, CLOSE)?["mchid"] != Self::MCHID {
                    return Err(Refusal::param("/mchid", "与请求头中的商户号不一致"));
                }
                orders.close(number, now).map(|()| Answer::Done)
            }
            Target::Refund => {
                let interval = self.refund_interval_ms.load(Ordering::Relaxed);
                let well = RefundOutcome::Success { after_ms: 0 };
                let outcome = || self.refund_outcomes.take().unwrap_or(well);
                let asked = refunds.ask(&call.body, orders, now, &self.rng, interval, outcome)?;
                let refund = match asked {
                    Asked::Again(refund) => refund,
                    Asked::New(refund) => {
                        self.announce_refund(&refund);
                        // Accepted is all that it is at first.
                        let mut answer = refund.answer(now);
                        answer["status"] = "PROCESSING".into();
                        if let Some(members) = answer.as_object_mut() {
                            members.remove("success_time");
                        }
                        return Ok(Answer::Json(answer));
                    }
                };
                Ok(Answer::Json(refund.answer(now)))
            }
            Target::QueryRefund(number) => {
                let refund = refunds.find(number);
                let refund = refund.ok_or_else(|| Refusal::no_resource("退款单不存在"))?;
                Ok(Answer::Json(refund.answer(now)))
            }
            Target::Certificates => self.signing.download(&apiv3_key()).map(Answer::Json),
            Target::Bill => {
                let books = bills::Books {
                    appid: of.0,
                    mchid: of.1,
                    orders: orders.list(),
                    refunds: refunds.list(),
                };
                let bill = self.bills.ask(call, &books, &self.base(), now, &self.rng)?;
                Ok(Answer::Json(bill))
            }
            Target::BillFile => self.bills.file(call, now).map(Answer::File),
        }
    }

    /// Every answer has a signature but those to callers who have none.
    fn refuse(&self, refusal: &Refusal, signer: &Signer) -> Reply {
        let old_spelling = self.old_spelling.load(Ordering::Relaxed);
        let reply = Reply::json(refusal.status, &refusal.body(old_spelling));
        match refusal.status {
            StatusCode::UNAUTHORIZED => self.with_request_id(reply),
            _ => self.sign(reply, signer),
        }
    }

    fn sign(&self, reply: Reply, signer: &Signer) -> Reply {
        let signed = self.signing.headers(&reply.body, self.clock.now(), signer);
        signed.list().into_iter().fold(self.with_request_id(reply), |reply, (name, value)| {
            match HeaderValue::try_from(value) {
                Ok(value) => reply.with_header(HeaderName::from_static(name), value),
                Err(_) => reply,
            }
        })
    }

    fn with_request_id(&self, reply: Reply) -> Reply {
        let id = format!("{}-0", crypto::hex(&self.rng.bytes::<16>()).to_uppercase());
        match HeaderValue::try_from(id) {
            Ok(id) => reply.with_header(HeaderName::from_static("request-id"), id),
            Err(_) => reply,
        }
    }
}
