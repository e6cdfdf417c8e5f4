//! A structural schema, compiled from `openAPIV3Schema`.
//!
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>

use super::rule::Rule;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;

/// What `additionalProperties` says.
#[derive(Clone, Debug)]
pub(crate) enum Additional {
    /// `true`: anything.
    Any,
    /// `false`: nothing.
    None,
    /// Values of this shape.
    Of(Box<Shape>),
}

/// `x-kubernetes-list-type`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum List {
    #[default]
    Atomic,
    Set,
    Map,
}

/// A pattern and its text.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub source: String,
    pub regex: Regex,
}

/// Limits of a number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Range {
    pub maximum: Option<Value>,
    pub exclusive_maximum: bool,
    pub minimum: Option<Value>,
    pub exclusive_minimum: bool,
    pub multiple_of: Option<Value>,
}

/// Limits of lengths: of texts, lists and maps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sizes {
    pub max_length: Option<u64>,
    pub min_length: Option<u64>,
    pub max_items: Option<u64>,
    pub min_items: Option<u64>,
    pub max_properties: Option<u64>,
    pub min_properties: Option<u64>,
}

/// One node of a schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    /// `object`, `array`, `string`, `integer`, `number`, `boolean`, or empty.
    pub type_: String,
    pub format: String,
    pub description: String,
    pub nullable: bool,
    pub default: Option<Value>,
    pub properties: BTreeMap<String, Shape>,
    pub additional: Option<Additional>,
    pub items: Option<Box<Shape>>,
    pub required: Vec<String>,
    pub preserves: bool,
    pub embedded: bool,
    pub int_or_string: bool,
    pub list: List,
    /// Of a list of type map.
    pub keys: Vec<String>,
    /// Whether a map or an object is replaced as a whole.
    pub atomic: bool,
    pub range: Range,
    pub sizes: Sizes,
    pub unique: bool,
    pub pattern: Option<Pattern>,
    pub choices: Vec<Value>,
    pub all_of: Vec<Shape>,
    pub any_of: Vec<Shape>,
    pub one_of: Vec<Shape>,
    pub not: Option<Box<Shape>>,
    pub rules: Vec<Rule>,
}

fn text(schema: &Value, key: &str) -> String {
    schema[key].as_str().unwrap_or_default().to_owned()
}

fn flag(schema: &Value, key: &str) -> bool {
    schema[key].as_bool().unwrap_or(false)
}

fn texts(schema: &Value, key: &str) -> Vec<String> {
    schema[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn shapes(schema: &Value, key: &str) -> Vec<Shape> {
    schema[key].as_array().into_iter().flatten().map(Shape::compile).collect()
}

fn number(schema: &Value, key: &str) -> Option<Value> {
    schema.get(key).filter(|value| value.is_number()).cloned()
}

impl Shape {
    /// Compiles a schema that has passed the rules of CustomResourceDefinitions; what makes no
    /// sense is left out.
    pub fn compile(schema: &Value) -> Shape {
        let size = |key: &str| schema[key].as_u64();
        let pattern = schema["pattern"]
            .as_str()
            .filter(|source| !source.is_empty())
            .and_then(|source| Regex::new(source).ok().map(|regex| Pattern { source: source.to_owned(), regex }));
        Shape {
            type_: text(schema, "type"),
            format: text(schema, "format"),
            description: text(schema, "description"),
            nullable: flag(schema, "nullable"),
            default: schema.get("default").filter(|value| !value.is_null()).cloned(),
            properties: properties(schema),
            additional: match &schema["additionalProperties"] {
                Value::Bool(true) => Some(Additional::Any),
                Value::Bool(false) => Some(Additional::None),
                of @ Value::Object(_) => Some(Additional::Of(Box::new(Shape::compile(of)))),
                _ => None,
            },
            items: schema["items"].is_object().then(|| Box::new(Shape::compile(&schema["items"]))),
            required: texts(schema, "required"),
            preserves: flag(schema, "x-kubernetes-preserve-unknown-fields"),
            embedded: flag(schema, "x-kubernetes-embedded-resource"),
            int_or_string: flag(schema, "x-kubernetes-int-or-string"),
            list: match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => List::Set,
                Some("map") => List::Map,
                _ => List::Atomic,
            },
            keys: texts(schema, "x-kubernetes-list-map-keys"),
            atomic: schema["x-kubernetes-map-type"] == "atomic",
            range: Range {
                maximum: number(schema, "maximum"),
                exclusive_maximum: flag(schema, "exclusiveMaximum"),
                minimum: number(schema, "minimum"),
                exclusive_minimum: flag(schema, "exclusiveMinimum"),
                multiple_of: number(schema, "multipleOf"),
            },
            sizes: Sizes {
                max_length: size("maxLength"),
                min_length: size("minLength"),
                max_items: size("maxItems"),
                min_items: size("minItems"),
                max_properties: size("maxProperties"),
                min_properties: size("minProperties"),
            },
            unique: flag(schema, "uniqueItems"),
            pattern,
            choices: schema["enum"].as_array().cloned().unwrap_or_default(),
            all_of: shapes(schema, "allOf"),
            any_of: shapes(schema, "anyOf"),
            one_of: shapes(schema, "oneOf"),
            not: schema["not"].is_object().then(|| Box::new(Shape::compile(&schema["not"]))),
            rules: Rule::compile_all(&schema["x-kubernetes-validations"]),
        }
    }

    /// Whether anything below has a rule in CEL.
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
            || self.properties.values().any(Shape::has_rules)
            || self.items.as_ref().is_some_and(|items| items.has_rules())
            || matches!(&self.additional, Some(Additional::Of(values)) if values.has_rules())
    }
}

fn properties(schema: &Value) -> BTreeMap<String, Shape> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.map(|(name, schema)| (name.clone(), Shape::compile(schema))).collect()
}
