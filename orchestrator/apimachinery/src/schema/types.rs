//! What the arena is made of. Built-in types are statics; types of custom resources own theirs.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

type Text = Cow<'static, str>;

/// A part of the arena, static or shared.
#[derive(Debug)]
pub(crate) enum Shared<T: 'static> {
    Static(&'static T),
    /// Of a custom resource.
    Owned(Arc<T>),
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        match self {
            Shared::Static(part) => Shared::Static(part),
            Shared::Owned(part) => Shared::Owned(part.clone()),
        }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;
    fn deref(&self) -> &T {
        match self {
            Shared::Static(part) => part,
            Shared::Owned(part) => part,
        }
    }
}

/// What a value may be.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// Anything, kept as it is: raw extensions and unknown types.
    Any,
    Text,
    /// Base64.
    Bytes,
    /// RFC 3339 in whole seconds.
    Time,
    /// RFC 3339 in microseconds.
    MicroTime,
    Integer32,
    Integer64,
    Number,
    Boolean,
    IntOrString,
    Quantity,
    List(Shared<Node>),
    Map(Shared<Node>),
    Object(Shared<Type>),
    /// An object of the first kind, or what the second says.
    Either(Shared<Node>, Shared<Node>),
}

/// An object type.
#[derive(Clone, Debug)]
pub(crate) struct Type {
    /// `io.k8s.api.apps.v1.Deployment`
    pub(crate) name: Text,
    pub(crate) description: Text,
    /// How server-side apply merges it.
    pub(crate) map: MapType,
    /// In the order of names.
    pub(crate) fields: Cow<'static, [Field]>,
}

impl Type {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        let at = self.fields.binary_search_by(|field| (*field.name).cmp(name)).ok()?;
        self.fields.get(at)
    }
}

/// A field of an object type.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: Text,
    pub(crate) description: Text,
    pub(crate) node: Node,
    pub(crate) required: bool,
    /// Its protobuf number; several when it lies in structs that JSON writes inline; none when it has none.
    pub(crate) tags: Cow<'static, [u32]>,
    /// How server-side apply merges a list.
    pub(crate) list: ListType,
    /// How strategic merge treats it.
    pub(crate) patch: Patch,
    /// How server-side apply merges it, when not as its type says.
    pub(crate) map: MapType,
    /// Whether a protobuf zero is left out of the JSON.
    pub(crate) zero: bool,
    /// The default of a custom resource's field as JSON; "" when there is none.
    pub(crate) default: Text,
}

/// `x-kubernetes-list-type`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListType {
    Unset,
    Atomic,
    Set,
    /// By these keys.
    Map(Cow<'static, [Text]>),
}

/// `x-kubernetes-map-type`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapType {
    Unset,
    Atomic,
    Granular,
}

/// `x-kubernetes-patch-strategy` and `x-kubernetes-patch-merge-key`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) merge: bool,
    pub(crate) replace: bool,
    pub(crate) retain_keys: bool,
    /// "" when there is none.
    pub(crate) key: Text,
}
