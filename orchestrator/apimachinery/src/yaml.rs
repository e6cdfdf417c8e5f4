//! The one YAML door: reading manifests as kubectl would, writing YAML that kubectl reads back.
//!
//! Scalars follow kubectl, which reads YAML 1.1: `on` is true, `0644` is 420.

mod locate;
#[cfg(test)]
mod tests;

use crate::codec::Strict;
use crate::limits::{YAML_ALIAS_EVENTS_MAX, YAML_DEPTH_MAX, YAML_DOCUMENT_BYTES_MAX, YAML_NODES_MAX};
use serde_json::Value;

/// Why a document is not YAML that we accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("document {document}, line {line}: {message}")]
pub struct YamlError {
    /// 1 for the first document.
    pub document: usize,
    /// Line in the whole text, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// One document of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// 1 for the first document of the text.
    pub index: usize,
    /// The line where it starts, from 1.
    pub line: usize,
    /// Its content; duplicate keys are refused.
    pub value: Value,
}

/// All non-empty documents of a text; JSON is YAML.
pub fn parse_all(text: &str) -> Result<Vec<Document>, YamlError> {
    if text.trim_start().starts_with('{')
        && let Some(documents) = parse_json(text)
    {
        return Ok(documents);
    }
    let mut documents = Vec::new();
    for part in split(text) {
        let index = documents.len() + 1;
        let value = parse_one(part.text).map_err(|(line, message)| YamlError {
            document: index,
            line: part.line + line.max(1) - 1,
            message,
        })?;
        if !value.is_null() {
            documents.push(Document { index, line: part.line, value });
        }
    }
    Ok(documents)
}

/// The line (from 1, in the whole text) where a dotted field path such as
/// `spec.containers[0].image` stands in the document that starts at `start_line`, if it can be found.
///
/// When the last fields of the path are absent (a required one is missing), it is the line of the
/// nearest field above that is there.
pub fn line_of(text: &str, start_line: usize, path: &str) -> Option<usize> {
    let part = split(text).into_iter().find(|part| part.line == start_line)?;
    let tree: locate::Tree = serde_yaml::from_str_with_options(part.text, options()).ok()?;
    Some(part.line + tree.line_of(path)? - 1)
}

/// YAML text of a value.
pub fn to_string(value: &Value) -> String {
    // JSON is YAML too, should the writer ever refuse a value.
    serde_yaml::to_string(value).unwrap_or_else(|_| value.to_string())
}

/// Feeds arbitrary bytes to the reader; what is read must be written and read back the same.
pub fn fuzz(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(documents) = parse_all(&text) else { return };
    for document in documents {
        line_of(&text, document.line, "spec.containers[0].image");
        let written = to_string(&document.value);
        let again = parse_all(&written).map(|again| again.into_iter().map(|one| one.value).collect::<Vec<_>>());
        assert_eq!(again, Ok(vec![document.value]), "{written}");
    }
}

/// A stretch of text between `---` lines.
struct Part<'a> {
    line: usize,
    text: &'a str,
}

/// Cuts a text at its document markers; parts of nothing but blanks and comments are left out.
/// A part starts at its first line of content, or at a marker that has content behind it.
fn split(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut current: Option<(usize, usize)> = None;
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let end = offset + line.len();
        let marker = |name: &str| {
            line.strip_prefix(name)
                .filter(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_whitespace()))
        };
        let start = marker("---");
        if start.is_some() || marker("...").is_some() {
            if let Some((line, from)) = current.take() {
                parts.push(Part { line, text: &text[from..offset] });
            }
            if start.is_some_and(has_content) {
                current = Some((number + 1, offset));
            }
        } else if current.is_none() && has_content(line) && !line.starts_with('%') {
            current = Some((number + 1, offset));
        }
        offset = end;
    }
    if let Some((line, from)) = current {
        parts.push(Part { line, text: &text[from..] });
    }
    parts
}

fn has_content(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}').trim();
    !line.is_empty() && !line.starts_with('#')
}

/// The value of one document, or the line (from 1, in the document) and text of the error.
fn parse_one(text: &str) -> Result<Value, (usize, String)> {
    if text.len() > YAML_DOCUMENT_BYTES_MAX {
        return Err((1, format!("the document is longer than {YAML_DOCUMENT_BYTES_MAX} bytes")));
    }
    serde_yaml::from_str_with_options::<Value>(text, options()).map_err(|error| {
        let line = error.location().map_or(1, |at| usize::try_from(at.line()).unwrap_or(1));
        (line, plain(&error.without_snippet().to_string()))
    })
}

/// The first line of the parser's text without its own place (we name the line of the whole text)
/// and without advice on its options.
fn plain(rendered: &str) -> String {
    let line = rendered.lines().next().unwrap_or_default().trim();
    let message = line.rsplit_once(" at line ").map_or(line, |(message, _)| message);
    match message.strip_prefix("duplicate mapping key: ") {
        Some(rest) => format!("duplicate key {:?}", rest.split(", set ").next().unwrap_or(rest)),
        None => message.split(" by the configured policy").next().unwrap_or(message).to_owned(),
    }
}

fn options() -> serde_yaml::Options {
    let mut options = serde_yaml::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
        non_finite_float_policy: serde_yaml::NonFiniteFloatPolicy::Reject,
    };
    let mut budget = serde_yaml::Budget::default();
    budget.max_depth = YAML_DEPTH_MAX;
    budget.max_nodes = YAML_NODES_MAX;
    budget.max_events = 2 * YAML_NODES_MAX;
    options.budget = Some(budget);
    options.alias_limits.max_total_replayed_events = YAML_ALIAS_EVENTS_MAX;
    options
}

/// JSON documents, one behind the other; `None` when it is not JSON throughout.
fn parse_json(text: &str) -> Option<Vec<Document>> {
    let mut documents = Vec::new();
    let mut offset = 0;
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Strict>();
    loop {
        let blank = text[offset..].len() - text[offset..].trim_start().len();
        let line = 1 + text[..offset + blank].matches('\n').count();
        let Some(next) = stream.next() else { return Some(documents) };
        let strict = next.ok().filter(|strict| strict.duplicates.is_empty())?;
        documents.push(Document { index: documents.len() + 1, line, value: strict.value });
        offset = stream.byte_offset();
    }
}
