use super::{check, fails};
use serde_json::json;

#[test]
fn texts_are_counted_in_characters() {
    check("'Käße'.size()", json!(4));
    check("size('日本')", json!(2));
    check("size(b'é')", json!(2));
    check("[1, 2].size() + {'a': 1}.size()", json!(3));
}

#[test]
fn times_have_parts_in_every_zone() {
    check("timestamp('2020-01-01T00:00:00Z').getHours()", json!(0));
    check("timestamp('2020-01-01T00:00:00Z').getHours('America/New_York')", json!(19));
    check("timestamp('2020-01-01T00:00:00Z').getFullYear('-05:00')", json!(2019));
    check("timestamp('2020-01-01T00:00:00Z').getMinutes('05:30')", json!(30));
    check("timestamp('2020-07-01T00:00:00+02:00').getHours()", json!(22));
    check("timestamp('2020-03-01T00:00:00Z').getMonth() + timestamp('2020-03-01T00:00:00Z').getDayOfWeek()", json!(2));
    check("timestamp('2020-01-02T00:00:00Z').getDayOfYear() + timestamp('2020-01-02T00:00:00Z').getDate()", json!(3));
    check("duration('90m').getHours() + duration('90m').getMinutes()", json!(91));
    fails("timestamp('2020-01-01T00:00:00Z').getHours('Nowhere')", "unknown time zone Nowhere");
    fails("timestamp('2020-01-01T00:00:00Z').getHours('99999999:00')", "unknown time zone");
}

#[test]
fn values_become_texts_and_numbers() {
    check("string(true) + string(1) + string(duration('90s'))", json!("true190s"));
    check("string(timestamp('2020-01-01T00:00:00Z'))", json!("2020-01-01T00:00:00Z"));
    check("int(timestamp('1970-01-01T00:00:01Z')) + int('2') + int(3.9)", json!(6));
    check("dyn(1) == 1", json!(true));
    fails("int('x')", "string parse error");
}
