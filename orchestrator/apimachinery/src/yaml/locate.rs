//! A document as a tree of line numbers.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::Spanned;
use std::fmt;

/// Lines are from 1 in the document.
pub(super) enum Tree {
    Map(Vec<(String, usize, Tree)>),
    List(Vec<(usize, Tree)>),
    Leaf,
}

impl Tree {
    /// The line of a path, or of the nearest field above it that is there.
    pub(super) fn line_of(&self, path: &str) -> Option<usize> {
        let (mut tree, mut found) = (self, None);
        for step in steps(path) {
            let next = match tree {
                Tree::Map(fields) => fields.iter().find(|(key, ..)| *key == step).map(|(_, line, tree)| (*line, tree)),
                Tree::List(items) => {
                    let index: Option<usize> = step.parse().ok();
                    index.and_then(|index| items.get(index)).map(|(line, tree)| (*line, tree))
                }
                Tree::Leaf => None,
            };
            let Some((line, below)) = next else { break };
            (tree, found) = (below, Some(line));
        }
        found
    }
}

/// `a.b[0][x.y/z].c` as its names and indexes.
fn steps(path: &str) -> Vec<&str> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (step, after) = inside.split_once(']').unwrap_or((inside, ""));
            steps.push(step);
            rest = after;
        } else {
            let rest_name = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest_name.find(['.', '[']).unwrap_or(rest_name.len());
            if end > 0 {
                steps.push(&rest_name[..end]);
            } else if !rest_name.starts_with('[') {
                break;
            }
            rest = &rest_name[end..];
        }
    }
    steps
}

fn line<T>(spanned: &Spanned<T>) -> usize {
    usize::try_from(spanned.referenced.line()).unwrap_or(1)
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TreeVisitor;
        impl<'de> Visitor<'de> for TreeVisitor {
            type Value = Tree;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut fields = Vec::new();
                while let Some((key, value)) = map.next_entry::<Spanned<String>, Tree>()? {
                    fields.push((key.value.clone(), line(&key), value));
                }
                Ok(Tree::Map(fields))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element::<Spanned<Tree>>()? {
                    items.push((line(&item), item.value));
                }
                Ok(Tree::List(items))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_i128<E>(self, _: i128) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_u128<E>(self, _: u128) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_bytes<E>(self, _: &[u8]) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
            fn visit_none<E>(self) -> Result<Tree, E> {
                Ok(Tree::Leaf)
            }
        }
        deserializer.deserialize_any(TreeVisitor)
    }
}
