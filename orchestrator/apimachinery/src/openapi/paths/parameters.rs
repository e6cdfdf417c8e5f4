//! The parameters of operations. Clients look for `dryRun` and `fieldValidation`.

use serde_json::{Value, json};

/// Name, type and description of parameters in the query.
pub(super) struct Query(&'static [(&'static str, &'static str, &'static str)]);

impl Query {
    pub(super) fn all(&self) -> Vec<Value> {
        self.0.iter().map(|(name, kind, what)| query(name, kind, what)).collect()
    }
}

fn query(name: &str, kind: &str, what: &str) -> Value {
    json!({"name": name, "in": "query", "description": what, "schema": {"type": kind, "uniqueItems": true}})
}

/// A part of the path.
pub(super) fn path(name: &str, what: &str) -> Value {
    json!({
        "name": name, "in": "path", "required": true, "description": what,
        "schema": {"type": "string", "uniqueItems": true},
    })
}

pub(super) const COMMON: Query =
    Query(&[("pretty", "string", "If 'true', the answer may be written for people to read.")]);

const DRY_RUN: (&str, &str, &str) = ("dryRun", "string", "With All the request is processed but nothing is stored.");
const MANAGER: (&str, &str, &str) =
    ("fieldManager", "string", "Whoever makes the change, up to 128 printable characters.");
const VALIDATION: (&str, &str, &str) = (
    "fieldValidation",
    "string",
    "What to do with unknown and duplicate fields: Ignore, Warn (the default) or Strict.",
);

pub(super) const WRITE: Query = Query(&[DRY_RUN, MANAGER, VALIDATION]);
pub(super) const PATCH: Query = Query(&[
    DRY_RUN,
    MANAGER,
    VALIDATION,
    ("force", "boolean", "Take over fields that others own. For apply patches only."),
]);
pub(super) const DELETE: Query = Query(&[
    DRY_RUN,
    ("gracePeriodSeconds", "integer", "Seconds before the object is deleted; zero deletes at once."),
    (
        "ignoreStoreReadErrorWithClusterBreakingPotential",
        "boolean",
        "Delete an object that cannot be read from the store.",
    ),
    ("orphanDependents", "boolean", "Deprecated: use propagationPolicy. Whether dependents stay."),
    ("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
]);

const CONTINUE: (&str, &str, &str) = ("continue", "string", "Where to go on, as the part of the list before told.");
const FIELDS: (&str, &str, &str) = ("fieldSelector", "string", "Restricts the list by fields. Defaults to everything.");
const LABELS: (&str, &str, &str) = ("labelSelector", "string", "Restricts the list by labels. Defaults to everything.");
const LIMIT: (&str, &str, &str) = ("limit", "integer", "The most objects to return; the list then tells how to go on.");
const VERSION: (&str, &str, &str) = ("resourceVersion", "string", "From which revision the request may be served.");
const MATCH: (&str, &str, &str) =
    ("resourceVersionMatch", "string", "How resourceVersion is to be understood: Exact or NotOlderThan.");
const INITIAL: (&str, &str, &str) =
    ("sendInitialEvents", "boolean", "Whether a watch starts with all objects, then a bookmark.");
const TIMEOUT: (&str, &str, &str) = ("timeoutSeconds", "integer", "Limits the time of the call.");

pub(super) const SELECT: Query = Query(&[CONTINUE, FIELDS, LABELS, LIMIT, VERSION, MATCH, INITIAL, TIMEOUT]);
pub(super) const LIST: Query = Query(&[
    ("allowWatchBookmarks", "boolean", "Whether a watch may send BOOKMARK events."),
    CONTINUE,
    FIELDS,
    LABELS,
    LIMIT,
    VERSION,
    MATCH,
    INITIAL,
    TIMEOUT,
    ("watch", "boolean", "Watch for changes and return them as a stream of events."),
]);

const CONTAINER: (&str, &str, &str) = ("container", "string", "The container; may be left out when there is only one.");
const STREAMS: [(&str, &str, &str); 4] = [
    ("stderr", "boolean", "Whether to redirect the standard error stream."),
    ("stdin", "boolean", "Whether to redirect the standard input stream."),
    ("stdout", "boolean", "Whether to redirect the standard output stream."),
    ("tty", "boolean", "Whether to allocate a terminal."),
];
const LOG: Query = Query(&[
    CONTAINER,
    ("follow", "boolean", "Follow the log stream."),
    ("insecureSkipTLSVerifyBackend", "boolean", "Do not check the kubelet's certificate."),
    ("limitBytes", "integer", "The most bytes to return."),
    ("previous", "boolean", "Return the log of the container's last run."),
    ("sinceSeconds", "integer", "How far back to start."),
    ("stream", "string", "Which stream to return: All, Stdout or Stderr."),
    ("tailLines", "integer", "The number of lines from the end."),
    ("timestamps", "boolean", "Start each line with its time."),
]);

/// Parameters of a subresource that connects.
pub(super) fn of_connection(name: &str) -> Vec<Value> {
    let streams = || STREAMS.iter().map(|(name, kind, what)| query(name, kind, what));
    let (container, kind, what) = CONTAINER;
    match name {
        "log" => LOG.all(),
        "attach" => [query(container, kind, what)].into_iter().chain(streams()).collect(),
        "exec" => {
            let command = query("command", "string", "The command and its arguments; not run in a shell.");
            [command, query(container, kind, what)].into_iter().chain(streams()).collect()
        }
        "portforward" => vec![query("ports", "integer", "The ports to forward.")],
        _ => vec![query("path", "string", "The path behind the proxy.")],
    }
}
