//! PodTemplate.

use super::fields::{list, object_or_new, text};
use super::{NAME, cells, columns, namespaced, pod_spec, state};
use crate::field::{Errors, Path};
use crate::kind::{Kind, Strategy};
use serde_json::Value;

/// The row of PodTemplate.
pub fn kind() -> Kind {
    Kind {
        columns: columns(&[
            NAME,
            ("Containers", "string", 0, "Names of the template's containers."),
            ("Images", "string", 0, "Images of the template's containers."),
            ("Pod Labels", "string", 0, "The labels of Pods made from it."),
        ]),
        strategy: Strategy {
            default: |object| {
                let template = object_or_new(object, "template");
                object_or_new(template, "metadata");
                pod_spec::default(object_or_new(template, "spec"));
            },
            prepare_create: state::first_generation,
            prepare_update: |object, old| state::raise_generation(object, old, &["template"]),
            validate,
            warnings: |object| pod_spec::warnings(&object["template"], &Path::new("template")),
            cells: |object, _| row(object),
            ..Strategy::default()
        },
        ..namespaced("", "PodTemplate", "podtemplates")
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    pod_spec::validate_template(&object["template"], &Path::new("template"), errors);
}

fn row(object: &Value) -> Vec<Value> {
    let template = &object["template"];
    let containers = list(&template["spec"], "containers");
    let all = |key| containers.iter().map(|container| text(container, key)).collect::<Vec<_>>().join(",");
    vec![
        cells::name(object),
        all("name").into(),
        all("image").into(),
        cells::labels(&template["metadata"], "labels").into(),
    ]
}

#[cfg(test)]
mod tests;
