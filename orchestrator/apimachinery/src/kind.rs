//! What a kind is: its names, verbs, columns and rules. One row of the kinds table.

#[cfg(test)]
mod tests;

use crate::crd::Custom;
use crate::field::Errors;
use crate::schema::Schema;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

type Text = Cow<'static, str>;

/// Whether objects live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// In the cluster.
    Cluster,
}

/// What discovery lists and authorization asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `create`
    Create,
    /// `delete`
    Delete,
    /// `deletecollection`
    DeleteCollection,
    /// `get`
    Get,
    /// `list`
    List,
    /// `patch`
    Patch,
    /// `update`
    Update,
    /// `watch`
    Watch,
}

impl Verb {
    /// The verb as discovery and authorization spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Delete => "delete",
            Verb::DeleteCollection => "deletecollection",
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Patch => "patch",
            Verb::Update => "update",
            Verb::Watch => "watch",
        }
    }
}

/// A subresource, such as `status` or `scale`.
#[derive(Clone, Debug)]
pub struct Subresource {
    /// `status`, `scale`, `log`, …
    pub name: Text,
    /// Group, version and kind of its body when that is not the kind's own
    /// (`autoscaling`, `v1`, `Scale`).
    pub body: Option<(Text, Text, Text)>,
    /// Its verbs, as discovery lists them.
    pub verbs: Vec<Verb>,
}

/// A column of the Table that `kubectl get` prints.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its heading.
    pub name: Text,
    /// `string`, `integer`, `date`, …
    pub type_: Text,
    /// `name` for the name column, otherwise empty.
    pub format: Text,
    /// What it shows; `explain`-like text.
    pub description: Text,
    /// 0 always shown, 1 only with `-o wide`.
    pub priority: i32,
}

/// The rules of one kind; each has a do-nothing default.
///
/// They see an object as JSON that already fits the kind's schema.
#[derive(Clone)]
pub struct Strategy {
    /// What is wrong with a name; the flag says that it is a `generateName`, to which more is added.
    pub name: fn(name: &str, is_prefix: bool) -> Vec<String>,
    /// Fills in defaults (upstream's `SetDefaults_*`); idempotent.
    pub default: fn(&mut Value),
    /// Clears what a client may not set at creation (status), sets `generation` where the kind has one.
    pub prepare_create: fn(&mut Value),
    /// Restores what an update of the main resource may not change (status) from `old`, and
    /// raises `metadata.generation` when the spec changed. Arguments: new, old.
    pub prepare_update: fn(&mut Value, &Value),
    /// The same for the status subresource: spec and the like come from `old`. Arguments: new, old.
    pub prepare_status_update: fn(&mut Value, &Value),
    /// Rules of a new object, beside those of metadata and schema.
    pub validate: fn(&Value, &mut Errors),
    /// Rules of a change (immutable fields). Arguments: new, old. `validate` has run on the new one.
    pub validate_update: fn(&Value, &Value, &mut Errors),
    /// Seconds of grace that a delete gives when the client names none; `None` deletes at once.
    pub grace_seconds: fn(&Value) -> Option<i64>,
    /// `Warning:` header texts for an object that was accepted.
    pub warnings: fn(&Value) -> Vec<String>,
    /// The same for a change; arguments: new, old. Without it `warnings` is asked.
    pub update_warnings: Option<fn(&Value, &Value) -> Vec<String>>,
    /// The cells of the kind's columns for one object; `now` is seconds since 1970.
    pub cells: fn(object: &Value, now: i64) -> Vec<Value>,
    /// The text of a selectable field that is not simply the value at its path; `None` for all others.
    pub field_text: fn(object: &Value, path: &str) -> Option<String>,
}

