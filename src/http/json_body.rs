//! `JsonBody<T>`: a JSON object as a request body, documented as `T`.
//!
//! Stricter and more helpful than poem-openapi's `Json<T>`: the body must be a JSON object without
//! U+0000 in any text (SQLite and C libraries cut there), its fields must have the documented types
//! (`Json` takes the number 7 for the text "7"), and a wrong body is answered with the name of the
//! field that is wrong. What the client sent never appears in the error.

use poem::{Request, RequestBody, Result};
use poem_openapi::payload::{Json, ParsePayload, Payload};
use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use serde_json::Value;

use super::error::ApiError;
use super::error_code::ErrorCode;
use super::schema_check::{self, Wrong};

/// A request body of type `T`. Without `Content-Type: application/json` the request is 415.
#[derive(Clone, Debug)]
pub struct JsonBody<T>(pub T);

impl<T: Type> Payload for JsonBody<T> {
    const CONTENT_TYPE: &'static str = Json::<T>::CONTENT_TYPE;

    fn check_content_type(content_type: &str) -> bool {
        Json::<T>::check_content_type(content_type)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: ParseFromJSON + 'static> ParsePayload for JsonBody<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(_request: &Request, body: &mut RequestBody) -> Result<Self> {
        let bytes = body.take()?.into_bytes().await?;
        Ok(Self(parse(&bytes)?))
    }
}

poem_openapi::impl_apirequest_for_payload!(JsonBody<T>, T: ParseFromJSON + 'static);

fn parse<T: ParseFromJSON + 'static>(bytes: &[u8]) -> Result<T, ApiError> {
    let value = object(bytes)?;
    if let Some(wrong) = schema_check::first_wrong_field::<T>(&value) {
        return Err(wrong.into());
    }
    T::parse_from_json(Some(value)).map_err(|err| {
        // Rare: a rule that the schema does not show. Parse again to look for the field.
        match object(bytes) {
            Ok(value) => explain::<T>(&value, err.message()),
            Err(err) => err,
        }
    })
}

/// The JSON object in `bytes`, or what is wrong with them.
pub(super) fn object(bytes: &[u8]) -> Result<Value, ApiError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|err| {
        let (line, column) = (err.line(), err.column());
        ApiError::new(ErrorCode::InvalidRequest).message(
            format!("请求内容不是有效的 JSON（第 {line} 行第 {column} 列）"),
            format!("The body is not valid JSON (line {line}, column {column})"),
        )
    })?;
    if !value.is_object() {
        return Err(ApiError::new(ErrorCode::InvalidRequest)
            .message("请求内容必须是 JSON 对象", "The body must be a JSON object"));
    }
    if contains_nul(&value) {
        return Err(ApiError::new(ErrorCode::InvalidRequest).message(
            "请求内容不能包含 U+0000 字符",
            "The body must not contain the character U+0000",
        ));
    }
    Ok(value)
}

