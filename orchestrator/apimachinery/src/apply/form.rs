//! How a value merges, by its schema, and what the elements of lists are called.

use crate::schema::types::{Field, ListType, MapType, Node, Shared, Type};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::OnceLock;

type Text = Cow<'static, str>;

static ANY: Node = Node::Any;
static NO_LIST: ListType = ListType::Unset;
/// An object whose fields nobody knows, but that it has metadata.
static OPEN: Type =
    Type { name: Cow::Borrowed(""), description: Cow::Borrowed(""), map: MapType::Unset, fields: Cow::Borrowed(&[]) };
static OPEN_NODE: Node = Node::Object(Shared::Static(&OPEN));
const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// Fields that are structs in upstream's types: they are always there, so that nobody owns them
/// by having added them.
const STRUCTS: [&str; 15] = [
    "clientConfig",
    "daemonEndpoints",
    "involvedObject",
    "jobTemplate",
    "loadBalancer",
    "metadata",
    "names",
    "nodeInfo",
    "resources",
    "source",
    "spec",
    "status",
    "strategy",
    "template",
    "updateStrategy",
];

/// A place in a schema.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    node: &'a Node,
    list: &'a ListType,
    map: MapType,
    /// Whether values without a schema merge by their own shape, as those of custom resources do;
    /// those in built-in types are replaced.
    loose: bool,
    root: bool,
}

/// How a value merges.
pub(super) enum Form<'a> {
    /// As a whole.
    Leaf,
    /// Field by field.
    Struct(Struct<'a>),
    /// Entry by entry.
    Map(Spot<'a>),
    /// A list of values that are there or not.
    Set,
    /// A list of objects that are found by their keys.
    Items(Items<'a>),
}

#[derive(Clone, Copy)]
pub(super) struct Struct<'a> {
    shape: &'a Type,
    loose: bool,
    root: bool,
}

#[derive(Clone, Copy)]
pub(super) struct Items<'a> {
    keys: &'a [Text],
    pub(super) spot: Spot<'a>,
}

impl<'a> Spot<'a> {
    /// The place of an object of this schema.
    pub(super) fn root(node: &'a Node) -> Self {
        let loose = matches!(node, Node::Any);
        Spot { node: if loose { &OPEN_NODE } else { node }, list: &NO_LIST, map: MapType::Unset, loose, root: true }
    }

    /// The place of a value that no schema describes.
    fn unknown(loose: bool) -> Spot<'static> {
        Spot { node: &ANY, list: &NO_LIST, map: MapType::Unset, loose, root: false }
    }

    fn item(self, node: &'a Node) -> Spot<'a> {
        Spot { node, list: &NO_LIST, map: MapType::Unset, loose: self.loose, root: false }
    }

    /// How a value at this place merges.
    pub(super) fn form(self, value: &Value) -> Form<'a> {
        match (self.node, value) {
            (Node::Either(object, _), Value::Object(_)) => Spot { node: object, ..self }.form(value),
            (Node::Either(_, other), _) => Spot { node: other, ..self }.form(value),
            (Node::Any, Value::Object(_)) if self.loose => Form::Map(Spot::unknown(true)),
            (Node::Map(values), Value::Object(_)) if self.map != MapType::Atomic => Form::Map(self.item(values)),
            (Node::Object(shape), Value::Object(_)) if !self.is_atomic(shape) => {
                let loose = matches!(shape, Shared::Owned(_)) || (self.root && self.loose);
                Form::Struct(Struct { shape, loose, root: self.root })
            }
            (Node::List(_), Value::Array(_)) if *self.list == ListType::Set => Form::Set,
            (Node::List(node), Value::Array(_)) => match self.list {
                ListType::Map(keys) => Form::Items(Items { keys, spot: self.item(node) }),
                _ => Form::Leaf,
            },
            _ => Form::Leaf,
        }
    }

    /// Whether a value says something when it is empty: built-in types cannot tell an empty list or
    /// map from none, but a pointer to an empty struct.
    pub(super) fn tells_empty(self, value: &Value) -> bool {
        match self.form(value) {
            Form::Struct(_) => true,
            Form::Set | Form::Items(_) => self.loose,
            Form::Map(_) | Form::Leaf => false,
        }
    }

    fn is_atomic(self, shape: &Type) -> bool {
        match self.map {
            MapType::Atomic => true,
            MapType::Granular => false,
            MapType::Unset => shape.map == MapType::Atomic,
        }
    }
}