impl Default for Strategy {
    /// Names are DNS subdomains and nothing else is asked; the cells are those of "Name" and "Created At".
    fn default() -> Self {
        Strategy {
            name: |name, is_prefix| crate::kinds::names::of_prefix(crate::kinds::names::dns_subdomain, name, is_prefix),
            default: |_| {},
            prepare_create: |_| {},
            prepare_update: |_, _| {},
            prepare_status_update: |_, _| {},
            validate: |_, _| {},
            validate_update: |_, _, _| {},
            grace_seconds: |_| None,
            warnings: |_| Vec::new(),
            update_warnings: None,
            cells: |object, _| {
                let metadata = &object["metadata"];
                vec![metadata["name"].clone(), metadata["creationTimestamp"].clone()]
            },
            field_text: |_, _| None,
        }
    }
}

/// How objects of one version become those of another.
#[derive(Clone, Copy)]
pub enum Convert {
    /// Only `apiVersion` differs.
    Relabel,
    /// By these functions; each leaves `apiVersion` and `kind` to the caller and loses nothing.
    Functions {
        /// From this version to the stored one.
        to_stored: fn(&mut Value),
        /// From the stored version to this one.
        from_stored: fn(&mut Value),
    },
    /// By the webhook that the CustomResourceDefinition names.
    Webhook,
}

/// Where objects of a version lie that is not the one they are stored in.
#[derive(Clone)]
pub struct Stored {
    /// Group of the stored version; another one for `events.k8s.io`.
    pub group: Text,
    /// The stored version.
    pub version: Text,
    /// Plural of the stored version.
    pub plural: Text,
    /// The way there and back.
    pub convert: Convert,
}

/// One served kind in one version.
#[derive(Clone)]
pub struct Kind {
    /// API group, empty for the core group.
    pub group: Text,
    /// `v1`, `v2`, …
    pub version: Text,
    /// `Deployment`
    pub kind: Text,
    /// `deployments`: the path segment and RBAC's resource.
    pub plural: Text,
    /// `deployment`
    pub singular: Text,
    /// `deploy`
    pub short_names: Vec<Text>,
    /// `all`
    pub categories: Vec<Text>,
    /// Namespaced or not.
    pub scope: Scope,
    /// Verbs of the main resource.
    pub verbs: Vec<Verb>,
    /// Subresources.
    pub subresources: Vec<Subresource>,
    /// The name of its schema, `io.k8s.api.apps.v1.Deployment`.
    pub schema_name: Text,
    /// Field selectors beyond `metadata.name` and `metadata.namespace`, as dotted paths.
    pub selectable_fields: Vec<Text>,
    /// What clients are warned of at each request: that the version is deprecated.
    pub deprecation: Option<Text>,
    /// Table columns, matching [`Strategy::cells`].
    pub columns: Vec<Column>,
    /// Its rules.
    pub strategy: Strategy,
    /// Set when this version is not the one that objects are stored in.
    pub stored: Option<Stored>,
    /// Set for custom resources, whose rules take the place of [`Kind::strategy`].
    pub custom: Option<Arc<Custom>>,
    /// The component of OpenAPI that stands for a custom resource.
    pub openapi: Option<Arc<Value>>,
    /// Compiled on first use; see [`Kind::schema`].
    pub(crate) schema: Arc<OnceLock<Arc<Schema>>>,
}

impl Kind {
    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_string() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The URL of the kind's group version: `/api/v1` or `/apis/apps/v1`.
    pub fn root_path(&self) -> String {
        if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        }
    }

    /// The URL of the kind's objects: of one namespace, or of all when `namespace` is empty.
    pub fn collection_path(&self, namespace: &str) -> String {
        match namespace {
            "" => format!("{}/{}", self.root_path(), self.plural),
            namespace => format!("{}/namespaces/{namespace}/{}", self.root_path(), self.plural),
        }
    }

    /// `deployments.apps`; `pods` for the core group. The name in error messages.
    pub fn group_resource(&self) -> String {
        if self.group.is_empty() { self.plural.to_string() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Group and plural under which its objects are stored.
    pub fn stored_resource(&self) -> (&str, &str) {
        match &self.stored {
            Some(stored) => (&stored.group, &stored.plural),
            None => (&self.group, &self.plural),
        }
    }

    /// Whether the kind has a subresource of this name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|sub| sub.name == name)
    }

    /// A selectable field as field selectors compare it.
    pub fn field_text(&self, object: &Value, path: &str) -> String {
        (self.strategy.field_text)(object, path).unwrap_or_else(|| crate::selector::field_text(object, path))
    }

    /// The kind's schema, compiled at the first call.
    pub fn schema(&self) -> Arc<Schema> {
        self.schema.get_or_init(|| crate::schema::builtin(&self.schema_name)).clone()
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.api_version(), self.kind)
    }
}

