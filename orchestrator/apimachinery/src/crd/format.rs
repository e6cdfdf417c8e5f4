//! `format` of texts: those that Kubernetes checks; all others say nothing.

use crate::kinds::names;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether a text is of a format.
pub(super) fn fits(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        "duration" => is_duration(text),
        "byte" => STANDARD.decode(text).is_ok(),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => text.contains('/') && text.parse::<ipnet::IpNet>().is_ok(),
        "mac" => is_mac(text),
        "uuid" => is_uuid(text, None),
        "uuid3" => is_uuid(text, Some('3')),
        "uuid4" => is_uuid(text, Some('4')),
        "uuid5" => is_uuid(text, Some('5')),
        "hostname" => is_host_name(text),
        "email" => text.rsplit_once('@').is_some_and(|(user, host)| !user.is_empty() && is_host_name(host)),
        "uri" => is_uri(text),
        "hexcolor" => {
            let digits = text.strip_prefix('#').unwrap_or(text);
            matches!(digits.len(), 3 | 6) && digits.chars().all(|c| c.is_ascii_hexdigit())
        }
        "rgbcolor" => is_rgb(text),
        "bsonobjectid" => text.len() == 24 && text.chars().all(|c| c.is_ascii_hexdigit()),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "creditcard" => is_card(text),
        "ssn" => is_grouped(text, &[3, 2, 4]),
        "k8s-short-name" => names::dns_label(text).is_empty(),
        "k8s-long-name" => names::dns_subdomain(text).is_empty(),
        _ => true,
    }
}

/// Go's `1h30m`, or words as in `3 days`.
fn is_duration(text: &str) -> bool {
    const UNITS: [&str; 13] = ["ns", "us", "µs", "μs", "ms", "s", "m", "h", "d", "day", "days", "w", "week"];
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    if text == "0" {
        return true;
    }
    let mut rest = text.trim();
    let mut found = false;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let number = &rest[..digits];
        if number.parse::<f64>().is_err() {
            return false;
        }
        rest = rest[digits..].trim_start();
        let unit = rest.len() - rest.trim_start_matches(|c: char| c.is_alphabetic()).len();
        if !UNITS.contains(&&rest[..unit]) {
            return false;
        }
        (rest, found) = (rest[unit..].trim_start(), true);
    }
    found
}

fn is_mac(text: &str) -> bool {
    let octets: Vec<&str> = text.split([':', '-']).collect();
    matches!(octets.len(), 6 | 8 | 20)
        && octets.iter().all(|octet| octet.len() == 2 && octet.chars().all(|c| c.is_ascii_hexdigit()))
}

fn is_uuid(text: &str, version: Option<char>) -> bool {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let dashes = text.len() == 32 || is_grouped_by(text, &[8, 4, 4, 4, 12], |c| c.is_ascii_hexdigit());
    digits.len() == 32
        && dashes
        && digits.chars().all(|c| c.is_ascii_hexdigit())
        && version.is_none_or(|version| digits.chars().nth(12) == Some(version))
}

fn is_grouped(text: &str, groups: &[usize]) -> bool {
    is_grouped_by(text, groups, |c| c.is_ascii_digit())
}

fn is_grouped_by(text: &str, groups: &[usize], fits: fn(char) -> bool) -> bool {
    let parts: Vec<&str> = text.split(['-', ' ']).collect();
    parts.len() == groups.len()
        && parts.iter().zip(groups).all(|(part, length)| part.chars().count() == *length && part.chars().all(fits))
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// An absolute URI, or a path.
fn is_uri(text: &str) -> bool {
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return false;
    }
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let named = scheme.is_some_and(|scheme| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    named || text.starts_with('/')
}

fn is_rgb(text: &str) -> bool {
    let inner = text.strip_prefix("rgb(").and_then(|rest| rest.strip_suffix(')'));
    let parts: Vec<&str> = inner.unwrap_or_default().split(',').map(str::trim).collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u8>().is_ok())
}

fn digits_of(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | ' ')).collect()
}

fn is_isbn10(text: &str) -> bool {
    let digits = digits_of(text);
    let value = |(index, c): (usize, char)| match c {
        'X' | 'x' if index == 9 => Some(10),
        c => c.to_digit(10),
    };
    let values: Option<Vec<u32>> = digits.chars().enumerate().map(value).collect();
    values.is_some_and(|values| {
        values.len() == 10
            && values.iter().zip((1..=10).rev()).map(|(value, weight)| value * weight).sum::<u32>() % 11 == 0
    })
}

fn is_isbn13(text: &str) -> bool {
    let values: Option<Vec<u32>> = digits_of(text).chars().map(|c| c.to_digit(10)).collect();
    values.is_some_and(|values| {
        let weighed = values.iter().enumerate().map(|(index, value)| value * if index % 2 == 0 { 1 } else { 3 });
        values.len() == 13 && weighed.sum::<u32>() % 10 == 0
    })
}

/// The Luhn sum.
fn is_card(text: &str) -> bool {
    let values: Option<Vec<u32>> = digits_of(text).chars().map(|c| c.to_digit(10)).collect();
    values.is_some_and(|values| {
        let double = |(index, value): (usize, &u32)| match index % 2 {
            1 => value * 2 / 10 + value * 2 % 10,
            _ => *value,
        };
        (12..=19).contains(&values.len()) && values.iter().rev().enumerate().map(double).sum::<u32>() % 10 == 0
    })
}
