//! What dynamic admission is told of a request, and which rules it fits.

use super::{Admission, Operation};
use crate::auth::{Attributes, user_info};
use orchestrator_apimachinery::cel::{Check, Checker};
use orchestrator_apimachinery::selector::LabelSelector;
use orchestrator_apimachinery::{Scope, meta};
use serde_json::{Value, json};
use std::sync::Arc;

/// A label for Namespaces that admission webhooks must not see is not ours to add; the name of a
/// Namespace is always a label of it.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

impl Admission<'_> {
    /// `CREATE`, …
    pub(super) fn operation_name(&self) -> &'static str {
        match self.operation {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
        }
    }

    /// The name of the object; `object` may have one that the URL does not tell.
    pub(super) fn object_name(&self, object: &Value) -> String {
        match self.writing.what.name.as_str() {
            "" => meta::name(object).to_owned(),
            name => name.to_owned(),
        }
    }

    /// `AdmissionRequest` (admission.k8s.io/v1) about `object`, without a uid.
    pub(super) fn request(&self, object: &Value) -> Value {
        let (what, kind) = (self.writing.what, self.writing.kind);
        let gvk = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
        let gvr = json!({"group": kind.group, "version": kind.version, "resource": kind.plural});
        let options = match self.operation {
            Operation::Create => "CreateOptions",
            Operation::Update if what.verb == "patch" => "PatchOptions",
            Operation::Update => "UpdateOptions",
            Operation::Delete => "DeleteOptions",
        };
        let deleting = self.operation == Operation::Delete;
        let mut request = json!({
            "kind": gvk, "resource": gvr, "requestKind": gvk, "requestResource": gvr,
            "operation": self.operation_name(), "userInfo": user_info(self.writing.who),
            "object": if deleting { Value::Null } else { object.clone() },
            "oldObject": self.old.cloned().unwrap_or_default(),
            "dryRun": self.writing.dry_run,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": options},
        });
        let name = self.object_name(object);
        for (field, text) in
            [("name", name.as_str()), ("namespace", &what.namespace), ("subResource", &what.subresource)]
        {
            if !text.is_empty() {
                request[field] = json!(text);
            }
        }
        if !what.subresource.is_empty() {
            request["requestSubResource"] = json!(what.subresource);
        }
        request
    }

    /// Whether one of the `rules` (RuleWithOperations, with `resourceNames` in policies) is about this request.
    pub(super) fn fits_rules(&self, rules: &Value, name: &str) -> bool {
        rules.as_array().into_iter().flatten().any(|rule| self.fits(rule, name))
    }

    fn fits(&self, rule: &Value, name: &str) -> bool {
        let (what, kind) = (self.writing.what, self.writing.kind);
        let has = |field: &str, wanted: &str| {
            let values = rule[field].as_array().into_iter().flatten();
            values.filter_map(Value::as_str).any(|value| value == "*" || value == wanted)
        };
        let resource = rule["resources"].as_array().into_iter().flatten().filter_map(Value::as_str).any(|value| {
            let (plural, sub) = value.split_once('/').unwrap_or((value, ""));
            (plural == "*" || plural == kind.plural) && (sub == what.subresource || (sub == "*" && value.contains('/')))
        });
        let named = match rule["resourceNames"].as_array() {
            Some(names) if !names.is_empty() => names.iter().any(|one| one == name),
            _ => true,
        };
        let in_scope = match rule["scope"].as_str() {
            Some("Cluster") => kind.scope == Scope::Cluster,
            Some("Namespaced") => kind.scope == Scope::Namespaced,
            _ => true,
        };
        resource
            && named
            && in_scope
            && has("operations", self.operation_name())
            && has("apiGroups", &kind.group)
            && has("apiVersions", &kind.version)
    }

    /// Whether the Namespace of the request fits a selector; cluster-wide kinds always do.
    pub(super) fn fits_namespace(&self, selector: &LabelSelector, object: &Value) -> bool {
        if selector.is_empty() {
            return true;
        }
        let kind = self.writing.kind;
        if kind.group.is_empty() && kind.plural == "namespaces" {
            // A Namespace is selected by its own labels.
            return selector.matches_object(object);
        }
        if kind.scope == Scope::Cluster {
            return true;
        }
        match self.namespace_object() {
            Some(namespace) => selector.matches_object(&namespace),
            None => selector.matches(&|key| (key == NAME_LABEL).then(|| self.writing.what.namespace.clone())),
        }
    }

    /// Whether the object, or the one before, fits a selector.
    pub(super) fn fits_object(&self, selector: &LabelSelector, object: &Value) -> bool {
        selector.is_empty()
            || selector.matches_object(object)
            || self.old.is_some_and(|old| selector.matches_object(old))
    }

    /// The Namespace of the request.
    pub(super) fn namespace_object(&self) -> Option<Value> {
        match self.writing.what.namespace.as_str() {
            "" => None,
            name => self.read("", "namespaces", "", name),
        }
    }

    /// What expressions may ask about the requester's rights.
    pub(super) fn checker(&self) -> Checker {
        let (rbac, who) = (self.registry.rbac.clone(), self.writing.who.clone());
        Arc::new(move |check| {
            let who = match check.service_account.split_once(':') {
                Some((namespace, name)) => crate::identity::Identity {
                    name: format!("system:serviceaccount:{namespace}:{name}"),
                    groups: crate::auth::service_account_groups(namespace),
                    ..crate::identity::Identity::default()
                },
                None => who.clone(),
            };
            let what = Attributes {
                verb: check.verb.clone(),
                group: check.group.clone(),
                version: "*".into(),
                resource: check.resource.clone(),
                subresource: check.subresource.clone(),
                namespace: check.namespace.clone(),
                name: check.name.clone(),
                path: check.path.clone(),
                ..Attributes::default()
            };
            rbac.decide(&who, &what)
        })
    }

    /// `authorizer.requestResource`
    pub(super) fn own_check(&self, object: &Value) -> Check {
        let what = self.writing.what;
        Check {
            group: what.group.clone(),
            resource: what.resource.clone(),
            subresource: what.subresource.clone(),
            namespace: what.namespace.clone(),
            name: self.object_name(object),
            ..Check::default()
        }
    }
}
