//! `/healthz`, `/livez` and `/readyz`, with a path for each check.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/health-checks/>

use crate::body::Response;
use crate::request::Query;
use crate::respond;
use std::fmt::Write;

const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// One check and whether it is passed.
pub(crate) struct Check {
    /// As it is called in paths and in `exclude`.
    pub name: &'static str,
    /// `None` when it is passed, else why not.
    pub failed: Option<&'static str>,
}

impl Check {
    pub fn new(name: &'static str, passed: bool, why: &'static str) -> Self {
        Check { name, failed: (!passed).then_some(why) }
    }
}

/// Splits `/livez/etcd` into the endpoint and the check, which may be "".
pub(crate) fn endpoint(path: &str) -> Option<(&'static str, &str)> {
    ["healthz", "livez", "readyz"].into_iter().find_map(|endpoint| {
        let rest = path.strip_prefix('/')?.strip_prefix(endpoint)?;
        match rest.strip_prefix('/') {
            Some(check) => Some((endpoint, check)),
            None => rest.is_empty().then_some((endpoint, "")),
        }
    })
}

/// The answer of an endpoint; `None` when there is no such check.
pub(crate) fn answer(endpoint: &str, check: &str, query: &Query, checks: &[Check]) -> Option<Response> {
    if !check.is_empty() {
        let found = checks.iter().find(|known| known.name == check)?;
        return Some(match found.failed {
            None => text(200, "ok".into()),
            Some(why) => text(500, format!("internal server error: {why}\n")),
        });
    }
    let excluded: Vec<&str> = query.all("exclude").collect();
    let (mut report, mut failed) = (String::new(), false);
    // Writing to a String cannot fail.
    for check in checks {
        let _ = match check.failed {
            _ if excluded.contains(&check.name) => writeln!(report, "[+]{} excluded: ok", check.name),
            None => writeln!(report, "[+]{} ok", check.name),
            Some(_) => {
                failed = true;
                writeln!(report, "[-]{} failed: reason withheld", check.name)
            }
        };
    }
    let unknown: Vec<String> = excluded
        .iter()
        .filter(|name| !checks.iter().any(|check| check.name == **name))
        .map(|name| format!("{name:?}"))
        .collect();
    if !unknown.is_empty() {
        let _ = writeln!(report, "warn: some health checks cannot be excluded: no matches for {}", unknown.join(","));
    }
    if failed {
        return Some(text(500, format!("{report}{endpoint} check failed\n")));
    }
    Some(match query.get("verbose") {
        Some(_) => text(200, format!("{report}{endpoint} check passed\n")),
        None => text(200, "ok".into()),
    })
}

fn text(code: u16, text: String) -> Response {
    let mut response = respond::bytes(code, PLAIN_TEXT, text);
    response.headers_mut().insert("x-content-type-options", http::HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;
