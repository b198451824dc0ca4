//! What the runners of the TCP and UDP scenarios share: values with variables, and the comparison
//! of what a program sent with what a scenario expects (`docs/protocol/README.md`, section 10).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Matches any value, and binds nothing.
const ANY: &str = "$_";

/// Reads all scenarios of a file of `docs/protocol/vectors`.
pub(crate) fn scenarios(file: &str) -> Vec<Value> {
    crate::vectors(file)
}

/// The steps of a scenario.
pub(crate) fn steps(scenario: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    scenario["steps"].as_array().unwrap().iter().map(|step| step.as_object().unwrap())
}

/// The items of an optional list.
pub(crate) fn list(value: Option<&Value>) -> &[Value] {
    value.map_or(&[], |it| it.as_array().unwrap())
}

/// The bounds of `{"between": [first, last]}`, in milliseconds.
pub(crate) fn between(value: &Value) -> (u64, u64) {
    (value["between"][0].as_u64().unwrap(), value["between"][1].as_u64().unwrap())
}

/// Converts the fields of a message from our serde form to that of the vectors: byte arrays become
/// hex. (No message has a list of numbers.)
pub(crate) fn as_vector(value: Value) -> Value {
    match value {
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_number) => {
            json!(
                items.iter().map(|it| format!("{:02x}", it.as_u64().unwrap())).collect::<String>()
            )
        }
        Value::Array(items) => items.into_iter().map(as_vector).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (key, as_vector(value))).collect()
        }
        other => other,
    }
}

/// Values of the variables that a scenario has bound so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bindings(BTreeMap<String, Value>);

impl Bindings {
    /// The bindings of a JSON object, such as a scenario's `usual`.
    pub(crate) fn of(usual: &Value) -> Self {
        Self(usual.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    /// Replaces each variable in `value` by what it is bound to.
    ///
    /// # Errors
    /// The name of the first variable that is not bound.
    pub(crate) fn substitute(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(name) if name.starts_with('$') => {
                self.0.get(name).cloned().ok_or_else(|| format!("{name} is not bound yet"))?
            }
            Value::Array(items) => {
                Value::Array(items.iter().map(|it| self.substitute(it)).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(key, it)| Ok((key.clone(), self.substitute(it)?)))
                    .collect::<Result<_, String>>()?,
            ),
            other => other.clone(),
        })
    }

    /// Returns true if `actual` is what `expected` describes; then the variables in it are bound.
    pub(crate) fn matches(&mut self, expected: &Value, actual: &Value) -> bool {
        let mut trial = self.clone();
        let is_match = trial.compare(expected, actual);
        if is_match {
            *self = trial;
        }
        is_match
    }

    /// As [`Self::matches`], but may leave bindings behind after a mismatch.
    fn compare(&mut self, expected: &Value, actual: &Value) -> bool {
        match (expected, actual) {
            (Value::String(name), _) if name == ANY => true,
            (Value::String(name), _) if name.starts_with('$') => self.bind(name, actual),
            (Value::String(digits), Value::Number(_)) => digits.parse().ok() == actual.as_u64(),
            (Value::Object(it), Value::Number(_)) if it.contains_key("between") => {
                let (first, last) = between(expected);
                (first..=last).contains(&actual.as_u64().unwrap())
            }
            (Value::Object(it), Value::Array(actual)) if it.contains_key("contains") => {
                list(it.get("contains"))
                    .iter()
                    .all(|wanted| actual.iter().any(|it| self.matches(wanted, it)))
            }
            (Value::Array(expected), Value::Array(actual)) => {
                expected.len() == actual.len()
                    && expected.iter().zip(actual).all(|(it, actual)| self.compare(it, actual))
            }
            (Value::Object(expected), Value::Object(actual)) => expected
                .iter()
                .all(|(key, it)| self.compare(it, actual.get(key).unwrap_or(&Value::Null))),
            _ => expected == actual,
        }
    }

    /// Compares a variable with its value, or binds it. Numbers bound to variables with the same
    /// letters rise with the number behind them: `$m1` < `$m2`.
    fn bind(&mut self, name: &str, actual: &Value) -> bool {
        if let Some(bound) = self.0.get(name) {
            return bound == actual;
        }
        let series = |it: &str| {
            let letters = it.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
            let number = it.get(letters.len()..).and_then(|it| it.parse::<u64>().ok());
            (letters, number)
        };
        let (letters, number) = series(name);
        let rises = self.0.iter().all(|(other, bound)| {
            match (series(other), bound.as_u64(), actual.as_u64()) {
                ((other, at), Some(bound), Some(actual)) if other == letters => {
                    (at < number) == (bound < actual)
                }
                _ => true,
            }
        });
        self.0.insert(name.to_owned(), actual.clone());
        rises
    }
}

/// A copy of `scenario` for each expectation in it, with that one changed so that no correct
/// program can meet it; with a description of the change. `mutate` gives the changed versions of
/// one step.
pub(crate) fn mutated(
    scenario: &Value,
    mutate: impl Fn(&Map<String, Value>) -> Vec<(String, Map<String, Value>)>,
) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (at, step) in steps(scenario).enumerate() {
        for (what, changed) in mutate(step) {
            let mut copy = scenario.clone();
            copy["steps"][at] = Value::Object(changed);
            all.push((format!("{}: step {at}: {what}", scenario["name"]), copy));
        }
    }
    all
}
