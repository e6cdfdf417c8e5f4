//! The part of kubectl's JSONPath that printer columns use: `.spec.x`, `.list[0]`, `.list[*].name`,
//! `.list[?(@.type=="Ready")].status`, `.labels['a/b']`, `.annotations.a\.b`.
//!
//! Source: <https://kubernetes.io/docs/reference/kubectl/jsonpath/>

use serde_json::Value;

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    All,
    /// Of all values below, at any depth, the fields of this name.
    Deep(String),
    Filter(JsonPath, Compare, Value),
    /// Elements where there is something at the path.
    Has(JsonPath),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Compare {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl JsonPath {
    /// Parses a path; an error says what is wrong with it.
    pub fn parse(text: &str) -> Result<JsonPath, String> {
        let text = text.trim();
        let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
        let text = text.strip_prefix(['$', '@']).unwrap_or(text);
        let mut steps = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            rest = match next {
                '.' if rest.starts_with("..") => {
                    let (name, after) = name(&rest[2..])?;
                    steps.push(Step::Deep(name));
                    after
                }
                '.' if rest == "." => "",
                '.' => {
                    let (name, after) = name(&rest[1..])?;
                    steps.push(if name == "*" { Step::All } else { Step::Field(name) });
                    after
                }
                '[' => {
                    let (inside, after) = bracket(rest)?;
                    steps.push(step(inside)?);
                    after
                }
                _ => return Err(format!("unrecognized character in action: U+{:04X} '{next}'", u32::from(next))),
            };
        }
        Ok(JsonPath(steps))
    }

    /// The values at the path.
    pub fn find<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        let mut found = vec![value];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| step.of(value)).collect();
        }
        found
    }
}

/// A name up to the next dot or bracket; a backslash keeps what follows it.
fn name(text: &str) -> Result<(String, &str), String> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return done(name, &text[at..]),
            c if c.is_whitespace() => return Err("unexpected space in a path".into()),
            c => name.push(c),
        }
    }
    done(name, "")
}

fn done(name: String, rest: &str) -> Result<(String, &str), String> {
    if name.is_empty() { Err("a name is missing in a path".into()) } else { Ok((name, rest)) }
}

/// What stands between brackets, quotes and inner brackets respected, and what comes after.
fn bracket(text: &str) -> Result<(&str, &str), String> {
    let (mut depth, mut quote) = (0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => {
                depth -= 1;
                if depth == 0 {
                    return Ok((text[1..at].trim(), &text[at + 1..]));
                }
            }
            _ => {}
        }
    }
    Err("unterminated array".into())
}

fn step(inside: &str) -> Result<Step, String> {
    if inside == "*" || inside == ":" {
        return Ok(Step::All);
    }
    if let Some(text) = unquote(inside) {
        return Ok(Step::Field(text));
    }
    if let Some(filter) = inside.strip_prefix("?(").and_then(|rest| rest.strip_suffix(')')) {
        return self::filter(filter.trim());
    }
    inside.parse().map(Step::Index).map_err(|_| format!("invalid array index {inside}"))
}

fn unquote(text: &str) -> Option<String> {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('\'').or_else(|| inner('"')).map(str::to_owned)
}

fn filter(text: &str) -> Result<Step, String> {
    let operators = [
        ("==", Compare::Equal),
        ("!=", Compare::NotEqual),
        ("<=", Compare::AtMost),
        (">=", Compare::AtLeast),
        ("<", Compare::Less),
        (">", Compare::Greater),
    ];
    let found = operators.iter().filter_map(|(sign, compare)| Some((text.find(sign)?, *sign, *compare)));
    let Some((at, sign, compare)) = found.min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len()))) else {
        return Ok(Step::Has(JsonPath::parse(text)?));
    };
    let literal = text[at + sign.len()..].trim();
    let literal = match unquote(literal) {
        Some(text) => Value::String(text),
        None => serde_json::from_str(literal).map_err(|_| format!("unrecognized literal {literal}"))?,
    };
    Ok(Step::Filter(JsonPath::parse(text[..at].trim())?, compare, literal))
}

impl Step {
    fn of<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Step::Field(name), value) => value.get(name).into_iter().collect(),
            (Step::Index(index), Value::Array(list)) => {
                let index = if *index < 0 { *index + list.len() as i64 } else { *index };
                usize::try_from(index).ok().and_then(|index| list.get(index)).into_iter().collect()
            }
            (Step::All, Value::Array(list)) => list.iter().collect(),
            (Step::All, Value::Object(map)) => map.values().collect(),
            (Step::Deep(name), value) => {
                let mut found = Vec::new();
                deep(name, value, &mut found);
                found
            }
            (Step::Has(path), Value::Array(list)) => list.iter().filter(|item| !path.find(item).is_empty()).collect(),
            (Step::Filter(path, compare, literal), Value::Array(list)) => {
                let wanted =
                    |item: &&Value| path.find(item).first().is_some_and(|found| holds(found, *compare, literal));
                list.iter().filter(wanted).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn deep<'v>(name: &str, value: &'v Value, found: &mut Vec<&'v Value>) {
    found.extend(value.get(name));
    match value {
        Value::Object(map) => map.values().for_each(|value| deep(name, value, found)),
        Value::Array(list) => list.iter().for_each(|value| deep(name, value, found)),
        _ => {}
    }
}

fn holds(found: &Value, compare: Compare, literal: &Value) -> bool {
    let order = match (found, literal) {
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        (Value::Number(one), Value::Number(other)) => one.as_f64().partial_cmp(&other.as_f64()),
        (one, other) => (one == other).then_some(std::cmp::Ordering::Equal),
    };
    match compare {
        Compare::Equal => order.is_some_and(std::cmp::Ordering::is_eq),
        Compare::NotEqual => !order.is_some_and(std::cmp::Ordering::is_eq),
        Compare::Less => order.is_some_and(std::cmp::Ordering::is_lt),
        Compare::AtMost => order.is_some_and(std::cmp::Ordering::is_le),
        Compare::Greater => order.is_some_and(std::cmp::Ordering::is_gt),
        Compare::AtLeast => order.is_some_and(std::cmp::Ordering::is_ge),
    }
}