/// Bounded by serde_json's limit of 128 levels.
fn contains_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(contains_nul),
        Value::Object(members) => {
            members.iter().any(|(key, value)| key.contains('\0') || contains_nul(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Names the field that made `T` refuse `value`: the one in `message`, else found by trying.
fn explain<T: ParseFromJSON + 'static>(value: &Value, message: &str) -> ApiError {
    let field = validated_field(message).map(str::to_owned);
    match field.or_else(|| refused_field::<T>(value, message)) {
        Some(field) => ApiError::invalid_field(&field),
        None => ApiError::new(ErrorCode::InvalidRequest),
    }
}

/// The name in poem-openapi's ``field `name` verification failed``.
fn validated_field(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("field `")?;
    let (name, rest) = rest.split_once('`')?;
    rest.starts_with(" verification failed").then_some(name)
}

/// For rules the schema does not show (a type with its own parser). Fields are parsed one after
/// the other, so without a field behind the refused one the complaint stays the same; seen from
/// the end, the first whose absence changes it is the one.
fn refused_field<T: ParseFromJSON + 'static>(value: &Value, message: &str) -> Option<String> {
    let members = value.as_object()?;
    let names = schema_check::property_names::<T>();
    let culprit =
        names.into_iter().rev().filter(|name| members.contains_key(*name)).find(|name| {
            let mut without = members.clone();
            without.remove(*name);
            match T::parse_from_json(Some(Value::Object(without))) {
                Ok(_) => true,
                Err(err) => err.message() != message,
            }
        })?;
    Some(culprit.to_owned())
}

impl From<Wrong> for ApiError {
    fn from(wrong: Wrong) -> Self {
        let (zh, en) = wrong.message();
        Self::invalid_field(&wrong.field).message(zh, en)
    }
}

#[cfg(test)]
mod tests {
    use poem_openapi::{Enum, NewType, Object};

    use super::*;
    use crate::http::context::Language;

    #[derive(Debug, Enum)]
    #[oai(rename_all = "lowercase")]
    enum Mode {
        Draft,
        Final,
    }

    #[derive(Debug, Object)]
    #[oai(rename_all = "camelCase")]
    struct Person {
        #[oai(validator(min_length = 1, max_length = 4))]
        nick_name: Option<String>,
    }

    #[derive(Debug, NewType)]
    #[oai(from_json = false)]
    struct Even(i64);

    impl ParseFromJSON for Even {
        fn parse_from_json(value: Option<Value>) -> poem_openapi::types::ParseResult<Self> {
            match value.and_then(|value| value.as_i64()) {
                Some(number) if number % 2 == 0 => Ok(Self(number)),
                _ => Err(poem_openapi::types::ParseError::custom("odd")),
            }
        }
    }

    #[derive(Debug, Object)]
    #[oai(rename_all = "camelCase")]
    struct Sample {
        code: String,
        #[oai(validator(minimum(value = "1"), maximum(value = "10")))]
        sample_count: Option<i64>,
        mode: Option<Mode>,
        user_info: Option<Person>,
        #[oai(validator(max_items = 2))]
        tags: Option<Vec<String>>,
        even: Option<Even>,
        #[oai(default)]
        is_open: bool,
    }

    fn refused(body: &str) -> ApiError {
        let err = parse::<Sample>(body.as_bytes()).expect_err(body);
        assert_eq!(err.code(), ErrorCode::InvalidRequest);
        err
    }

    fn field(body: &str) -> String {
        let err = refused(body);
        let field = err.details()["field"].as_str().expect(body).to_owned();
        assert!(err.text(Language::Zh).contains(&field) && err.text(Language::En).contains(&field));
        field
    }

    #[test]
    fn a_good_body_passes_and_unknown_fields_are_ignored() {
        let body = r#"{"code":"c","sampleCount":3,"mode":"draft","userInfo":{"nickName":"小明"},
                       "tags":["a"],"even":4,"isOpen":null,"new":[1]}"#;
        let sample: Sample = parse(body.as_bytes()).unwrap();
        assert_eq!((sample.code.as_str(), sample.sample_count), ("c", Some(3)));
        let bare: Sample = parse(br#"{"code":"","userInfo":null}"#).unwrap();
        assert!(bare.user_info.is_none() && !bare.is_open);
    }

    #[test]
    fn the_wrong_field_is_named() {
        assert_eq!(field("{}"), "code");
        assert_eq!(field(r#"{"code":null}"#), "code");
        assert_eq!(field(r#"{"code":7}"#), "code");
        assert_eq!(field(r#"{"code":"c","sampleCount":"3"}"#), "sampleCount");
        assert_eq!(field(r#"{"code":"c","sampleCount":1.5}"#), "sampleCount");
        assert_eq!(field(r#"{"code":"c","sampleCount":0}"#), "sampleCount");
        assert_eq!(field(r#"{"code":"c","sampleCount":11}"#), "sampleCount");
        assert_eq!(field(r#"{"code":"c","sampleCount":99999999999999999999}"#), "sampleCount");
        assert_eq!(field(r#"{"code":"c","mode":"fast"}"#), "mode");
        assert_eq!(field(r#"{"code":"c","userInfo":"x"}"#), "userInfo");
        assert_eq!(field(r#"{"code":"c","userInfo":{"nickName":""}}"#), "userInfo.nickName");
        assert_eq!(
            field(r#"{"code":"c","userInfo":{"nickName":"五个汉字啊"}}"#),
            "userInfo.nickName"
        );
        assert_eq!(field(r#"{"code":"c","tags":["a","b","c"]}"#), "tags");
        assert_eq!(field(r#"{"code":"c","tags":["a",1]}"#), "tags[1]");
        assert_eq!(field(r#"{"code":"c","isOpen":"yes"}"#), "isOpen");
    }

    #[test]
    fn a_rule_the_schema_does_not_show_is_found_too() {
        assert_eq!(field(r#"{"code":"c","even":3,"isOpen":true,"mode":"draft"}"#), "even");
    }

    #[test]
    fn messages_say_what_is_expected() {
        let text = |body| refused(body).text(Language::En).to_owned();
        assert_eq!(text("{}"), "`code` is required");
        assert_eq!(text(r#"{"code":"c","mode":"x"}"#), "`mode` must be one of: draft, final");
        assert_eq!(text(r#"{"code":"c","sampleCount":0}"#), "`sampleCount` must be from 1 to 10");
        assert_eq!(
            text(r#"{"code":"c","userInfo":{"nickName":""}}"#),
            "`userInfo.nickName` must have 1 to 4 characters"
        );
    }

    #[test]
    fn what_is_no_json_object_of_text_is_refused() {
        for body in [
            "",
            " ",
            "nonsense",
            "null",
            "[]",
            "\"x\"",
            "7",
            r#"{"code":"c"}x"#,
            r#"{"code":"a\u0000b"}"#,
            r#"{"code":"c","x":{"y":["\u0000"]}}"#,
            r#"{"code":"c","k\u0000":1}"#,
        ] {
            refused(body);
        }
        assert!(parse::<Sample>(b"{\"code\":\"\xff\"}").is_err());
        let deep = format!("{{\"code\":\"c\",\"x\":{}", "[".repeat(100_000));
        refused(&deep);
    }
}
