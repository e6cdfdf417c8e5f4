//! Which objects a list, a watch or a deletecollection is about.

use super::Object;
use crate::request::Query;
use orchestrator_apimachinery::selector::{FieldSelector, LabelSelector};
use orchestrator_apimachinery::{ApiError, Kind};

/// A label and a field selector.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    /// `labelSelector` and `fieldSelector` of a query; fields that the kind does not offer are refused.
    pub fn parse(query: &Query, kind: &Kind) -> Result<Self, ApiError> {
        let labels = LabelSelector::parse(query.get("labelSelector").unwrap_or_default())?;
        let fields = FieldSelector::parse(query.get("fieldSelector").unwrap_or_default())?;
        for path in fields.paths() {
            let known = matches!(path, "metadata.name" | "metadata.namespace")
                || kind.selectable_fields.iter().any(|field| field == path);
            if !known {
                return Err(ApiError::bad_request(match kind.selectable_fields.is_empty() {
                    true => format!(
                        "{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                    ),
                    false => format!("field label not supported: {path}"),
                }));
            }
        }
        Ok(Selection { labels, fields })
    }

    /// Whether it selects everything.
    pub fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// The one name that it selects, if it says so.
    pub fn name(&self) -> Option<&str> {
        self.fields.exact("metadata.name")
    }

    /// Whether it selects this object.
    pub fn matches(&self, kind: &Kind, object: &Object) -> bool {
        (self.labels.is_empty() || self.labels.matches(&|key| object.label(key)))
            && (self.fields.is_empty() || self.fields.matches(&|path| object.field(kind, path)))
    }
}
