//! What dynamic admission is told of a request, and which rules it fits.

use super::{Admission, Operation};
use crate::auth::{Attributes, user_info};
use crate::registry::Versions;
use orchestrator_apimachinery::cel::{Check, Checker};
use orchestrator_apimachinery::selector::LabelSelector;
use orchestrator_apimachinery::{Kind, Scope, meta};
use serde_json::{Map, Value, json};
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
            Operation::Connect => "CONNECT",
        }
    }

    /// The name of the object; `object` may have one that the URL does not tell.
    pub(super) fn object_name(&self, object: &Value) -> String {
        match self.writing.what.name.as_str() {
            "" => meta::name(object).to_owned(),
            name => name.to_owned(),
        }
    }

    /// Group, version and kind of the objects at hand, when they are not of the resource's own kind: a Scale,
    /// a Binding, the options of a stream.
    pub(super) fn body(&self) -> Option<(&str, &str, &str)> {
        let part = self.writing.kind.subresource(&self.writing.what.subresource)?;
        let (group, version, kind) = part.body.as_ref()?;
        Some((group, version, kind))
    }

    /// Whether a workload's Scale is at hand, which is a view of it.
    pub(super) fn is_scale(&self) -> bool {
        self.writing.what.subresource == "scale"
    }

    pub(super) fn versions(&self) -> Versions {
        self.registry.versions()
    }

    /// The options of the operation, as its client gave them; none for streams.
    fn operation_options(&self) -> Value {
        let kind = match self.operation {
            Operation::Create => "CreateOptions",
            Operation::Update => "UpdateOptions",
            Operation::Delete => "DeleteOptions",
            Operation::Connect => return Value::Null,
        };
        let mut options = json!({"kind": kind, "apiVersion": "meta.k8s.io/v1"});
        let manager = (self.operation != Operation::Delete).then(|| json!(self.writing.manager));
        let dry_run = self.writing.dry_run.then(|| json!(["All"]));
        for (field, value) in [("fieldManager", manager), ("dryRun", dry_run)] {
            if let Some(value) = value.filter(|value| *value != "") {
                options[field] = value;
            }
        }
        for (field, value) in self.options.as_object().into_iter().flatten() {
            options[field] = value.clone();
        }
        options
    }

    /// `AdmissionRequest` (admission.k8s.io/v1) about an object that is called `name`, without a uid and without
    /// the objects, as one version of the resource has it.
    pub(super) fn request(&self, version: &Kind, name: &str) -> Map<String, Value> {
        let (what, requested) = (self.writing.what, self.writing.kind);
        let gvk = |kind: &Kind| match self.body() {
            Some((group, version, kind)) => json!({"group": group, "version": version, "kind": kind}),
            None => json!({"group": kind.group, "version": kind.version, "kind": kind.kind}),
        };
        let gvr = |kind: &Kind| json!({"group": kind.group, "version": kind.version, "resource": kind.plural});
        let mut request = Map::new();
        let mut put = |field: &str, value: Value| drop(request.insert(field.to_owned(), value));
        put("kind", gvk(version));
        put("resource", gvr(version));
        put("requestKind", gvk(requested));
        put("requestResource", gvr(requested));
        put("operation", json!(self.operation_name()));
        put("userInfo", user_info(self.writing.who));
        put("dryRun", json!(self.writing.dry_run));
        put("options", self.operation_options());
        // A Namespace lies in itself.
        let namespace = if self.is_namespace() { name } else { &what.namespace };
        let part = what.subresource.as_str();
        for (field, text) in
            [("name", name), ("namespace", namespace), ("subResource", part), ("requestSubResource", part)]
        {
            if !text.is_empty() {
                put(field, json!(text));
            }
        }
        request
    }

    fn is_namespace(&self) -> bool {
        self.writing.kind.group.is_empty() && self.writing.kind.plural == "namespaces"
    }

    /// The version of the resource in which one of the `rules` (RuleWithOperations, with `resourceNames` in
    /// policies) names this request: the requested one, or with `equivalent` another that is served.
    pub(super) fn named_by(&self, rules: &Value, name: &str, equivalent: bool) -> Option<Arc<Kind>> {
        let rules = rules.as_array().map(Vec::as_slice).unwrap_or_default();
        let fits = |kind: &Arc<Kind>| rules.iter().any(|rule| self.fits(rule, kind, name));
        if fits(self.writing.kind) {
            return Some(self.writing.kind.clone());
        }
        if !equivalent || rules.is_empty() {
            return None;
        }
        self.equivalents().iter().find(|kind| fits(kind)).cloned()
    }

    /// The other served versions of the resource, in the order of the kinds table.
    fn equivalents(&self) -> &[Arc<Kind>] {
        self.equivalents.get_or_init(|| {
            let (own, part) = (self.writing.kind, &*self.writing.what.subresource);
            let catalog = self.registry.caches.catalog();
            let others = catalog.all().iter().filter(|kind| {
                kind.stored_resource() == own.stored_resource()
                    && (&kind.group, &kind.version) != (&own.group, &own.version)
                    && (part.is_empty() || kind.subresource(part).is_some())
            });
            others.cloned().collect()
        })
    }

    fn fits(&self, rule: &Value, kind: &Kind, name: &str) -> bool {
        let part = &*self.writing.what.subresource;
        let has = |field: &str, wanted: &str| {
            let values = rule[field].as_array().into_iter().flatten();
            values.filter_map(Value::as_str).any(|value| value == "*" || value == wanted)
        };
        let resource = rule["resources"].as_array().into_iter().flatten().filter_map(Value::as_str).any(|value| {
            let (plural, sub) = value.split_once('/').unwrap_or((value, ""));
            (plural == "*" || plural == kind.plural) && (sub == part || (sub == "*" && value.contains('/')))
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
        if self.is_namespace() {
            // A Namespace is selected by its own labels.
            return selector.matches_object(object);
        }
        if self.writing.kind.scope == Scope::Cluster {
            return true;
        }
        match self.namespace_object() {
            Some(namespace) => selector.matches_object(namespace),
            None => selector.matches(&|key| (key == NAME_LABEL).then(|| self.writing.what.namespace.clone())),
        }
    }

    /// Whether the object, or the one before, fits a selector. What has no labels (the options of a stream) fits
    /// only one that selects all.
    pub(super) fn fits_object(&self, selector: &LabelSelector, object: &Value) -> bool {
        if selector.is_empty() {
            return true;
        }
        let fits = |object: &Value| object["metadata"].is_object() && selector.matches_object(object);
        if self.is_scale() {
            // A Scale has no labels.
            return selector.matches(&|_| None);
        }
        fits(object) || self.old.is_some_and(fits)
    }

    /// The Namespace of the request.
    pub(super) fn namespace_object(&self) -> Option<&Value> {
        let read = || match self.writing.what.namespace.as_str() {
            "" => None,
            name => self.read("", "namespaces", "", name),
        };
        self.namespace.get_or_init(read).as_ref()
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
    pub(super) fn own_check(&self, name: &str) -> Check {
        let what = self.writing.what;
        Check {
            group: what.group.clone(),
            resource: what.resource.clone(),
            subresource: what.subresource.clone(),
            namespace: what.namespace.clone(),
            name: name.to_owned(),
            ..Check::default()
        }
    }
}
