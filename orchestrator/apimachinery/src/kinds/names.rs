//! What names, keys and values may look like: upstream's rules and words.
//!
//! Each function returns what is wrong, empty when nothing is. The rules are those of
//! `k8s.io/apimachinery/pkg/util/validation`.

const LABEL_REGEX: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_REGEX: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

/// What is wrong with a text; empty when nothing is.
pub type Rule = fn(&str) -> Vec<String>;

/// Longest DNS label.
pub const LABEL_BYTES_MAX: usize = 63;
/// Longest DNS subdomain.
pub const SUBDOMAIN_BYTES_MAX: usize = 253;

fn explain(message: &str, regex: &str, examples: &[&str]) -> String {
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    match examples.len() {
        0 => format!("{message} (regex used for validation is '{regex}')"),
        _ => format!("{message} (e.g. {}regex used for validation is '{regex}')", examples.join(" or ")),
    }
}

fn too_long(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn fits_label(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|&b| is_lower(b))
        && bytes.last().is_some_and(|&b| is_lower(b))
        && bytes.iter().all(|&b| is_lower(b) || b == b'-')
}

/// Letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
fn fits_name_part(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
}

/// What is wrong with a name that is too long or of the wrong form; the explanation is made only then.
fn judge(name: &str, bytes_max: usize, fits: bool, explanation: impl FnOnce() -> String) -> Vec<String> {
    let mut wrong = Vec::new();
    if name.len() > bytes_max {
        wrong.push(too_long(bytes_max));
    }
    if !fits {
        wrong.push(explanation());
    }
    wrong
}

/// RFC 1123 label: names of namespaces, containers, volumes.
pub fn dns_label(name: &str) -> Vec<String> {
    let message = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
                   and end with an alphanumeric character";
    judge(name, LABEL_BYTES_MAX, fits_label(name), || explain(message, LABEL_REGEX, &["my-name", "123-abc"]))
}

/// RFC 1123 subdomain: names of most objects.
pub fn dns_subdomain(name: &str) -> Vec<String> {
    let message = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
                   must start and end with an alphanumeric character";
    let fits = name.split('.').all(fits_label);
    judge(name, SUBDOMAIN_BYTES_MAX, fits, || explain(message, SUBDOMAIN_REGEX, &["example.com"]))
}

/// A domain to search names in: a subdomain that may have underscores and a dot at its end.
pub fn search_domain(name: &str) -> Vec<String> {
    let plain = name.strip_suffix('.').unwrap_or(name);
    if name == "." || dns_subdomain(&plain.replace('_', "a")).is_empty() {
        return Vec::new();
    }
    let message = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '_' or '.', \
                   and must start and end with an alphanumeric character";
    let regex = r"[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?(\.[a-z0-9_]([-_a-z0-9]*[a-z0-9_])?)*";
    judge(plain, SUBDOMAIN_BYTES_MAX, false, || explain(message, regex, &["example.com"]))
}

/// RFC 1035 label: names of Services.
pub fn dns_1035_label(name: &str) -> Vec<String> {
    let message = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
                   character, and end with an alphanumeric character";
    let fits = fits_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase());
    judge(name, LABEL_BYTES_MAX, fits, || explain(message, "[a-z]([-a-z0-9]*[a-z0-9])?", &["my-name", "abc-123"]))
}

/// What may stand between slashes of a path: names of roles.
pub fn path_segment(name: &str, prefix: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    if !prefix && (name == "." || name == "..") {
        wrong.push(format!("may not be '{name}'"));
    }
    for part in ['/', '%'] {
        if name.contains(part) {
            wrong.push(format!("may not contain '{part}'"));
        }
    }
    wrong
}

/// Makes a rule for names fit prefixes (`generateName`), whose last characters are still to come.
pub fn of_prefix(rule: Rule, name: &str, prefix: bool) -> Vec<String> {
    match name.strip_suffix('-') {
        Some(stem) if prefix => rule(&format!("{stem}a")),
        _ => rule(name),
    }
}

/// A label's or annotation's key: a name with an optional DNS prefix.
pub fn qualified(name: &str) -> Vec<String> {
    const MESSAGE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                           alphanumeric character";
    let explained = || explain(MESSAGE, "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", &["MyName", "my.name", "123-abc"]);
    let parts: Vec<&str> = name.split('/').collect();
    let mut wrong = Vec::new();
    let part = match parts.as_slice() {
        [part] => *part,
        [prefix, part] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                wrong.extend(dns_subdomain(prefix).into_iter().map(|text| format!("prefix part {text}")));
            }
            *part
        }
        _ => {
            let tail = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a qualified name {} {tail}", explained())];
        }
    };
    if part.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if part.len() > LABEL_BYTES_MAX {
        wrong.push(format!("name part {}", too_long(LABEL_BYTES_MAX)));
    }
    if !fits_name_part(part) {
        wrong.push(format!("name part {}", explained()));
    }
    wrong
}

