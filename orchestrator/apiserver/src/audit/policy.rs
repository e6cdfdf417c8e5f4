//! The policy: `audit.k8s.io/v1 Policy`, whose first matching rule decides.

use super::Stage;
use crate::auth::Attributes;
use crate::identity::Identity;
use serde::Deserialize;

/// How much of a request is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing.
    #[default]
    None,
    /// Who, what, when, and how it ended.
    Metadata,
    /// And the object that was sent.
    Request,
    /// And the object that was answered.
    RequestResponse,
}

impl Level {
    /// As the log spells it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Level::None => "None",
            Level::Metadata => "Metadata",
            Level::Request => "Request",
            Level::RequestResponse => "RequestResponse",
        }
    }
}

/// Why a policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is no YAML, or of another form.
    #[error("the audit policy cannot be read: {0}")]
    Form(String),
    /// A field says something that it cannot.
    #[error("the audit policy is not valid: {0}")]
    Invalid(String),
}

/// What is written of which request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    #[expect(dead_code, reason = "accepted, and of no meaning")]
    metadata: serde::de::IgnoredAny,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    omit_stages: Vec<Stage>,
    #[serde(default)]
    omit_managed_fields: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    level: Level,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    user_groups: Vec<String>,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    resources: Vec<Resources>,
    #[serde(default)]
    namespaces: Vec<String>,
    #[serde(default, rename = "nonResourceURLs")]
    paths: Vec<String>,
    #[serde(default)]
    omit_stages: Vec<Stage>,
    #[serde(default)]
    omit_managed_fields: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Resources {
    #[serde(default)]
    group: String,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    resource_names: Vec<String>,
}

/// What the policy says of one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Decision {
    pub level: Level,
    pub omit_stages: Vec<Stage>,
    pub omit_managed_fields: bool,
}

impl Policy {
    /// Reads a policy from YAML or JSON.
    pub fn parse(text: &[u8]) -> Result<Self, PolicyError> {
        use orchestrator_apimachinery::codec::{Format, decode};
        let form = |why: String| PolicyError::Form(why);
        let decoded = decode(Format::Yaml, text, &|_, _| None).map_err(|error| form(error.message))?;
        if let Some(twice) = decoded.duplicates.first() {
            return Err(form(twice.clone()));
        }
        let policy: Policy = serde_json::from_value(decoded.value).map_err(|error| form(error.to_string()))?;
        policy.check().map_err(PolicyError::Invalid)?;
        Ok(policy)
    }

    fn check(&self) -> Result<(), String> {
        if self.api_version != "audit.k8s.io/v1" || self.kind != "Policy" {
            return Err(format!("it is {} {}, not audit.k8s.io/v1 Policy", self.api_version, self.kind));
        }
        if self.rules.is_empty() {
            return Err("it has no rules".into());
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let field = format!("rules[{index}]");
            let of_resources = !rule.resources.is_empty() || !rule.namespaces.is_empty();
            if of_resources && !rule.paths.is_empty() {
                return Err(format!(
                    "{field}.nonResourceURLs: rules cannot apply to both regular resources and non-resource URLs"
                ));
            }
            for path in &rule.paths {
                let star = path.strip_suffix('*').unwrap_or(path);
                if path != "*" && (!path.starts_with('/') || star.contains('*')) {
                    return Err(format!(
                        "{field}.nonResourceURLs: {path:?} must begin with '/' and hold '*' at its end only"
                    ));
                }
            }
            for entry in &rule.resources {
                if entry.group.contains('/') {
                    return Err(format!("{field}.resources.group: {:?} must not hold a version", entry.group));
                }
                if !entry.resource_names.is_empty() && entry.resources.is_empty() {
                    return Err(format!(
                        "{field}.resources.resourceNames: using resourceNames requires at least one resource"
                    ));
                }
            }
        }
        Ok(())
    }

    pub(super) fn decide(&self, who: &Identity, what: &Attributes) -> Decision {
        let Some(rule) = self.rules.iter().find(|rule| rule.matches(who, what)) else { return Decision::default() };
        Decision {
            level: rule.level,
            omit_stages: self.omit_stages.iter().chain(&rule.omit_stages).copied().collect(),
            omit_managed_fields: rule.omit_managed_fields.unwrap_or(self.omit_managed_fields),
        }
    }
}

impl Rule {
    fn matches(&self, who: &Identity, what: &Attributes) -> bool {
        let any = |list: &[String], text: &str| list.is_empty() || list.iter().any(|one| one == text);
        let of_group = self.user_groups.is_empty() || who.groups.iter().any(|group| self.user_groups.contains(group));
        if !any(&self.users, &who.name) || !of_group || !any(&self.verbs, &what.verb) {
            return false;
        }
        if self.resources.is_empty() && self.namespaces.is_empty() && self.paths.is_empty() {
            return true;
        }
        if what.resource.is_empty() {
            return self.paths.iter().any(|path| match path.strip_suffix('*') {
                Some(start) => what.path.starts_with(start),
                None => *path == what.path,
            });
        }
        if !self.paths.is_empty() || !any(&self.namespaces, &what.namespace) {
            return false;
        }
        self.resources.is_empty() || self.resources.iter().any(|entry| entry.matches(what))
    }
}

impl Resources {
    fn matches(&self, what: &Attributes) -> bool {
        if self.group != what.group {
            return false;
        }
        let named = self.resource_names.is_empty() || self.resource_names.contains(&what.name);
        if self.resources.is_empty() {
            return true;
        }
        let Attributes { resource, subresource, .. } = what;
        let full = if subresource.is_empty() { resource.clone() } else { format!("{resource}/{subresource}") };
        named
            && self.resources.iter().any(|pattern| {
                *pattern == full
                    || pattern == "*"
                    || pattern.strip_prefix("*/").is_some_and(|part| !subresource.is_empty() && part == subresource)
                    || pattern.strip_suffix("/*").is_some_and(|part| part == resource)
            })
    }
}
