//! `GET pods/NAME/log`.

use super::StreamContext;
use super::kubelet::Target;
use super::query::{encode, pairs};
use crate::body::{Response, full};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use orchestrator_apimachinery::field::{Errors, Path};
use orchestrator_apimachinery::{ApiError, meta};
use serde_json::Value;

/// `core/v1 PodLogOptions`, as far as nodes know them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    container: String,
    follow: bool,
    previous: bool,
    timestamps: bool,
    tail_lines: Option<i64>,
    limit_bytes: Option<i64>,
    since_seconds: Option<i64>,
    since_time: Option<String>,
}

impl Options {
    fn parse(query: &str, pod: &str) -> Result<Self, ApiError> {
        let mut options = Options::default();
        for (key, value) in pairs(query) {
            match key.as_str() {
                "container" => options.container = value,
                "follow" => options.follow = boolean(&value),
                "previous" => options.previous = boolean(&value),
                "timestamps" => options.timestamps = boolean(&value),
                "tailLines" => options.tail_lines = Some(integer(&value)?),
                "limitBytes" => options.limit_bytes = Some(integer(&value)?),
                "sinceSeconds" => options.since_seconds = Some(integer(&value)?),
                "sinceTime" if !value.is_empty() => {
                    let time = value.parse::<jiff::Timestamp>();
                    options.since_time =
                        Some(time.map_err(|error| ApiError::bad_request(error.to_string()))?.to_string());
                }
                _ => {}
            }
        }
        let errors = options.errors();
        if errors.is_empty() { Ok(options) } else { Err(ApiError::invalid("", "PodLogOptions", pod, &errors)) }
    }

    fn errors(&self) -> Errors {
        let mut errors = Errors::default();
        let least = [
            ("tailLines", self.tail_lines, 0, "must be greater than or equal to 0"),
            ("limitBytes", self.limit_bytes, 1, "must be greater than 0"),
            ("sinceSeconds", self.since_seconds, 1, "must be greater than 0"),
        ];
        for (field, value, minimum, text) in least {
            if let Some(value) = value.filter(|value| *value < minimum) {
                errors.invalid(&Path::new(field), value, text);
            }
        }
        if self.since_seconds.is_some() && self.since_time.is_some() {
            let text = "at most one of `sinceTime` or `sinceSeconds` may be specified";
            errors.forbidden(&Path::new("sinceSeconds"), text);
        }
        errors
    }

    /// The query for the node.
    fn query(&self) -> String {
        let mut parts = Vec::new();
        for (key, on) in [("follow", self.follow), ("previous", self.previous), ("timestamps", self.timestamps)] {
            if on {
                parts.push(format!("{key}=true"));
            }
        }
        let numbers =
            [("tailLines", self.tail_lines), ("limitBytes", self.limit_bytes), ("sinceSeconds", self.since_seconds)];
        parts.extend(numbers.iter().filter_map(|(key, number)| Some(format!("{key}={}", (*number)?))));
        parts.extend(self.since_time.iter().map(|time| format!("sinceTime={}", encode(time))));
        parts.join("&")
    }
}

/// Only `0` and `false` mean no, as upstream reads them.
pub(super) fn boolean(value: &str) -> bool {
    value != "0" && !value.eq_ignore_ascii_case("false")
}

fn integer(value: &str) -> Result<i64, ApiError> {
    let text = || format!("strconv.ParseInt: parsing {value:?}: invalid syntax");
    value.parse().map_err(|_| ApiError::bad_request(text()))
}

/// Answers with the log of a container of `pod` as text, streamed from its node.
pub async fn log(ctx: &StreamContext<'_>, pod: &Value, query: &str) -> Result<Response, ApiError> {
    let options = Options::parse(query, meta::name(pod))?;
    let container = container(pod, &options.container)?;
    let Some(target) = Target::new(ctx, pod) else {
        // Nothing was logged by a Pod that runs nowhere.
        let mut nothing = Response::new(full(Bytes::new()));
        *nothing.status_mut() = StatusCode::NO_CONTENT;
        return Ok(nothing);
    };
    let path = format!("/containerLogs/{}/{}/{container}?{}", target.namespace, target.pod, options.query());
    let answer = target.get(&path, None).await?;
    if !answer.status().is_success() {
        return Err(target.refusal(answer).await);
    }
    let body = answer.into_body().map_err(Into::into).boxed_unsync();
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
    Ok(response)
}

/// The container that is meant.
pub(super) fn container<'p>(pod: &'p Value, asked: &str) -> Result<&'p str, ApiError> {
    let names = |list: &str| -> Vec<&'p str> {
        pod["spec"][list].as_array().into_iter().flatten().filter_map(|item| item["name"].as_str()).collect()
    };
    let (main, first, name) = (names("containers"), names("initContainers"), meta::name(pod));
    if !asked.is_empty() {
        let mut all = main.iter().chain(&first).copied().chain(names("ephemeralContainers"));
        let found = all.find(|container| *container == asked);
        return found.ok_or_else(|| ApiError::bad_request(format!("container {asked} is not valid for pod {name}")));
    }
    match main.as_slice() {
        [only] => Ok(only),
        [] => Err(ApiError::bad_request(format!("a container name must be specified for pod {name}"))),
        several => {
            let list = several.join(" ");
            let mut text = format!("a container name must be specified for pod {name}, choose one of: [{list}]");
            if !first.is_empty() {
                text += &format!(" or one of the init containers: [{}]", first.join(" "));
            }
            Err(ApiError::bad_request(text))
        }
    }
}