/// A label's value.
pub fn label_value(value: &str) -> Vec<String> {
    let message = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
                   must start and end with an alphanumeric character";
    let regex = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
    let fits = value.is_empty() || fits_name_part(value);
    judge(value, LABEL_BYTES_MAX, fits, || explain(message, regex, &["MyValue", "my_value", "12345"]))
}

/// The name of an environment variable.
pub fn environment_variable(name: &str) -> Vec<String> {
    if !name.is_empty() && name.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=') {
        return Vec::new();
    }
    let message = "a valid environment variable name must consist only of printable ASCII characters other than '='";
    vec![message.to_owned()]
}

/// A key of a ConfigMap or Secret.
pub fn data_key(key: &str) -> Vec<String> {
    let message = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    let fits = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let mut wrong = judge(key, SUBDOMAIN_BYTES_MAX, fits, || {
        explain(message, "[-._a-zA-Z0-9]+", &["key.name", "KEY_NAME", "key-name"])
    });
    if key == "." || key == ".." {
        wrong.push(format!("must not be '{key}'"));
    } else if key.starts_with("..") {
        wrong.push("must not start with '..'".to_owned());
    }
    wrong
}

/// The name of a port.
pub fn port_name(name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if name.len() > 15 {
        wrong.push(too_long(15));
    }
    if !name.bytes().all(|b| is_lower(b) || b == b'-') || name.is_empty() {
        wrong.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !name.bytes().any(|b| b.is_ascii_lowercase()) {
        wrong.push("must contain at least one letter (a-z)".to_owned());
    }
    if name.contains("--") {
        wrong.push("must not contain consecutive hyphens".to_owned());
    }
    if name.starts_with('-') || name.ends_with('-') {
        wrong.push("must not begin or end with a hyphen".to_owned());
    }
    wrong
}

/// The number of a port.
pub fn port_number(port: i64) -> Vec<String> {
    in_range(port, 1, 65535)
}

/// A number within bounds.
pub fn in_range(number: i64, min: i64, max: i64) -> Vec<String> {
    if (min..=max).contains(&number) {
        return Vec::new();
    }
    vec![format!("must be between {min} and {max}, inclusive")]
}

/// The name of an HTTP header.
pub fn http_header(name: &str) -> Vec<String> {
    if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Vec::new();
    }
    let message = "a valid HTTP header must consist of alphanumeric characters or '-'";
    vec![explain(message, "[-A-Za-z0-9]+", &["X-Header-Name"])]
}

/// A percentage.
pub fn percent(text: &str) -> Vec<String> {
    let digits = text.strip_suffix('%').unwrap_or("");
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Vec::new();
    }
    let message = "a valid percent string must be a numeric string followed by an ending '%'";
    vec![explain(message, "[0-9]+%", &["1%", "93%"])]
}

/// An IP address.
pub fn ip(text: &str) -> Vec<String> {
    use std::net::IpAddr;
    let wrong = match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(ip)) if ip.to_ipv4_mapped().is_some() => "must not be an IPv4-mapped IPv6 address",
        Ok(_) => return Vec::new(),
        Err(_) if has_leading_zeros(text) => "must not have leading 0s",
        Err(_) => "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
    };
    vec![wrong.to_owned()]
}

/// Whether a text would be an IPv4 address but for zeros before its numbers.
fn has_leading_zeros(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let plain = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.trim_start_matches('0').parse::<u32>().unwrap_or(0)).is_some_and(|number| number < 256)
    };
    parts.len() == 4 && parts.iter().all(|part| plain(part))
}

/// What is wrong with an address that no endpoint can have; nothing when it is no address at all.
pub fn special_ip(text: &str) -> Vec<String> {
    use std::net::IpAddr;
    let Ok(ip) = text.parse::<IpAddr>() else { return Vec::new() };
    let (local, local_group) = match ip {
        IpAddr::V4(ip) => (ip.is_link_local(), ip.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(ip) => (ip.is_unicast_link_local(), ip.segments()[0] & 0xff0f == 0xff02),
    };
    let mut wrong = Vec::new();
    if ip.is_unspecified() {
        wrong.push(format!("may not be unspecified ({text})"));
    }
    if ip.is_loopback() {
        wrong.push("may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned());
    }
    if local {
        wrong.push("may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned());
    }
    if local_group {
        wrong.push("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".to_owned());
    }
    wrong
}

#[cfg(test)]
mod tests;
