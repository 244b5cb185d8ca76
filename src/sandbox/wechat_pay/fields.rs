//! The strict check of a request body: no unknown member, no `null`, every type and length.

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// What a member must be.
pub(super) enum Kind {
    /// Text of so many characters at most, at least one.
    Text(usize),
    /// A whole number from 1.
    Fen,
    /// Yes or no.
    Flag,
    /// An object with these members.
    Object(&'static [Field]),
    /// Anything: parts of the protocol that the product does not use.
    Any,
}

/// A member of a body.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
}

/// A member that must be there.
pub(super) const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, is_required: true }
}

/// A member that may be absent, but not `null`.
pub(super) const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, is_required: false }
}

/// Checks a body.
pub(super) fn check(body: &[u8], fields: &[Field]) -> Result<Value, Refusal> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|err| Refusal::param("/", format!("请求不是合法的JSON: {err}")))?;
    object(&value, fields, "")?;
    Ok(value)
}

fn object(value: &Value, fields: &[Field], path: &str) -> Result<(), Refusal> {
    let Some(members) = value.as_object() else {
        return Err(Refusal::param(format!("{path}/"), "不是对象"));
    };
    known(members, fields, path)?;
    for field in fields {
        let at = format!("{path}/{}", field.name);
        match members.get(field.name) {
            None if field.is_required => return Err(Refusal::param(at, "缺少必填参数")),
            None => {}
            Some(Value::Null) => return Err(Refusal::param(at, "参数不能为null")),
            Some(value) => member(value, &field.kind, at)?,
        }
    }
    Ok(())
}

fn known(members: &Map<String, Value>, fields: &[Field], path: &str) -> Result<(), Refusal> {
    match members.keys().find(|name| fields.iter().all(|field| field.name != name.as_str())) {
        Some(name) => Err(Refusal::param(format!("{path}/{name}"), "传入了未定义的参数")),
        None => Ok(()),
    }
}

fn member(value: &Value, kind: &Kind, at: String) -> Result<(), Refusal> {
    let problem = match (kind, value) {
        (Kind::Any, _) | (Kind::Flag, Value::Bool(_)) => None,
        (Kind::Text(max), Value::String(text)) => match text.chars().count() {
            0 => Some("参数不能为空".to_owned()),
            length if length > *max => Some(format!("长度{length}超过了最大值{max}")),
            _ => None,
        },
        (Kind::Fen, Value::Number(number)) => match number.as_i64() {
            Some(1..) => None,
            _ => Some("金额必须是大于0的整数".to_owned()),
        },
        (Kind::Object(fields), Value::Object(_)) => return object(value, fields, &at),
        _ => Some("参数类型不正确".to_owned()),
    };
    problem.map_or(Ok(()), |problem| Err(Refusal::param(at, problem)))
}

/// Whether `text` has so many characters, all of them letters, digits or one of `others`.
pub(super) fn is_number(text: &str, length: std::ops::RangeInclusive<usize>, others: &str) -> bool {
    length.contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// Whether an address may be notified: https without a query, and plain http on this machine, which
/// the real one refuses and a sandbox needs.
pub(super) fn check_notify_url(text: &str) -> Result<(), Refusal> {
    let problem = |text: &str| Err(Refusal::param("/notify_url", text));
    let Ok(url) = url::Url::parse(text) else { return problem("不是合法的URL") };
    let is_here = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => return problem("不是合法的URL"),
    };
    if url.query().is_some() || url.fragment().is_some() {
        return problem("通知URL不能携带参数");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        _ => problem("通知URL必须为https"),
    }
}
