//! The kinds table: one row for each served kind; each kind's rules are in its own file below.
//!
//! Names, verbs, short names, columns and selectable fields are upstream's, as `kubectl
//! api-resources` and `kubectl get` show them.

use crate::kind::{Column, Kind, Scope, Strategy, Subresource, Verb};
use std::borrow::Cow;
use std::sync::Arc;

pub mod access_modes;
pub mod addresses;
pub mod admission;
pub mod api_service;
pub mod binding;
pub mod cells;
pub mod certificate_signing_request;
pub mod checks;
pub mod component_status;
pub mod conditions;
pub mod config_map;
pub mod controller_revision;
pub mod cron_job;
pub mod csi_driver;
pub mod csi_node;
pub mod csi_storage_capacity;
pub mod custom_resource_definition;
pub mod daemon_set;
pub mod deployment;
pub mod device_class;
pub mod devices;
pub mod domains;
pub mod endpoint_slice;
pub mod endpoints;
pub mod event;
pub mod fields;
pub mod flow_schema;
pub mod horizontal_pod_autoscaler;
pub mod ingress;
pub mod ingress_class;
pub mod int_or_percent;
pub mod ip_address;
pub mod job;
pub mod lease;
pub mod limit_range;
pub mod metadata;
pub mod mutating_admission_policy;
pub mod names;
pub mod namespace;
pub mod network_policy;
pub mod node;
pub mod persistent_volume;
pub mod persistent_volume_claim;
pub mod pod;
pub mod pod_disruption_budget;
pub mod pod_spec;
pub mod pod_template;
pub mod priority_class;
pub mod priority_level_configuration;
pub mod rbac;
pub mod replica_set;
pub mod replication_controller;
pub mod resource_claim;
pub mod resource_claim_template;
pub mod resource_quota;
pub mod resource_slice;
pub mod reviews;
pub mod runtime_class;
pub mod secret;
pub mod selector;
pub mod service;
pub mod service_account;
pub mod service_cidr;
pub mod state;
pub mod stateful_set;
pub mod storage_class;
pub mod validating_admission_policy;
pub mod volume_attachment;
pub mod volume_attributes_class;
pub mod webhook_configuration;

/// Every built-in kind that is served.
pub fn builtin() -> Vec<Kind> {
    let mut kinds = vec![
        config_map::kind(),
        event::kind(),
        namespace::kind(),
        node::kind(),
        pod::kind(),
        secret::kind(),
        service_account::kind(),
        service::kind(),
        deployment::kind(),
        replica_set::kind(),
        job::kind(),
        lease::kind(),
        endpoint_slice::kind(),
        runtime_class::kind(),
        priority_class::kind(),
        ingress::kind(),
        ingress_class::kind(),
        network_policy::kind(),
        ip_address::kind(),
        service_cidr::kind(),
        storage_class::kind(),
        csi_driver::kind(),
        csi_node::kind(),
        csi_storage_capacity::kind(),
        volume_attachment::kind(),
        volume_attributes_class::kind(),
        certificate_signing_request::kind(),
        flow_schema::kind(),
        priority_level_configuration::kind(),
        device_class::kind(),
        resource_claim::kind(),
        resource_claim_template::kind(),
        resource_slice::kind(),
        api_service::kind(),
        custom_resource_definition::kind(),
    ];
    kinds.extend(webhook_configuration::kinds());
    kinds.extend(validating_admission_policy::kinds());
    kinds.extend(mutating_admission_policy::kinds());
    kinds.extend(rbac::kinds());
    kinds.extend(reviews::kinds());
    kinds.extend([
        replication_controller::kind(),
        pod_template::kind(),
        endpoints::kind(),
        limit_range::kind(),
        resource_quota::kind(),
        persistent_volume::kind(),
        persistent_volume_claim::kind(),
        component_status::kind(),
        binding::kind(),
        controller_revision::kind(),
        daemon_set::kind(),
        stateful_set::kind(),
    ]);
    kinds.extend(horizontal_pod_autoscaler::kinds());
    kinds.extend([cron_job::kind(), pod_disruption_budget::kind(), event::v1::kind()]);
    kinds
}

/// The verbs of an ordinary resource.
pub(crate) const ALL_VERBS: [Verb; 8] =
    [Verb::Create, Verb::Delete, Verb::DeleteCollection, Verb::Get, Verb::List, Verb::Patch, Verb::Update, Verb::Watch];

