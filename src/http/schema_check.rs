//! Finds the field of a request body that breaks its documented schema.
//!
//! The schema is the one in the API's document, so what is found is what the client can read there.
//! Schemas are built once per type and kept: there are as many as request types.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use parking_lot::RwLock;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use serde_json::Value;

/// A field and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// The path of names as the client wrote them: `userInfo.nickName`, `tags[1]`.
    pub(crate) field: String,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    Required,
    Type(&'static str),
    OneOf(String),
    /// Bounds of `unit`s, where there are any.
    Between(Option<f64>, Option<f64>, Unit),
    Other,
}

#[derive(Clone, Copy, Debug)]
enum Unit {
    Value,
    Characters,
    Items,
}

/// The first field of `value`, in the order of declaration, that is not as `T` documents it.
pub(crate) fn first_wrong_field<T: Type + 'static>(value: &Value) -> Option<Wrong> {
    let schema = Schema::of::<T>();
    check(&schema.registry, &schema.root, value, "").filter(|wrong| !wrong.field.is_empty())
}

/// The documented fields of `T`, in the order of declaration.
pub(crate) fn property_names<T: Type + 'static>() -> Vec<&'static str> {
    let schema = Schema::of::<T>();
    resolve(&schema.registry, &schema.root)
        .map(|schema| schema.properties.iter().map(|(name, _)| *name).collect())
        .unwrap_or_default()
}

/// The schema of one type with those it refers to.
struct Schema {
    registry: Registry,
    root: MetaSchemaRef,
}

static SCHEMAS: LazyLock<RwLock<HashMap<TypeId, Arc<Schema>>>> = LazyLock::new(RwLock::default);

impl Schema {
    fn of<T: Type + 'static>() -> Arc<Self> {
        let id = TypeId::of::<T>();
        if let Some(schema) = SCHEMAS.read().get(&id) {
            return Arc::clone(schema);
        }
        let mut registry = Registry::new();
        T::register(&mut registry);
        let schema = Arc::new(Self { registry, root: T::schema_ref() });
        Arc::clone(SCHEMAS.write().entry(id).or_insert(schema))
    }
}

fn resolve<'a>(registry: &'a Registry, schema: &'a MetaSchemaRef) -> Option<&'a MetaSchema> {
    match schema {
        MetaSchemaRef::Inline(schema) => Some(schema),
        MetaSchemaRef::Reference(name) => registry.schemas.get(name),
    }
}

/// Recursion follows the value, whose depth serde_json limits.
fn check(registry: &Registry, schema: &MetaSchemaRef, value: &Value, path: &str) -> Option<Wrong> {
    let schema = resolve(registry, schema)?;
    let wrong = |rule| Some(Wrong { field: path.to_owned(), rule });

    if let Some(found) = schema.all_of.iter().find_map(|part| check(registry, part, value, path)) {
        return Some(found);
    }
    let choices = || schema.any_of.iter().chain(&schema.one_of);
    if choices().next().is_some()
        && choices().all(|choice| check(registry, choice, value, path).is_some())
    {
        return wrong(Rule::Other);
    }
    if !has_type(schema, value) {
        return wrong(Rule::Type(schema.ty));
    }
    if !schema.enum_items.is_empty() && !schema.enum_items.contains(value) {
        let items: Vec<_> = schema
            .enum_items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect();
        return wrong(Rule::OneOf(items.join(", ")));
    }
    match value {
        Value::Number(number) => out_of_range(schema, number.as_f64()?)
            .then(|| wrong(Rule::Between(schema.minimum, schema.maximum, Unit::Value)))?,
        Value::String(text) => {
            let count = text.chars().count();
            let (min, max) = (schema.min_length, schema.max_length);
            outside(count, min, max)
                .then(|| wrong(Rule::between_counts(min, max, Unit::Characters)))?
        }
        Value::Array(items) => {
            let (min, max) = (schema.min_items, schema.max_items);
            if outside(items.len(), min, max) {
                return wrong(Rule::between_counts(min, max, Unit::Items));
            }
            let item_schema = schema.items.as_deref()?;
            items.iter().enumerate().find_map(|(index, item)| {
                check(registry, item_schema, item, &format!("{path}[{index}]"))
            })
        }
        Value::Object(members) => schema.properties.iter().find_map(|(name, property)| {
            let field = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
            match members.get(*name) {
                // An explicit null is an absent field, as poem-openapi has it.
                None | Some(Value::Null) => {
                    schema.required.contains(name).then_some(Wrong { field, rule: Rule::Required })
                }
                Some(member) => check(registry, property, member, &field),
            }
        }),
        Value::Null | Value::Bool(_) => None,
    }
}

fn has_type(schema: &MetaSchema, value: &Value) -> bool {
    match schema.ty {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn out_of_range(schema: &MetaSchema, number: f64) -> bool {
    let below = schema.minimum.is_some_and(|min| {
        number < min || (number <= min && schema.exclusive_minimum == Some(true))
    });
    let above = schema.maximum.is_some_and(|max| {
        number > max || (number >= max && schema.exclusive_maximum == Some(true))
    });
    below || above
}

fn outside(count: usize, min: Option<usize>, max: Option<usize>) -> bool {
    min.is_some_and(|min| count < min) || max.is_some_and(|max| count > max)
}

impl Rule {
    fn between_counts(min: Option<usize>, max: Option<usize>, unit: Unit) -> Self {
        // Limits of lengths are small: the conversion is exact.
        let float = |count: usize| u32::try_from(count).map_or(f64::MAX, f64::from);
        Self::Between(min.map(float), max.map(float), unit)
    }
}

impl Wrong {
    /// What is expected, in Chinese and English.
    pub(crate) fn message(&self) -> (String, String) {
        let field = &self.field;
        match &self.rule {
            Rule::Required => (format!("缺少参数 {field}"), format!("`{field}` is required")),
            Rule::Type(ty) => {
                (format!("参数 {field} 的类型应为 {ty}"), format!("`{field}` must be of type {ty}"))
            }
            Rule::OneOf(items) => (
                format!("参数 {field} 只能是以下之一：{items}"),
                format!("`{field}` must be one of: {items}"),
            ),
            Rule::Between(min, max, unit) => {
                let (zh, en) = range(*min, *max);
                match unit {
                    Unit::Value => {
                        (format!("参数 {field} 应{zh}"), format!("`{field}` must be {en}"))
                    }
                    Unit::Characters => (
                        format!("参数 {field} 的字符数应{zh}"),
                        format!("`{field}` must have {} characters", without_from(&en)),
                    ),
                    Unit::Items => (
                        format!("参数 {field} 的个数应{zh}"),
                        format!("`{field}` must have {} items", without_from(&en)),
                    ),
                }
            }
            Rule::Other => (format!("参数 {field} 不正确"), format!("`{field}` is not valid")),
        }
    }
}

fn range(min: Option<f64>, max: Option<f64>) -> (String, String) {
    match (min, max) {
        (Some(min), Some(max)) => {
            (format!("在 {min} 到 {max} 之间"), format!("from {min} to {max}"))
        }
        (Some(min), None) => (format!("不小于 {min}"), format!("at least {min}")),
        (None, Some(max)) => (format!("不大于 {max}"), format!("at most {max}")),
        (None, None) => ("在允许范围内".to_owned(), "in range".to_owned()),
    }
}

fn without_from(en: &str) -> &str {
    en.strip_prefix("from ").unwrap_or(en)
}
