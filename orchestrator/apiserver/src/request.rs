//! What a request asks for: its path, its query, the answers that it accepts.

pub use crate::accept::{Media, Shape, negotiate};
use crate::auth::Attributes;
use http::Method;
use orchestrator_apimachinery::ApiError;
use orchestrator_apimachinery::apply::check_manager;
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::schema::FieldValidation;
use orchestrator_apimachinery::selector::FieldSelector;

/// The parameters after the `?`, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes `a=b&c=d`.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let decode = |part: &str| {
            let spaced = part.replace('+', " ");
            percent_decode(&spaced).ok_or_else(|| ApiError::bad_request("the query is not percent-encoded UTF-8"))
        };
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decode(key)?, decode(value)?));
        }
        Ok(Query(pairs))
    }

    /// The first value of a parameter.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter; absent and empty are the same.
    pub fn text(&self, key: &str) -> &str {
        self.get(key).unwrap_or_default()
    }

    /// Whether a parameter is true, as upstream reads it: also when it stands without a value.
    pub fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value != "0" && !value.eq_ignore_ascii_case("false"))
    }

    /// A whole number.
    pub fn number(&self, key: &str) -> Result<Option<i64>, ApiError> {
        match self.text(key) {
            "" => Ok(None),
            text => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(ApiError::bad_request(not_a_number("ParseInt", text))),
            },
        }
    }

    /// Checks the numbers of a list or watch, also those that it has no use for.
    pub fn check_numbers(&self) -> Result<(), ApiError> {
        ["limit", "timeoutSeconds"].iter().try_for_each(|key| self.number(key).map(drop))
    }

    /// Whether `dryRun=All` was asked for; an error names `options`, such as `PatchOptions`.
    pub fn dry_run(&self, options: &str) -> Result<bool, ApiError> {
        match self.get("dryRun") {
            None | Some("") => Ok(false),
            Some("All") => Ok(true),
            Some(other) => {
                let mut errors = Errors::default();
                errors.not_supported(&Path::new("dryRun"), other, &["All"]);
                Err(ApiError::invalid("meta.k8s.io", options, "", &errors))
            }
        }
    }

    /// What `fieldManager` says; an error names `options`, such as `PatchOptions`.
    pub fn field_manager(&self, options: &str) -> Result<Option<&str>, ApiError> {
        let name = self.text("fieldManager");
        let mut errors = Errors::default();
        check_manager(name, &mut errors);
        match errors.is_empty() {
            true => Ok(Some(name).filter(|name| !name.is_empty())),
            false => Err(ApiError::invalid("meta.k8s.io", options, "", &errors)),
        }
    }

    /// Checks what goes with a patch: an apply names its manager, and alone may use force.
    pub fn check_patch(&self, apply: bool) -> Result<(), ApiError> {
        let mut errors = Errors::default();
        if apply && self.text("fieldManager").is_empty() {
            errors.required(&Path::new("fieldManager"), "is required for apply patch");
        }
        if !apply && self.get("force").is_some() {
            errors.forbidden(&Path::new("force"), "may not be specified for non-apply patch");
        }
        match errors.is_empty() {
            true => Ok(()),
            false => Err(ApiError::invalid("meta.k8s.io", "PatchOptions", "", &errors)),
        }
    }

    /// What `fieldValidation` says; unknown fields are warned about when it says nothing.
    /// An error names `options`, such as `PatchOptions`.
    pub fn field_validation(&self, options: &str) -> Result<FieldValidation, ApiError> {
        match self.text("fieldValidation") {
            "" | "Warn" => Ok(FieldValidation::Warn),
            "Strict" => Ok(FieldValidation::Strict),
            "Ignore" => Ok(FieldValidation::Ignore),
            other => {
                let mut errors = Errors::default();
                errors.not_supported(&Path::new("fieldValidation"), other, &["Ignore", "Strict", "Warn"]);
                Err(ApiError::invalid("meta.k8s.io", options, "", &errors))
            }
        }
    }
}

/// Bytes of a wrong number that an error shows.
const NUMBER_SHOWN_MAX: usize = 64;

/// What upstream says of a text that is no whole number.
pub(crate) fn not_a_number(function: &str, text: &str) -> String {
    let digits = text.strip_prefix(['-', '+']).filter(|_| function == "ParseInt").unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let why = if is_number { "value out of range" } else { "invalid syntax" };
    let shown: String = text.chars().take(NUMBER_SHOWN_MAX).collect();
    format!("strconv.{function}: parsing {shown:?}: {why}")
}

fn percent_decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            out.extend(hex::decode(bytes.get(at + 1..at + 3)?).ok()?);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).ok()
}

/// The resource that a path names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// "" for the core group.
    pub group: String,
    /// `v1`
    pub version: String,
    /// `pods`
    pub plural: String,
    /// "" for cluster-wide kinds, and for all namespaces.
    pub namespace: String,
    /// "" for collections.
    pub name: String,
    /// "" for the resource itself.
    pub subresource: String,
    /// What follows `proxy`, as it came: "" or with a slash in front.
    pub tail: String,
}

