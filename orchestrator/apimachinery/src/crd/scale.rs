//! Where the scale subresource of a custom resource finds its numbers.

use serde_json::Value;

/// The three paths, as names of fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalePaths {
    spec: Vec<String>,
    status: Vec<String>,
    selector: Option<Vec<String>>,
}

fn names(path: &str) -> Vec<String> {
    path.trim_start_matches('.').split('.').map(str::to_owned).collect()
}

fn at<'v>(value: &'v Value, names: &[String]) -> &'v Value {
    names.iter().fold(value, |value, name| &value[name.as_str()])
}

impl ScalePaths {
    /// From `subresources.scale`.
    pub fn compile(scale: &Value) -> Option<ScalePaths> {
        Some(ScalePaths {
            spec: names(scale["specReplicasPath"].as_str()?),
            status: names(scale["statusReplicasPath"].as_str()?),
            selector: scale["labelSelectorPath"].as_str().filter(|path| !path.is_empty()).map(names),
        })
    }

    /// How many replicas are wanted.
    pub fn wanted(&self, object: &Value) -> Option<i64> {
        at(object, &self.spec).as_i64()
    }

    /// How many there are.
    pub fn current(&self, object: &Value) -> i64 {
        at(object, &self.status).as_i64().unwrap_or(0)
    }

    /// The selector's text.
    pub fn selector(&self, object: &Value) -> Option<String> {
        let names = self.selector.as_ref()?;
        at(object, names).as_str().map(str::to_owned)
    }

    /// Puts the wanted number in.
    pub fn set(&self, object: &mut Value, replicas: i64) {
        let mut place = object;
        for name in &self.spec {
            if !place.is_object() {
                *place = Value::Object(serde_json::Map::new());
            }
            place = &mut place[name.as_str()];
        }
        *place = replicas.into();
    }

    /// `.spec.replicas`
    pub fn spec_path(&self) -> String {
        format!(".{}", self.spec.join("."))
    }
}
