//! Label and field selectors.
//!
//! The grammar is that of <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/>
//! and <https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/>.

mod lexer;
#[cfg(test)]
mod tests;

use crate::limits::{LABEL_VALUE_BYTES_MAX, SELECTOR_BYTES_MAX};
use crate::status::ApiError;
use lexer::{Lexer, Token};
use serde_json::Value;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

impl Requirement {
    fn matches(&self, actual: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|wanted| wanted == value);
        match self.operator {
            Operator::In => actual.is_some_and(listed),
            Operator::NotIn => !actual.is_some_and(listed),
            Operator::Exists => actual.is_some(),
            Operator::DoesNotExist => actual.is_none(),
            Operator::GreaterThan | Operator::LessThan => {
                let Some(actual) = actual.and_then(|text| text.parse::<i64>().ok()) else { return false };
                let bound = self.values.first().and_then(|text| text.parse::<i64>().ok());
                bound.is_some_and(|bound| match self.operator {
                    Operator::GreaterThan => actual > bound,
                    _ => actual < bound,
                })
            }
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match (self.operator, self.values.as_slice()) {
            (Operator::In, [value]) => write!(f, "{key}={value}"),
            (Operator::In, values) => write!(f, "{key} in ({})", values.join(",")),
            (Operator::NotIn, [value]) => write!(f, "{key}!={value}"),
            (Operator::NotIn, values) => write!(f, "{key} notin ({})", values.join(",")),
            (Operator::Exists, _) => write!(f, "{key}"),
            (Operator::DoesNotExist, _) => write!(f, "!{key}"),
            (Operator::GreaterThan, values) => write!(f, "{key}>{}", values.join(",")),
            (Operator::LessThan, values) => write!(f, "{key}<{}", values.join(",")),
        }
    }
}

/// A label selector in its string form: `a=b,c!=d,e in (f,g),h,!i`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
    nothing: bool,
}

impl LabelSelector {
    /// Parses `labelSelector=…`; the empty text selects everything.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        if text.len() > SELECTOR_BYTES_MAX {
            return Err(ApiError::bad_request(format!("label selector is longer than {SELECTOR_BYTES_MAX} bytes")));
        }
        let refuse = |why: String| ApiError::bad_request(format!("unable to parse requirement: {why}"));
        let requirements = parse_requirements(text).map_err(refuse)?;
        Ok(LabelSelector { requirements, nothing: false })
    }

    /// From a `metav1.LabelSelector` object (`matchLabels`, `matchExpressions`); `null` selects nothing, `{}` everything.
    pub fn from_object(selector: &Value) -> Result<Self, ApiError> {
        if selector.is_null() {
            return Ok(LabelSelector { requirements: Vec::new(), nothing: true });
        }
        let mut requirements = Vec::new();
        for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
            let values = vec![value.as_str().unwrap_or_default().to_owned()];
            requirements.push(requirement(key, Operator::In, values).map_err(ApiError::bad_request)?);
        }
        for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
            let operator = match expression["operator"].as_str().unwrap_or_default() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    let message = format!("{other:?} is not a valid label selector operator");
                    return Err(ApiError::bad_request(message));
                }
            };
            let values = expression["values"].as_array().into_iter().flatten();
            let values = values.filter_map(Value::as_str).map(str::to_owned).collect();
            let key = expression["key"].as_str().unwrap_or_default();
            requirements.push(requirement(key, operator, values).map_err(ApiError::bad_request)?);
        }
        Ok(LabelSelector { requirements, nothing: false })
    }

    /// Whether a label getter satisfies it.
    pub fn matches(&self, label: &dyn Fn(&str) -> Option<String>) -> bool {
        !self.nothing && self.requirements.iter().all(|wanted| wanted.matches(label(&wanted.key).as_deref()))
    }

    /// Whether an object's `metadata.labels` satisfy it.
    pub fn matches_object(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        !self.nothing && self.requirements.iter().all(|wanted| wanted.matches(labels[&wanted.key].as_str()))
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty() && !self.nothing
    }
}

