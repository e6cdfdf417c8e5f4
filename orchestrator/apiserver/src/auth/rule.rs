//! One rule of a Role: which verbs on which resources or paths.

use super::Attributes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// `rbac.authorization.k8s.io/v1 PolicyRule`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Rule {
    pub verbs: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    #[serde(rename = "nonResourceURLs", skip_serializing_if = "Vec::is_empty")]
    pub non_resource_urls: Vec<String>,
}

fn holds(list: &[String], wanted: &str) -> bool {
    list.iter().any(|item| item == "*" || item == wanted)
}

/// `*`, `pods`, `pods/log`, or `*/log` for that subresource of everything.
fn resource_matches(pattern: &str, resource: &str, subresource: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    match pattern.split_once('/') {
        None => subresource.is_empty() && pattern == resource,
        Some((left, right)) => !subresource.is_empty() && right == subresource && (left == "*" || left == resource),
    }
}

fn url_matches(pattern: &str, path: &str) -> bool {
    pattern == path || pattern.strip_suffix('*').is_some_and(|start| path.starts_with(start))
}

impl Rule {
    /// The rules in a Role's or ClusterRole's JSON; what cannot be read grants nothing.
    pub fn all_of(role: &Value) -> Vec<Rule> {
        let each = role["rules"].as_array().into_iter().flatten();
        each.filter_map(|rule| Rule::deserialize(rule).ok()).collect()
    }

    /// Whether it allows this request.
    pub fn allows(&self, what: &Attributes) -> bool {
        if !holds(&self.verbs, &what.verb) {
            return false;
        }
        if what.resource.is_empty() {
            return self.non_resource_urls.iter().any(|pattern| url_matches(pattern, &what.path));
        }
        holds(&self.api_groups, &what.group)
            && self.resources.iter().any(|pattern| resource_matches(pattern, &what.resource, &what.subresource))
            && (self.resource_names.is_empty() || self.resource_names.contains(&what.name))
    }

    /// Its grants one by one: a single verb on a single resource of a single group (and name), or on a single path.
    fn single(&self) -> Vec<Rule> {
        let mut out = Vec::new();
        let one = |text: &String| vec![text.clone()];
        for verb in &self.verbs {
            for url in &self.non_resource_urls {
                out.push(Rule { verbs: one(verb), non_resource_urls: one(url), ..Rule::default() });
            }
            for group in &self.api_groups {
                for resource in &self.resources {
                    let rule =
                        Rule { verbs: one(verb), api_groups: one(group), resources: one(resource), ..Rule::default() };
                    if self.resource_names.is_empty() {
                        out.push(rule);
                    } else {
                        let named = |name| Rule { resource_names: one(name), ..rule.clone() };
                        out.extend(self.resource_names.iter().map(named));
                    }
                }
            }
        }
        out
    }

    /// Whether it grants all that `single` (one verb, one resource or path) does.
    fn covers(&self, single: &Rule) -> bool {
        let all = |own: &[String], asked: &[String]| asked.iter().all(|item| holds(own, item));
        let resources = |asked: &String| {
            let (resource, subresource) = asked.split_once('/').unwrap_or((asked, ""));
            self.resources.iter().any(|own| own == asked || resource_matches(own, resource, subresource))
        };
        all(&self.verbs, &single.verbs)
            && all(&self.api_groups, &single.api_groups)
            && single.resources.iter().all(resources)
            && (self.resource_names.is_empty()
                || (!single.resource_names.is_empty()
                    && single.resource_names.iter().all(|name| self.resource_names.contains(name))))
            && single.non_resource_urls.iter().all(|asked| {
                self.non_resource_urls.iter().any(|own| own == "*" || own == asked || url_matches(own, asked))
            })
    }

    /// What `wanted` grants beyond `held`, in few rules.
    pub fn missing(held: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
        let mut missing: Vec<Rule> = Vec::new();
        for single in wanted.iter().flat_map(Rule::single) {
            if held.iter().any(|rule| rule.covers(&single)) {
                continue;
            }
            let twin = missing.iter_mut().find(|rule| {
                Rule { verbs: Vec::new(), ..(*rule).clone() } == Rule { verbs: Vec::new(), ..single.clone() }
            });
            match twin {
                Some(rule) if !rule.verbs.contains(&single.verbs[0]) => rule.verbs.extend(single.verbs),
                Some(_) => {}
                None => missing.push(single),
            }
        }
        missing
    }

    /// `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}`, as upstream's messages print it.
    pub fn describe(&self) -> String {
        let parts = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("Verbs", &self.verbs),
        ];
        let shown: Vec<String> = parts
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(name, list)| format!("{name}:{}", quoted(list)))
            .collect();
        format!("{{{}}}", shown.join(", "))
    }

    /// As SelfSubjectRulesReview shows it: the resource part and the path part.
    pub fn review(&self) -> (Option<Value>, Option<Value>) {
        let resource = (!self.resources.is_empty()).then(|| {
            let mut shown = json!({"verbs": self.verbs, "apiGroups": self.api_groups, "resources": self.resources});
            if !self.resource_names.is_empty() {
                shown["resourceNames"] = json!(self.resource_names);
            }
            shown
        });
        let path = (!self.non_resource_urls.is_empty())
            .then(|| json!({"verbs": self.verbs, "nonResourceURLs": self.non_resource_urls}));
        (resource, path)
    }
}

/// `["a" "b"]`: how Go prints a list of quoted texts.
pub(super) fn quoted(list: &[String]) -> String {
    let texts: Vec<String> = list.iter().map(|text| format!("{text:?}")).collect();
    format!("[{}]", texts.join(" "))
}
