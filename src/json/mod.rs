//! Layer 1: conversion between JSON objects, requests and events (`docs/json.md`). Bots read and
//! write these objects as lines; the page in a browser gets them from its engine.
//!
//! - `events`, `moderation`: the objects of events
//! - `requests`: the objects of requests
//! - `time`: times in RFC 3339 format

mod events;
mod moderation;
mod requests;
mod time;

use serde_json::{Map, Value, json};

pub use events::{EventContext, event_objects};
#[cfg(feature = "ui")]
pub(crate) use moderation::parse_role_name;
pub use requests::{InvalidRequest, RequestObject};
use time::format_utc;

use crate::model::{ErrorCode, RequestTag, Timestamp};

/// Greatest integer that is written as a JSON number: 2^53. A 64-bit floating-point number
/// represents every integer up to it exactly.
const MAX_EXACT_NUMBER: u64 = 1 << 53;

/// Returns a timestamp as a JSON string: RFC 3339 format in UTC. Null if it is after the year 9999.
fn time_value(time: Timestamp) -> Value {
    format_utc(time).map_or(Value::Null, Value::String)
}

/// Returns an integer as JSON: a number up to [`MAX_EXACT_NUMBER`], a string of digits beyond. Used
/// for integers that a server may choose freely.
pub(crate) fn number_value(number: u64) -> Value {
    if number <= MAX_EXACT_NUMBER { number.into() } else { number.to_string().into() }
}

/// Returns the JSON object of an error. Code 0 has the name `client`: the program itself reports
/// the error. An unknown code has the name null.
pub fn error_object(code: u16, text: &str) -> Value {
    let name = ErrorCode::from_number(code).map(ErrorCode::name);
    let name = if code == 0 { Some("client") } else { name };
    json!({"type": "error", "code": code, "name": name, "text": text})
}

/// Adds the request id to an object, as `id`. The id is the JSON text in the tag. Leaves the object
/// unchanged if the tag is empty or its text is no JSON.
pub fn with_id(mut object: Value, tag: &RequestTag) -> Value {
    if let (Some(map), Some(id)) = (object.as_object_mut(), id_from_tag(tag)) {
        insert_id(map, id);
    }
    object
}

/// Sets the key `id` of a JSON object to a request id.
fn insert_id(map: &mut Map<String, Value>, id: Value) {
    map.insert("id".to_owned(), id);
}

/// Returns the request id in a tag, whose text is its JSON. `None` if the tag is empty or no JSON.
pub fn id_from_tag(tag: &RequestTag) -> Option<Value> {
    serde_json::from_str(tag.0.as_deref()?).ok()
}

/// Returns the tag for a request id: the id as JSON text. Without an id the tag is empty.
pub fn tag_from_id(id: Option<&Value>) -> RequestTag {
    RequestTag(id.map(|it| it.to_string().into()))
}