/// The string form, as `Scale.status.selector` carries it; requirements are in the order of keys.
impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts: Vec<(&str, String)> = Vec::new();
        texts.extend(self.requirements.iter().map(|one| (one.key.as_str(), one.to_string())));
        texts.sort();
        let texts: Vec<String> = texts.into_iter().map(|(_, text)| text).collect();
        f.write_str(&texts.join(","))
    }
}

fn parse_requirements(text: &str) -> Result<Vec<Requirement>, String> {
    let mut lexer = Lexer::new(text);
    let mut requirements = Vec::new();
    if lexer.peek() == Token::End {
        return Ok(requirements);
    }
    loop {
        requirements.push(parse_requirement(&mut lexer)?);
        match lexer.next() {
            Token::End => return Ok(requirements),
            Token::Comma if lexer.peek() == Token::End => {
                return Err("found '', expected: identifier after ','".into());
            }
            Token::Comma => {}
            other => return Err(format!("found '{other}', expected: ',' or 'end of string'")),
        }
    }
}

fn parse_requirement(lexer: &mut Lexer<'_>) -> Result<Requirement, String> {
    let negated = lexer.peek() == Token::Not;
    if negated {
        lexer.next();
    }
    let key = match lexer.next() {
        Token::Word(word) => word.to_owned(),
        other => return Err(format!("found '{other}', expected: identifier")),
    };
    if negated {
        return requirement(&key, Operator::DoesNotExist, Vec::new());
    }
    match lexer.peek() {
        Token::End | Token::Comma => requirement(&key, Operator::Exists, Vec::new()),
        Token::Equal | Token::NotEqual | Token::Greater | Token::Less => {
            let operator = match lexer.next() {
                Token::Equal => Operator::In,
                Token::NotEqual => Operator::NotIn,
                Token::Greater => Operator::GreaterThan,
                _ => Operator::LessThan,
            };
            let value = match lexer.peek() {
                Token::Word(word) => {
                    lexer.next();
                    word.to_owned()
                }
                Token::End | Token::Comma => String::new(),
                other => return Err(format!("found '{other}', expected: identifier")),
            };
            requirement(&key, operator, vec![value])
        }
        Token::Word(word @ ("in" | "notin")) => {
            lexer.next();
            let operator = if word == "in" { Operator::In } else { Operator::NotIn };
            requirement(&key, operator, parse_values(lexer)?)
        }
        other => Err(format!("found '{other}', expected: in, notin, =, ==, !=, gt, lt")),
    }
}

/// `(a,b,)`: an empty place is the empty value.
fn parse_values(lexer: &mut Lexer<'_>) -> Result<Vec<String>, String> {
    match lexer.next() {
        Token::Open => {}
        other => return Err(format!("found '{other}', expected: '('")),
    }
    let mut values = Vec::new();
    let mut current = String::new();
    loop {
        match lexer.next() {
            Token::Word(word) if current.is_empty() => current = word.to_owned(),
            Token::Comma => values.push(std::mem::take(&mut current)),
            Token::Close => {
                values.push(current);
                return Ok(values);
            }
            other => return Err(format!("found '{other}', expected: ',', ')' or identifier")),
        }
    }
}

fn requirement(key: &str, operator: Operator, values: Vec<String>) -> Result<Requirement, String> {
    check_key(key)?;
    match operator {
        Operator::In | Operator::NotIn if values.is_empty() => {
            return Err("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty".into());
        }
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            return Err("values: Invalid value: values set must be empty for exists and does not exist".into());
        }
        Operator::GreaterThan | Operator::LessThan if values.iter().any(|value| value.parse::<i64>().is_err()) => {
            return Err("values: Invalid value: for 'Gt', 'Lt' operators, the value must be an integer".into());
        }
        _ => {}
    }
    for value in &values {
        check_value(key, value)?;
    }
    Ok(Requirement { key: key.to_owned(), operator, values })
}

fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    ends(text.chars().next()) && ends(text.chars().next_back()) && text.chars().all(inner)
}