/// The verbs of `status` and `scale`.
pub(crate) const PART_VERBS: [Verb; 3] = [Verb::Get, Verb::Patch, Verb::Update];

/// The verbs of `proxy`: one for each method.
pub(crate) const PROXY_VERBS: [Verb; 5] = [Verb::Create, Verb::Delete, Verb::Get, Verb::Patch, Verb::Update];

/// A row with all verbs, no subresources, no rules and the default columns.
fn row(scope: Scope, group: &'static str, kind: &'static str, plural: &'static str) -> Kind {
    let package = group.split('.').next().filter(|package| !package.is_empty()).unwrap_or("core");
    Kind {
        group: group.into(),
        version: "v1".into(),
        kind: kind.into(),
        plural: plural.into(),
        singular: kind.to_lowercase().into(),
        short_names: Vec::new(),
        categories: Vec::new(),
        scope,
        verbs: ALL_VERBS.to_vec(),
        subresources: Vec::new(),
        schema_name: format!("io.k8s.api.{package}.v1.{kind}").into(),
        selectable_fields: Vec::new(),
        deprecation: None,
        columns: columns(&[NAME, ("Created At", "date", 0, CREATED)]),
        strategy: Strategy::default(),
        stored: None,
        custom: None,
        openapi: None,
        schema: Arc::default(),
    }
}

/// A row of a namespaced kind of version v1.
pub(crate) fn namespaced(group: &'static str, kind: &'static str, plural: &'static str) -> Kind {
    row(Scope::Namespaced, group, kind, plural)
}

/// A row of a cluster-wide kind of version v1.
pub(crate) fn cluster(group: &'static str, kind: &'static str, plural: &'static str) -> Kind {
    row(Scope::Cluster, group, kind, plural)
}

/// Names for a row.
pub(crate) fn texts(names: &[&'static str]) -> Vec<Cow<'static, str>> {
    names.iter().map(|&name| name.into()).collect()
}

/// A subresource whose body is the kind itself.
pub(crate) fn subresource(name: &'static str, verbs: &[Verb]) -> Subresource {
    Subresource { name: name.into(), body: None, verbs: verbs.to_vec() }
}

/// A subresource with a body of its own: group, version, kind.
pub(crate) fn subresource_of(
    name: &'static str,
    body: (&'static str, &'static str, &'static str),
    verbs: &[Verb],
) -> Subresource {
    Subresource { name: name.into(), body: Some((body.0.into(), body.1.into(), body.2.into())), verbs: verbs.to_vec() }
}

/// The `scale` subresource.
pub(crate) fn scale() -> Subresource {
    subresource_of("scale", ("autoscaling", "v1", "Scale"), &PART_VERBS)
}

/// The `status` subresource.
pub(crate) fn status() -> Subresource {
    subresource("status", &PART_VERBS)
}

/// Heading, type, priority and description of a column.
pub(crate) type ColumnText = (&'static str, &'static str, i32, &'static str);

const CREATED: &str = "When the object was created; time since then.";
/// The first column of nearly every kind.
pub(crate) const NAME: ColumnText = ("Name", "string", 0, "The object's name, unique in its namespace.");
/// Time since creation.
pub(crate) const AGE: ColumnText = ("Age", "string", 0, CREATED);
/// The containers of a kind that makes Pods from a template; the cells are [`cells::template`].
pub(crate) const CONTAINERS: ColumnText = ("Containers", "string", 1, "Names of the template's containers.");
/// Their images.
pub(crate) const IMAGES: ColumnText = ("Images", "string", 1, "Images of the template's containers.");
/// What its Pods are selected by.
pub(crate) const SELECTOR: ColumnText = ("Selector", "string", 1, "The labels of its Pods.");

/// Columns from their texts; "Name" gets the format `name`, a date `date-time`.
pub(crate) fn columns(texts: &[ColumnText]) -> Vec<Column> {
    let format = |name: &str, type_: &str| match (name, type_) {
        ("Name", _) => "name",
        (_, "date") => "date-time",
        _ => "",
    };
    texts
        .iter()
        .map(|&(name, type_, priority, description)| Column {
            name: name.into(),
            type_: type_.into(),
            format: format(name, type_).into(),
            description: description.into(),
            priority,
        })
        .collect()
}

#[cfg(test)]
mod tests;