/// What a path is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A resource.
    Resource(Target),
    /// Anything else.
    Other,
}

impl Route {
    /// Reads a path. Parts that could leave their place in a store's key are refused.
    pub fn parse(path: &str) -> Result<Route, ApiError> {
        let bad = || ApiError::bad_request("the path is not valid");
        if path.len() > crate::limits::URI_BYTES_MAX {
            return Err(ApiError::new(414, "", "the path is too long"));
        }
        let mut raw: Vec<&str> = path.strip_prefix('/').ok_or_else(bad)?.split('/').collect();
        let tail = proxied(&mut raw);
        // A slash at the end says nothing, as upstream.
        if raw.len() > 1 && raw.last() == Some(&"") {
            raw.pop();
        }
        let (start, resource) = match raw.first() {
            Some(&"api") => (2, raw.len() > 2),
            Some(&"apis") => (3, raw.len() > 3),
            _ => (0, false),
        };
        if !resource || raw[start..] == [""] {
            return Ok(Route::Other);
        }
        let mut parts = Vec::with_capacity(raw.len());
        for part in raw {
            let part = percent_decode(part).ok_or_else(bad)?;
            let wild = part.is_empty() || part == "." || part == ".." || part.contains(['/', '\0', '%']);
            if wild || part.chars().any(char::is_control) {
                return Err(bad());
            }
            parts.push(part);
        }
        let (group, version) =
            if start == 2 { (String::new(), parts[1].clone()) } else { (parts[1].clone(), parts[2].clone()) };
        let rest: Vec<&str> = parts[start..].iter().map(String::as_str).collect();
        let (namespace, plural, rest) = match rest.as_slice() {
            ["namespaces"] => ("", "namespaces", &[][..]),
            ["namespaces", _] | ["namespaces", _, "finalize" | "status"] => ("", "namespaces", &rest[1..]),
            ["namespaces", namespace, plural, ..] => (*namespace, *plural, &rest[3..]),
            [plural, ..] => ("", *plural, &rest[1..]),
            [] => return Ok(Route::Other),
        };
        if rest.len() > 2 {
            return Err(ApiError::no_such_path());
        }
        let part = |index: usize| rest.get(index).map_or_else(String::new, ToString::to_string);
        let (namespace, plural) = (namespace.to_owned(), plural.to_owned());
        Ok(Route::Resource(Target { group, version, plural, namespace, name: part(0), subresource: part(1), tail }))
    }
}

/// Takes from the parts of a path what is meant for someone behind a proxy.
fn proxied(parts: &mut Vec<&str>) -> String {
    let proxy = match parts.as_slice() {
        ["api", _, "namespaces", _, _, _, "proxy", ..] => 6,
        ["api", _, plural, _, "proxy", ..] if *plural != "namespaces" => 4,
        _ => return String::new(),
    };
    let tail = parts.split_off(proxy + 1);
    if tail.is_empty() { String::new() } else { format!("/{}", tail.join("/")) }
}

/// What authorization is asked about a request.
pub fn attributes(method: &Method, path: &str, route: &Route, query: &Query) -> Attributes {
    let Route::Resource(target) = route else {
        let verb = method.as_str().to_lowercase();
        return Attributes { verb, path: path.to_owned(), ..Attributes::default() };
    };
    let (mut name, mut field_selector) = (target.name.clone(), String::new());
    let verb = match *method {
        Method::GET | Method::HEAD if !name.is_empty() => "get",
        Method::GET | Method::HEAD if query.flag("watch") => "watch",
        Method::GET | Method::HEAD => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if name.is_empty() => "deletecollection",
        Method::DELETE => "delete",
        _ => "",
    };
    if matches!(verb, "list" | "watch" | "deletecollection") {
        field_selector = query.text("fieldSelector").to_owned();
        let selector = FieldSelector::parse(&field_selector).unwrap_or_default();
        name = selector.exact("metadata.name").unwrap_or_default().to_owned();
    }
    // A Namespace lies in itself: a RoleBinding in it may allow to read it, as upstream.
    let itself = target.group.is_empty() && target.plural == "namespaces";
    let namespace = if itself { target.name.clone() } else { target.namespace.clone() };
    Attributes {
        verb: verb.to_owned(),
        group: target.group.clone(),
        version: target.version.clone(),
        resource: target.plural.clone(),
        subresource: target.subresource.clone(),
        namespace,
        name,
        path: path.to_owned(),
        field_selector,
    }
}

/// Reads arbitrary bytes as a path, a query and an Accept header; must not panic.
pub fn fuzz(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (path, query) = text.split_once('?').unwrap_or((&text, ""));
    if let Ok(Route::Resource(target)) = Route::parse(path) {
        for part in [&target.group, &target.plural, &target.namespace, &target.name] {
            assert!(!part.contains('/') && part != "..", "a part of a path stays in its place");
        }
    }
    let _ = Query::parse(query);
    let _ = negotiate(Some(&text), true);
}

#[cfg(test)]
mod tests;
