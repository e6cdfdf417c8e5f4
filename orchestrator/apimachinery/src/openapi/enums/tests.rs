use super::*;
use crate::schema::builtin_type;
use crate::schema::types::Node;

#[test]
fn each_row_is_a_text_of_a_built_in_type() {
    for (type_, field, words) in ROWS {
        let name = format!("io.k8s.api.{type_}");
        let found = builtin_type(&name).and_then(|shape| shape.field(field));
        assert!(found.is_some_and(|field| matches!(field.node, Node::Text)), "{name} has no text {field}");
        assert!(words.is_sorted() && !words.is_empty(), "{type_}.{field}");
        assert_eq!(of(&name, field), *words, "{type_}.{field} is found");
    }
    assert!(ROWS.is_sorted_by(|one, other| (one.0, one.1) < (other.0, other.1)), "in order");
    assert!(of("io.k8s.api.core.v1.PodSpec", "nodeName").is_empty());
}
