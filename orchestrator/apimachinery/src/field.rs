//! Validation errors with field paths, as upstream's `field.Error`.

use std::fmt;

/// What is wrong with a field; the names are upstream's cause reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// `FieldValueRequired`
    Required,
    /// `FieldValueInvalid`
    Invalid,
    /// `FieldValueNotSupported`
    NotSupported,
    /// `FieldValueDuplicate`
    Duplicate,
    /// `FieldValueForbidden`
    Forbidden,
    /// `FieldValueNotFound`
    NotFound,
    /// `FieldValueTooLong`
    TooLong,
    /// `FieldValueTooMany`
    TooMany,
    /// `FieldValueTypeInvalid`
    TypeInvalid,
}

impl Reason {
    /// The cause's `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Required => "FieldValueRequired",
            Reason::Invalid => "FieldValueInvalid",
            Reason::NotSupported => "FieldValueNotSupported",
            Reason::Duplicate => "FieldValueDuplicate",
            Reason::Forbidden => "FieldValueForbidden",
            Reason::NotFound => "FieldValueNotFound",
            Reason::TooLong => "FieldValueTooLong",
            Reason::TooMany => "FieldValueTooMany",
            Reason::TypeInvalid => "FieldValueTypeInvalid",
        }
    }
}

/// A path such as `spec.containers[0].image`; children are made from parents.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Path(String);

impl Path {
    /// The path of a top-level field.
    pub fn new(field: &str) -> Self {
        Path(field.to_owned())
    }
    /// A path that is already written out.
    pub fn from_text(text: String) -> Self {
        Path(text)
    }
    /// A field below.
    pub fn child(&self, field: &str) -> Self {
        if self.0.is_empty() { Path(field.to_owned()) } else { Path(format!("{}.{field}", self.0)) }
    }
    /// An element below.
    pub fn index(&self, index: usize) -> Self {
        Path(format!("{}[{index}]", self.0))
    }
    /// A map's entry below.
    pub fn key(&self, key: &str) -> Self {
        Path(format!("{}[{key}]", self.0))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One error of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// What is wrong.
    pub reason: Reason,
    /// Where.
    pub field: String,
    /// The text after the path, as upstream prints it: `Invalid value: "x": must be …`.
    pub message: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// The errors of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errors(pub Vec<FieldError>);

impl Errors {
    fn push(&mut self, reason: Reason, path: &Path, message: String) {
        self.0.push(FieldError { reason, field: path.to_string(), message });
    }
    /// `Required value` or `Required value: detail`.
    pub fn required(&mut self, path: &Path, detail: &str) {
        let tail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        self.push(Reason::Required, path, format!("Required value{tail}"));
    }
    /// `Invalid value: VALUE: detail`; the value is printed as JSON.
    pub fn invalid(&mut self, path: &Path, value: impl serde::Serialize, detail: &str) {
        let shown = serde_json::to_string(&value).unwrap_or_default();
        self.push(Reason::Invalid, path, format!("Invalid value: {shown}: {detail}"));
    }
    /// `Invalid value: detail`, where showing the value would tell nothing.
    pub fn invalid_whole(&mut self, path: &Path, detail: &str) {
        self.push(Reason::Invalid, path, format!("Invalid value: {detail}"));
    }
    /// `Unsupported value: VALUE: supported values: "A", "B"`.
    pub fn not_supported(&mut self, path: &Path, value: &str, supported: &[&str]) {
        let mut names: Vec<String> = supported.iter().map(|name| format!("{name:?}")).collect();
        names.sort();
        let list = names.join(", ");
        self.push(Reason::NotSupported, path, format!("Unsupported value: {value:?}: supported values: {list}"));
    }
    /// `Duplicate value: VALUE`.
    pub fn duplicate(&mut self, path: &Path, value: impl serde::Serialize) {
        let shown = serde_json::to_string(&value).unwrap_or_default();
        self.push(Reason::Duplicate, path, format!("Duplicate value: {shown}"));
    }
    /// `Forbidden: detail`.
    pub fn forbidden(&mut self, path: &Path, detail: &str) {
        self.push(Reason::Forbidden, path, format!("Forbidden: {detail}"));
    }
    /// `Not found: VALUE`.
    pub fn not_found(&mut self, path: &Path, value: impl serde::Serialize) {
        let shown = serde_json::to_string(&value).unwrap_or_default();
        self.push(Reason::NotFound, path, format!("Not found: {shown}"));
    }
    /// `Too long: may not be more than MAX bytes`.
    pub fn too_long(&mut self, path: &Path, max: usize) {
        self.push(Reason::TooLong, path, format!("Too long: may not be more than {max} bytes"));
    }
    /// `Too many: FOUND: must have at most MAX items`.
    pub fn too_many(&mut self, path: &Path, found: usize, max: usize) {
        self.push(Reason::TooMany, path, format!("Too many: {found}: must have at most {max} items"));
    }
    /// `expected WHAT, got VALUE`: a value of the wrong JSON type or format.
    pub fn type_invalid(&mut self, path: &Path, message: String) {
        self.push(Reason::TypeInvalid, path, message);
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