/// The kinds that are served, by group, version and resource or kind.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    kinds: Vec<Arc<Kind>>,
    /// Kinds that are stored but not served.
    hidden: Vec<Arc<Kind>>,
    by_resource: BTreeMap<(String, String, String), usize>,
    by_kind: BTreeMap<(String, String, String), usize>,
}

impl Catalog {
    /// The built-in kinds.
    pub fn builtin() -> Self {
        let mut catalog = Self::default();
        for kind in crate::kinds::builtin() {
            catalog.insert(kind);
        }
        catalog
    }

    /// Adds a kind, or replaces the one of the same group, version and resource.
    pub fn insert(&mut self, kind: Kind) {
        self.insert_shared(Arc::new(kind));
    }

    /// The same for a kind that is shared. One without verbs is stored, but not served.
    pub fn insert_shared(&mut self, kind: Arc<Kind>) {
        if kind.verbs.is_empty() {
            self.hidden.push(kind);
            return;
        }
        let resource = (kind.group.to_string(), kind.version.to_string(), kind.plural.to_string());
        let by_kind = (kind.group.to_string(), kind.version.to_string(), kind.kind.to_string());
        let index = *self.by_resource.entry(resource).or_insert(self.kinds.len());
        self.by_kind.insert(by_kind, index);
        if index == self.kinds.len() { self.kinds.push(kind) } else { self.kinds[index] = kind }
    }

    /// The kind at `/apis/GROUP/VERSION/PLURAL`.
    pub fn resource(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Kind>> {
        self.by_resource.get(&(group.into(), version.into(), plural.into())).map(|&index| &self.kinds[index])
    }

    /// The kind that `apiVersion` and `kind` of an object name.
    pub fn kind(&self, group: &str, version: &str, kind: &str) -> Option<&Arc<Kind>> {
        self.by_kind.get(&(group.into(), version.into(), kind.into())).map(|&index| &self.kinds[index])
    }

    /// The kind whose name or plural is nearest to a mistyped one, if any is near.
    pub fn nearest(&self, kind: &str) -> Option<&Arc<Kind>> {
        let wanted = kind.to_lowercase();
        let distance = |known: &Kind| {
            let names = [known.kind.to_lowercase(), known.plural.to_string(), known.singular.to_string()];
            names.iter().map(|name| strsim::osa_distance(name, &wanted)).min().unwrap_or(usize::MAX)
        };
        let near = self.kinds.iter().map(|known| (distance(known), known));
        near.filter(|(far, _)| *far <= wanted.len() / 3).min_by_key(|(far, _)| *far).map(|(_, known)| known)
    }

    /// All kinds, in the order of the table.
    pub fn all(&self) -> &[Arc<Kind>] {
        &self.kinds
    }

    /// One kind for each resource that is stored: that of the stored version.
    pub fn stored(&self) -> impl Iterator<Item = &Arc<Kind>> {
        let shown = self.kinds.iter().filter(|kind| kind.stored.is_none() && kind.verbs.contains(&Verb::List));
        shown.chain(self.hidden.iter().filter(|kind| kind.stored.is_none()))
    }

    /// Served groups with their versions, in the order of the table; the core group is "".
    pub fn groups(&self) -> Vec<(String, Vec<String>)> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for kind in &self.kinds {
            let index = groups.iter().position(|(group, _)| *group == kind.group).unwrap_or_else(|| {
                groups.push((kind.group.to_string(), Vec::new()));
                groups.len() - 1
            });
            let versions = &mut groups[index].1;
            if !versions.iter().any(|version| *version == kind.version) {
                versions.push(kind.version.to_string());
            }
        }
        groups
    }
}
