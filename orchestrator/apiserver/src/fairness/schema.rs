//! FlowSchemas, compiled: which requests they are about.

use crate::auth::{Attributes, service_account};
use crate::identity::Identity;
use http::header::HeaderValue;
use orchestrator_apimachinery::meta;
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A FlowSchema.
pub(super) struct FlowSchema {
    pub name: String,
    pub uid: Option<HeaderValue>,
    pub precedence: i64,
    /// The name of its priority level.
    pub level: String,
    by: By,
    rules: Vec<Rule>,
}

/// What tells the flows of one schema apart.
enum By {
    Nothing,
    User,
    Namespace,
}

struct Rule {
    subjects: Vec<Subject>,
    resources: Vec<ResourceRule>,
    /// Verbs and paths.
    paths: Vec<(Vec<String>, Vec<String>)>,
}

enum Subject {
    User(String),
    Group(String),
    ServiceAccount(String, String),
}

struct ResourceRule {
    verbs: Vec<String>,
    groups: Vec<String>,
    resources: Vec<String>,
    cluster_scope: bool,
    namespaces: Vec<String>,
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn holds(list: &[String], text: &str) -> bool {
    list.iter().any(|one| one == "*" || one == text)
}

impl FlowSchema {
    /// From the object; `None` when it names no level.
    pub fn of(object: &Value) -> Option<Self> {
        let spec = &object["spec"];
        Some(FlowSchema {
            name: meta::name(object).to_owned(),
            uid: object["metadata"]["uid"].as_str().and_then(|uid| HeaderValue::from_str(uid).ok()),
            precedence: spec["matchingPrecedence"].as_i64().unwrap_or(1000),
            level: spec["priorityLevelConfiguration"]["name"].as_str()?.to_owned(),
            by: match spec["distinguisherMethod"]["type"].as_str() {
                Some("ByUser") => By::User,
                Some("ByNamespace") => By::Namespace,
                _ => By::Nothing,
            },
            rules: items(&spec["rules"]).map(Rule::of).collect(),
        })
    }

    pub fn matches(&self, who: &Identity, what: &Attributes) -> bool {
        self.rules.iter().any(|rule| rule.matches(who, what))
    }

    /// A number that tells the flow of a request from others.
    pub fn flow(&self, who: &Identity, what: &Attributes) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.name.hash(&mut hasher);
        match self.by {
            By::Nothing => {}
            By::User => who.name.hash(&mut hasher),
            By::Namespace => what.namespace.hash(&mut hasher),
        }
        hasher.finish()
    }
}

impl Rule {
    fn of(rule: &Value) -> Self {
        let subject = |subject: &Value| {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            match subject["kind"].as_str()? {
                "User" => Some(Subject::User(text(&subject["user"]["name"])?)),
                "Group" => Some(Subject::Group(text(&subject["group"]["name"])?)),
                _ => {
                    let account = &subject["serviceAccount"];
                    Some(Subject::ServiceAccount(text(&account["namespace"])?, text(&account["name"])?))
                }
            }
        };
        let resource = |rule: &Value| ResourceRule {
            verbs: texts(&rule["verbs"]),
            groups: texts(&rule["apiGroups"]),
            resources: texts(&rule["resources"]),
            cluster_scope: rule["clusterScope"].as_bool().unwrap_or(false),
            namespaces: texts(&rule["namespaces"]),
        };
        Rule {
            subjects: items(&rule["subjects"]).filter_map(subject).collect(),
            resources: items(&rule["resourceRules"]).map(resource).collect(),
            paths: items(&rule["nonResourceRules"])
                .map(|rule| (texts(&rule["verbs"]), texts(&rule["nonResourceURLs"])))
                .collect(),
        }
    }

    fn matches(&self, who: &Identity, what: &Attributes) -> bool {
        let about = match &*what.resource {
            "" => self.paths.iter().any(|(verbs, paths)| holds(verbs, &what.verb) && of_path(paths, &what.path)),
            _ => self.resources.iter().any(|rule| rule.matches(what)),
        };
        about && self.subjects.iter().any(|subject| subject.matches(who))
    }
}

fn of_path(paths: &[String], path: &str) -> bool {
    paths.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => pattern == path,
    })
}

impl Subject {
    fn matches(&self, who: &Identity) -> bool {
        match self {
            Subject::User(name) => name == "*" || *name == who.name,
            Subject::Group(name) => name == "*" || who.groups.contains(name),
            Subject::ServiceAccount(namespace, name) => {
                service_account(&who.name).is_some_and(|(home, own)| home == namespace && (name == "*" || name == own))
            }
        }
    }
}

impl ResourceRule {
    fn matches(&self, what: &Attributes) -> bool {
        let Attributes { verb, group, resource, subresource, namespace, .. } = what;
        let placed = match &**namespace {
            "" => self.cluster_scope,
            namespace => holds(&self.namespaces, namespace),
        };
        let named = match &**subresource {
            "" => holds(&self.resources, resource),
            part => self
                .resources
                .iter()
                .any(|one| one == "*" || one.split_once('/').is_some_and(|(own, of)| own == resource && of == part)),
        };
        placed && named && holds(&self.verbs, verb) && holds(&self.groups, group)
    }
}