impl<'a> Struct<'a> {
    /// The place of a field, and whether the type knows it.
    pub(super) fn field(self, name: &str) -> (Spot<'a>, bool) {
        if self.root && name == "metadata" {
            return (metadata(), true);
        }
        match self.shape.field(name) {
            Some(Field { node, list, map, .. }) => {
                (Spot { node, list, map: *map, loose: self.loose, root: false }, true)
            }
            None => (Spot::unknown(true), false),
        }
    }

    /// Whether the type is built in and does not know the field.
    pub(super) fn lacks(self, name: &str) -> bool {
        !self.loose && self.shape.field(name).is_none()
    }

    /// Whether upstream's type has the field even when it is not written.
    pub(super) fn always_has(self, name: &str) -> bool {
        if self.loose {
            return false;
        }
        self.shape.field(name).is_some_and(|field| match field.node {
            Node::Object(_) => STRUCTS.contains(&name),
            Node::List(_) => field.required,
            _ => false,
        })
    }
}

impl Items<'_> {
    /// The element of an item, `k:{"name":"a"}`; `None` when it has none of the keys. A key that is
    /// not said has its default; of the built-in types only a protocol has one.
    pub(super) fn element(self, item: &Value) -> Option<String> {
        let mut names: Vec<&str> = self.keys.iter().map(|key| &**key).collect();
        names.sort_unstable();
        let mut text = String::from("k:");
        for name in names {
            let value = match item.get(name) {
                Some(value) if !value.is_null() => value.to_string(),
                _ if !item.is_object() => continue,
                _ => match self.default(name) {
                    "" => continue,
                    default => default.to_owned(),
                },
            };
            text.push(if text.len() == 2 { '{' } else { ',' });
            text.push_str(&Value::String(name.to_owned()).to_string());
            text.push(':');
            text.push_str(&value);
        }
        if text.len() == 2 {
            return None;
        }
        text.push('}');
        Some(text)
    }

    /// The default of a key as JSON; "" when there is none.
    fn default(&self, name: &str) -> &str {
        if !self.spot.loose {
            return if name == "protocol" { "\"TCP\"" } else { "" };
        }
        match self.spot.node {
            Node::Object(shape) => shape.field(name).map_or("", |field| &field.default),
            _ => "",
        }
    }

    /// Whether a field of an item tells which item it is.
    pub(super) fn is_key(self, name: &str) -> bool {
        self.keys.iter().any(|key| key == name)
    }

    /// The keys as messages show them.
    pub(super) fn keys(self) -> String {
        let keys: Vec<String> = self.keys.iter().map(|key| format!("{key:?}")).collect();
        format!("[{}]", keys.join(" "))
    }
}

/// The place of an object's metadata, whatever its schema says.
pub(super) fn metadata() -> Spot<'static> {
    static NODE: OnceLock<Node> = OnceLock::new();
    let node = NODE.get_or_init(|| match crate::schema::builtin_type(METADATA) {
        Some(shape) => Node::Object(Shared::Static(shape)),
        None => Node::Any,
    });
    Spot { node, list: &NO_LIST, map: MapType::Unset, loose: false, root: false }
}

/// The element of a set's value.
pub(super) fn value_element(value: &Value) -> String {
    format!("v:{value}")
}

/// The element of a field or of an entry of a map.
pub(super) fn field_element(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    text.push_str("f:");
    text.push_str(name);
    text
}

/// The elements of a list that merges; `None` when an item has none, or for other values.
pub(super) fn elements(form: &Form<'_>, list: &Value) -> Option<Vec<String>> {
    let list = list.as_array()?;
    match form {
        Form::Set => Some(list.iter().map(value_element).collect()),
        Form::Items(items) => list.iter().map(|item| items.element(item)).collect(),
        _ => None,
    }
}
