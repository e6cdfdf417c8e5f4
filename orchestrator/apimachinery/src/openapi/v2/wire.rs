//! The document as protobuf. Numbers are those of `openapi.v2` in gnostic's OpenAPIv2.proto.

use serde_json::{Map, Value};

/// A protobuf message under construction.
#[derive(Default)]
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn flag(mut self, field: u64, value: &Value) -> Self {
        if value == true {
            self.varint(field << 3);
            self.varint(1);
        }
        self
    }

    /// A text, when there is one.
    pub(super) fn text(self, field: u64, value: &Value) -> Self {
        match value.as_str() {
            Some(text) if !text.is_empty() => self.bytes(field, text.as_bytes()),
            _ => self,
        }
    }

    fn texts(self, field: u64, value: &Value) -> Self {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .fold(self, |all, text| all.bytes(field, text.as_bytes()))
    }

    pub(super) fn message(self, field: u64, message: &Message) -> Self {
        self.bytes(field, &message.0)
    }

    /// Entries of a map as messages {1: name, 2: value}.
    fn named(self, field: u64, map: &Value, write: impl Fn(&Value) -> Message) -> Self {
        map.as_object().into_iter().flatten().fold(self, |all, (name, value)| {
            all.message(field, &Message::default().bytes(1, name.as_bytes()).message(2, &write(value)))
        })
    }

    /// What starts with `x-`.
    fn extensions(self, field: u64, map: &Value) -> Self {
        let all = map.as_object().into_iter().flatten().filter(|(name, _)| name.starts_with("x-"));
        let all: Map<String, Value> = all.map(|(name, value)| (name.clone(), value.clone())).collect();
        self.named(field, &Value::Object(all), any)
    }
}

/// Any value, as YAML; JSON is YAML.
fn any(value: &Value) -> Message {
    Message::default().bytes(2, value.to_string().as_bytes())
}

pub(super) fn document(document: &Value) -> Vec<u8> {
    let info = Message::default().text(1, &document["info"]["title"]).text(2, &document["info"]["version"]);
    let paths = Message::default().named(2, &document["paths"], path_item);
    let definitions = Message::default().named(1, &document["definitions"], schema);
    let out = Message::default().text(1, &document["swagger"]).message(2, &info);
    out.message(8, &paths).message(9, &definitions).0
}

fn path_item(item: &Value) -> Message {
    let methods = [(2, "get"), (3, "put"), (4, "post"), (5, "delete"), (8, "patch")];
    let operations = methods.iter().fold(Message::default(), |all, (field, method)| match item.get(method) {
        Some(found) => all.message(*field, &operation(found)),
        None => all,
    });
    parameters(operations, 9, &item["parameters"])
}

fn operation(value: &Value) -> Message {
    let out = Message::default()
        .texts(1, &value["tags"])
        .text(3, &value["description"])
        .text(5, &value["operationId"])
        .texts(6, &value["produces"])
        .texts(7, &value["consumes"]);
    let responses = Message::default().named(1, &value["responses"], |response| {
        let mut out = Message::default().text(1, &response["description"]);
        if let Some(found) = response.get("schema") {
            out = out.message(2, &Message::default().message(1, &schema(found)));
        }
        Message::default().message(1, &out)
    });
    parameters(out, 8, &value["parameters"]).message(9, &responses).texts(10, &value["schemes"]).extensions(13, value)
}

/// ParametersItem ▸ Parameter ▸ BodyParameter or NonBodyParameter ▸ that of a query or of a path.
fn parameters(out: Message, field: u64, list: &Value) -> Message {
    list.as_array().into_iter().flatten().fold(out, |all, one| {
        let parameter = match one["in"].as_str() {
            Some("body") => {
                let body = Message::default().text(1, &one["description"]).text(2, &one["name"]).text(3, &one["in"]);
                Message::default().message(1, &body.flag(4, &one["required"]).message(5, &schema(&one["schema"])))
            }
            place => {
                let (kind, type_) = if place == Some("path") { (4, 5) } else { (3, 6) };
                let sub = Message::default()
                    .flag(1, &one["required"])
                    .text(2, &one["in"])
                    .text(3, &one["description"])
                    .text(4, &one["name"])
                    .text(type_, &one["type"]);
                Message::default().message(2, &Message::default().message(kind, &sub))
            }
        };
        all.message(field, &Message::default().message(1, &parameter))
    })
}

fn schema(value: &Value) -> Message {
    let mut out = Message::default().text(1, &value["$ref"]).text(2, &value["format"]).text(4, &value["description"]);
    if let Some(default) = value.get("default") {
        out = out.message(5, &any(default));
    }
    out = out.texts(19, &value["required"]);
    for word in value["enum"].as_array().into_iter().flatten() {
        out = out.message(20, &any(word));
    }
    match &value["additionalProperties"] {
        Value::Null => {}
        Value::Bool(flag) => out = out.message(21, &Message::default().flag(2, &Value::Bool(*flag))),
        values => out = out.message(21, &Message::default().message(1, &schema(values))),
    }
    if value["type"].is_string() {
        out = out.message(22, &Message::default().text(1, &value["type"]));
    }
    if let Some(items) = value.get("items") {
        out = out.message(23, &Message::default().message(1, &schema(items)));
    }
    if value["properties"].is_object() {
        out = out.message(25, &Message::default().named(1, &value["properties"], schema));
    }
    out.extensions(31, value)
}