fn check_key(key: &str) -> Result<(), String> {
    let name = key.split_once('/').map_or(key, |(_, name)| name);
    if name.len() > LABEL_VALUE_BYTES_MAX {
        return Err(format!("key: Invalid value: {key:?}: name part must be no more than 63 bytes"));
    }
    if !is_name(name) {
        return Err(format!(
            "key: Invalid value: {key:?}: name part must consist of alphanumeric characters, '-', '_' or '.', and \
             must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex \
             used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        ));
    }
    Ok(())
}

fn check_value(key: &str, value: &str) -> Result<(), String> {
    if value.len() > LABEL_VALUE_BYTES_MAX {
        return Err(format!("values[0][{key}]: Invalid value: {value:?}: must be no more than 63 bytes"));
    }
    if !value.is_empty() && !is_name(value) {
        return Err(format!(
            "values[0][{key}]: Invalid value: {value:?}: a valid label must be an empty string or consist of \
             alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
             'MyValue',  or 'my_value',  or '12345', regex used for validation is \
             '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        ));
    }
    Ok(())
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    path: String,
    equal: bool,
    value: String,
}

/// A field selector: `metadata.name=x,status.phase!=Running`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector {
    terms: Vec<Term>,
}

impl FieldSelector {
    /// Parses `fieldSelector=…`.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        if text.len() > SELECTOR_BYTES_MAX {
            return Err(ApiError::bad_request(format!("field selector is longer than {SELECTOR_BYTES_MAX} bytes")));
        }
        let mut terms = Vec::new();
        for part in split_terms(text).into_iter().filter(|part| !part.is_empty()) {
            let refuse = || ApiError::bad_request(format!("invalid selector: '{text}'; can't understand '{part}'"));
            let at = part.find(['=', '!']).ok_or_else(refuse)?;
            let (path, rest) = part.split_at(at);
            let (equal, value) = if let Some(value) = rest.strip_prefix("!=") {
                (false, value)
            } else if let Some(value) = rest.strip_prefix("==").or_else(|| rest.strip_prefix('=')) {
                (true, value)
            } else {
                return Err(refuse());
            };
            let value = unescape(value).ok_or_else(refuse)?;
            terms.push(Term { path: path.to_owned(), equal, value });
        }
        Ok(FieldSelector { terms })
    }

    /// The paths it speaks of, to be checked against the kind's selectable fields.
    pub fn paths(&self) -> Vec<&str> {
        self.terms.iter().map(|term| term.path.as_str()).collect()
    }

    /// Whether a field getter satisfies it; absent fields are "", which also equals `false` and
    /// `0`, since those are not written.
    pub fn matches(&self, field: &dyn Fn(&str) -> String) -> bool {
        self.terms.iter().all(|term| {
            let actual = field(&term.path);
            let same = actual == term.value || (actual.is_empty() && matches!(term.value.as_str(), "false" | "0"));
            same == term.equal
        })
    }

    /// The value that `path` must equal, if the selector says so (`metadata.name` for single-object watches).
    pub fn exact(&self, path: &str) -> Option<&str> {
        self.terms.iter().find(|term| term.equal && term.path == path).map(|term| term.value.as_str())
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

/// Splits at commas that no backslash escapes.
fn split_terms(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// `\\`, `\,` and `\=` are escapes; any other, and a bare `=`, is an error.
fn unescape(value: &str) -> Option<String> {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(chars.next().filter(|next| matches!(next, '\\' | ',' | '='))?),
            '=' => return None,
            other => text.push(other),
        }
    }
    Some(text)
}

/// The text of an object's field at a dotted path, as field selectors compare it ("" when absent; booleans and numbers printed).
pub fn field_text(object: &Value, path: &str) -> String {
    let mut value = object;
    for name in path.split('.') {
        value = &value[name];
    }
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// Feeds arbitrary bytes to both parsers; what parses must print and parse again to the same.
pub fn fuzz(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(selector) = LabelSelector::parse(&text) {
        let printed = selector.to_string();
        let again = LabelSelector::parse(&printed).map(|again| again.to_string());
        assert_eq!(again.as_ref(), Ok(&printed), "a printed selector parses to itself");
        selector.matches(&|_| None);
    }
    if let Ok(selector) = FieldSelector::parse(&text) {
        selector.matches(&|path| path.to_owned());
    }
}
