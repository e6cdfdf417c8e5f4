//! Streams and proxies to what objects stand for: admission decides on what is asked of them (`PodExecOptions` and
//! the like) before anything is upgraded.

use super::current;
use crate::admission::{self, Operation};
use crate::auth::{self, Attributes};
use crate::body::{Request, Response};
use crate::registry::Writing;
use crate::resources::Asked;
use crate::respond;
use crate::stream::{self, RemoteCommand, StreamContext, query};
use http::Uri;
use http::uri::PathAndQuery;
use orchestrator_apimachinery::ApiError;
use orchestrator_apimachinery::schema::FieldValidation;
use serde_json::{Map, Value, json};

/// A parameter of the query and how it stands in the options.
enum Parameter {
    Flag,
    Text,
    Texts,
    Ports,
}

/// The parameters of a subresource.
fn parameters(subresource: &str) -> &'static [(&'static str, Parameter)] {
    use Parameter::{Flag, Ports, Text, Texts};
    match subresource {
        "exec" => &[
            ("stdin", Flag),
            ("stdout", Flag),
            ("stderr", Flag),
            ("tty", Flag),
            ("container", Text),
            ("command", Texts),
        ],
        "attach" => &[("stdin", Flag), ("stdout", Flag), ("stderr", Flag), ("tty", Flag), ("container", Text)],
        "portforward" => &[("ports", Ports)],
        _ => &[],
    }
}

/// The options kind of a request, filled from its query; what is false or empty is left out, as upstream writes it.
fn options(asked: &Asked<'_>) -> Result<Value, ApiError> {
    let name = &*asked.target.subresource;
    let mut options = Map::new();
    if let Some((_, version, kind)) = asked.kind.subresource(name).and_then(|part| part.body.as_ref()) {
        options.insert("kind".into(), json!(kind));
        options.insert("apiVersion".into(), json!(version));
    }
    for (parameter, form) in parameters(name) {
        let all = || asked.query.all(parameter);
        let value = match form {
            Parameter::Flag => asked.query.flag(parameter).then_some(Value::Bool(true)),
            Parameter::Text => asked.query.get(parameter).filter(|text| !text.is_empty()).map(|text| json!(text)),
            Parameter::Texts => Some(json!(all().collect::<Vec<_>>())),
            Parameter::Ports => {
                let ports = stream::port_numbers(all())?;
                (!ports.is_empty()).then(|| json!(ports))
            }
        };
        if let Some(value) = value {
            options.insert((*parameter).to_owned(), value);
        }
    }
    if name == "proxy" {
        let path = asked.target.tail.trim_start_matches('/');
        if !path.is_empty() {
            options.insert("path".into(), json!(path));
        }
    }
    Ok(Value::Object(options))
}

/// The query that says the same as options do.
fn query_of(options: &Value) -> String {
    let mut pairs = Vec::new();
    let mut push = |name: &str, value: &Value| match value {
        Value::String(text) => pairs.push(format!("{name}={}", query::encode(text))),
        Value::Bool(_) | Value::Number(_) => pairs.push(format!("{name}={value}")),
        _ => {}
    };
    for (name, value) in options.as_object().into_iter().flatten() {
        match value {
            Value::Array(values) => values.iter().for_each(|value| push(name, value)),
            _ if matches!(name.as_str(), "kind" | "apiVersion") => {}
            value => push(name, value),
        }
    }
    pairs.join("&")
}

/// Asks admission about a stream; what to warn of. The options as they were admitted take the place of the
/// query, so that nobody reads another one of parameters that came twice (of proxies nothing can be changed).
async fn admit(asked: &Asked<'_>, request: &mut Request) -> Result<Vec<String>, ApiError> {
    let mut options = options(asked)?;
    let writing = Writing {
        kind: asked.kind,
        who: asked.who,
        what: asked.what,
        dry_run: false,
        validation: FieldValidation::Ignore,
        manager: String::new(),
        applied: false,
        warnings: Vec::new(),
    };
    let warnings = admission::admit(&asked.server.registry, &writing, Operation::Connect, &mut options).await?;
    if asked.target.subresource != "proxy" {
        let place = format!("{}?{}", request.uri().path(), query_of(&options));
        let place: PathAndQuery = place.parse().map_err(ApiError::internal)?;
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.path_and_query = Some(place);
        *request.uri_mut() = Uri::from_parts(parts).map_err(ApiError::internal)?;
    }
    Ok(warnings)
}

/// WebSockets start with a GET, which must not make a right to read one to connect.
async fn check_right(asked: &Asked<'_>) -> Result<(), ApiError> {
    let connect = Attributes { verb: "create".into(), ..asked.what.clone() };
    asked.may(asked.who, &connect).await.map_err(|why| auth::forbidden(asked.who, &connect, &why))
}

pub(super) async fn port_forward(asked: &Asked<'_>, mut request: Request) -> Result<Response, ApiError> {
    check_right(asked).await?;
    let warnings = admit(asked, &mut request).await?;
    let response = stream::port_forward(&asked.streams(), &current(asked).await?, request).await?;
    Ok(respond::warned(response, &warnings))
}

pub(super) async fn remote_command(
    asked: &Asked<'_>,
    mut request: Request,
    action: RemoteCommand,
) -> Result<Response, ApiError> {
    check_right(asked).await?;
    let warnings = admit(asked, &mut request).await?;
    let response = stream::remote_command(&asked.streams(), &current(asked).await?, action, request).await?;
    Ok(respond::warned(response, &warnings))
}

pub(super) async fn proxy(asked: &Asked<'_>, mut request: Request) -> Result<Response, ApiError> {
    let (plural, registry) = (&*asked.kind.plural, &asked.server.registry);
    let name = stream::Name::parse(&asked.target.name, plural)?;
    let warnings = admit(asked, &mut request).await?;
    let object = registry.get(asked.kind, &asked.target.namespace, name.name).await?;
    let object = serde_json::from_slice(&object.bytes()).map_err(ApiError::internal)?;
    let behind = stream::Behind { plural, object: &object, name, tail: &asked.target.tail };
    let response = stream::proxy(&asked.streams(), &registry.caller, behind, request).await?;
    Ok(respond::warned(response, &warnings))
}

impl Asked<'_> {
    pub(super) fn streams(&self) -> StreamContext<'_> {
        StreamContext { dialer: &self.server.dialer, tasks: &self.server.tasks }
    }
}
