//! The rules of default roles as text: a line with the role's name, then a line for each rule.
//!
//! `get list | core apps | pods deployments` is a rule for resources (`core` is the group ""), with a
//! fourth part for objects of these names only; `/healthz /livez` is one for reading paths;
//! `events` is leave to record Events.

use serde_json::{Value, json};

/// The roles of a table, each with its rules.
pub(super) fn parse(table: &'static str) -> Vec<(&'static str, Vec<Value>)> {
    let mut roles: Vec<(&str, Vec<Value>)> = Vec::new();
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        match line.strip_prefix("  ") {
            None => roles.push((line, Vec::new())),
            Some(text) => roles.last_mut().expect("a table begins with a name").1.push(rule(text)),
        }
    }
    roles
}

/// One rule of a table.
pub(super) fn rule(text: &'static str) -> Value {
    if text == "events" {
        return rule("create patch update | core events.k8s.io | events");
    }
    if text.starts_with('/') {
        return json!({"verbs": ["get"], "nonResourceURLs": words(text)});
    }
    let mut parts = text.split('|').map(words);
    let [verbs, groups, resources] = [(); 3].map(|()| parts.next().expect("verbs, groups and resources"));
    let groups: Vec<&str> = groups.into_iter().map(|group| if group == "core" { "" } else { group }).collect();
    let mut rule = json!({"verbs": verbs, "apiGroups": groups, "resources": resources});
    if let Some(names) = parts.next() {
        rule["resourceNames"] = json!(names);
    }
    rule
}

fn words(text: &'static str) -> Vec<&'static str> {
    text.split_whitespace().collect()
}
