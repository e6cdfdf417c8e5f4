use super::*;
use expect_test::expect;

#[test]
fn ages_are_as_short_as_kubectls() {
    let ages: Vec<String> = [
        -5,
        -1,
        0,
        59,
        119,
        120,
        192,
        599,
        600,
        10_799,
        10_800,
        10_860,
        28_799,
        28_800,
        172_799,
        172_800,
        176_400,
        691_199,
        691_200,
        63_071_999,
        63_072_000,
        63_158_400,
        252_287_999,
        252_288_000,
    ]
    .into_iter()
    .map(human_duration)
    .collect();
    expect![
        "<invalid> 0s 0s 59s 119s 2m 3m12s 9m59s 10m 179m 3h 3h1m 7h59m 8h 47h 2d 2d1h 7d23h 8d 729d 2y 2y1d 7y364d 8y"
    ]
    .assert_eq(&ages.join(" "));
}

#[test]
fn a_table_holds_columns_rows_and_metadata() {
    let kind = crate::Catalog::builtin().resource("", "v1", "configmaps").expect("served").clone();
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "b", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "data": {"x": "y"},
    });
    let now = 1_767_225_600 + 90;
    let rows = vec![
        row(&kind, &object, IncludeObject::Metadata, now),
        row(&kind, &object, IncludeObject::Object, now),
        row(&kind, &object, IncludeObject::None, now),
    ];
    let table = table(&kind, rows, json!({"resourceVersion": "7"}), true);
    expect![[r#"
        {
          "apiVersion": "meta.k8s.io/v1",
          "columnDefinitions": [
            {
              "description": "The object's name, unique in its namespace.",
              "format": "name",
              "name": "Name",
              "priority": 0,
              "type": "string"
            },
            {
              "description": "How many entries it holds.",
              "format": "",
              "name": "Data",
              "priority": 0,
              "type": "string"
            },
            {
              "description": "When the object was created; time since then.",
              "format": "",
              "name": "Age",
              "priority": 0,
              "type": "string"
            }
          ],
          "kind": "Table",
          "metadata": {
            "resourceVersion": "7"
          },
          "rows": [
            {
              "cells": [
                "a",
                1,
                "90s"
              ],
              "object": {
                "apiVersion": "meta.k8s.io/v1",
                "kind": "PartialObjectMetadata",
                "metadata": {
                  "creationTimestamp": "2026-01-01T00:00:00Z",
                  "name": "a",
                  "namespace": "b"
                }
              }
            },
            {
              "cells": [
                "a",
                1,
                "90s"
              ],
              "object": {
                "apiVersion": "v1",
                "data": {
                  "x": "y"
                },
                "kind": "ConfigMap",
                "metadata": {
                  "creationTimestamp": "2026-01-01T00:00:00Z",
                  "name": "a",
                  "namespace": "b"
                }
              }
            },
            {
              "cells": [
                "a",
                1,
                "90s"
              ],
              "object": null
            }
          ]
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&table).expect("JSON"));
}
