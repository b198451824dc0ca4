//! Runs `docs/protocol/vectors/tcp-scenarios.json` against our client's engine,
//! [`pi_chat::link::Link`], and checks that a wrong expectation is noticed.

mod client;

use serde_json::{Map, Value, json};

use crate::scenario::{Bindings, between, list, mutated, scenarios, steps};
use crate::{Outcome, as_ours, decode, unhex};
use client::Client;

/// Scenarios that our engine is known not to pass: name and what it does otherwise.
const KNOWN_DIFFERENCES: &[(&str, &str)] = &[];

/// Returns true if our engine is known not to pass the scenario of this name.
fn is_known_difference(name: &str) -> bool {
    KNOWN_DIFFERENCES.iter().any(|(known, _)| *known == name)
}

/// Runs one scenario.
///
/// # Errors
/// A description of the first expectation that the client did not meet.
fn run(scenario: &Value) -> Result<(), String> {
    let mut client = Client::new(&scenario["client"]);
    let mut run = Run { usual: Bindings::of(&scenario["usual"]), ..Run::default() };
    for (number, step) in steps(scenario).enumerate() {
        run.step(&mut client, step)
            .map_err(|why| format!("step {number}, {}: {why}", Value::Object(step.clone())))?;
    }
    Ok(())
}

/// Expectations and variable bindings that outlive a step.
#[derive(Default)]
struct Run {
    /// Values of variables for which the scenario gives bytes.
    usual: Bindings,
    /// Values of variables in this run.
    bindings: Bindings,
    /// Frames that the client may send, but need not.
    allowed: Vec<Value>,
    /// Allowed frames that were sent.
    granted: Vec<Value>,
    /// Window in which the client has to ask for its next connection, in milliseconds.
    reconnects: Option<(u64, u64)>,
}

impl Run {
    /// Executes a step and checks its expectations.
    fn step(&mut self, client: &mut Client, step: &Map<String, Value>) -> Result<(), String> {
        client.advance(step["at"].as_u64().unwrap());
        if step.contains_key("connect") {
            let asked = client.connect()?;
            if self.reconnects.take().is_some_and(|(first, last)| !(first..=last).contains(&asked))
            {
                return Err(format!("it asked for a connection at {asked} ms"));
            }
            (self.allowed, self.granted) = (Vec::new(), Vec::new());
        }
        for frame in list(step.get("server")) {
            let body = self.body(frame)?;
            client.receive(body);
        }
        if let Some(request) = step.get("user") {
            client.request(request);
        }
        if step.contains_key("drop") {
            client.drop_connection();
        }
        if let Some(restart) = step.get("restart") {
            client.restart(restart);
        }
        if let Some(window) = step.get("reconnects") {
            self.reconnects = Some(between(window));
        }
        self.allowed.extend(list(step.get("may")).iter().map(pattern));
        self.compare_frames(&client.take_frames(), step)?;
        for (key, actual) in [("shown", client.take_shown()), ("told", client.take_told())] {
            self.compare_list(key, list(step.get(key)), &actual)?;
        }
        for (key, actual) in
            [("position", client.position()), ("unacknowledged", client.unacknowledged())]
        {
            if step.get(key).is_some_and(|expected| *expected != actual) {
                return Err(format!("{key} is {actual}"));
            }
        }
        let is_over = step.contains_key("ended");
        if is_over != client.is_over() {
            return Err(if is_over { "it goes on" } else { "it has ended" }.to_owned());
        }
        Ok(())
    }

    /// The body of a frame of the server, for the values that the client has chosen. Checks the
    /// vector's own bytes on the way.
    fn body(&self, frame: &Value) -> Result<Vec<u8>, String> {
        let wire = unhex(&frame["wire"]);
        if frame.get("frame").is_none() {
            return Ok(wire[2..].to_vec());
        }
        let usual =
            client::encode(&frame["frame"], &as_ours(&self.usual.substitute(&frame["value"])?));
        assert_eq!(usual, wire, "{frame}");
        let value = self.bindings.substitute(&frame["value"])?;
        Ok(client::encode(&frame["frame"], &as_ours(&value))[2..].to_vec())
    }

    /// Compares the frames sent with a step's `client`, all of which are required in this order,
    /// and with the frames that are allowed besides.
    fn compare_frames(&mut self, sent: &[Value], step: &Map<String, Value>) -> Result<(), String> {
        let mut expected: Vec<Value> = Vec::new();
        for frame in list(step.get("client")) {
            self.check_wire(frame);
            expected.push(pattern(frame));
        }
        for frame in sent {
            if expected.first().is_some_and(|it| self.bindings.matches(it, frame)) {
                expected.remove(0);
            } else if let Some(at) =
                self.allowed.iter().position(|it| self.bindings.matches(it, frame))
            {
                self.allowed.remove(at);
                self.granted.push(frame.clone());
            } else if frame["frame"] != "ping" {
                return Err(format!("it sent {frame}"));
            }
        }
        for missing in expected {
            let at = self.granted.iter().position(|it| self.bindings.matches(&missing, it));
            self.granted.remove(at.ok_or_else(|| format!("it did not send {missing}"))?);
        }
        Ok(())
    }

    /// Checks that the bytes of a frame that is expected are those of its value.
    fn check_wire(&self, expected: &Value) {
        let Some(wire) = expected.get("wire") else { return };
        let value = as_ours(&self.usual.substitute(&expected["value"]).unwrap());
        let Outcome::Frame(_, fields, _) = decode("client", &unhex(wire)[2..]) else {
            panic!("{expected}")
        };
        assert_eq!(fields, value, "{expected}");
    }

    /// Compares two lists, of which `expected` may have items that are optional.
    fn compare_list(
        &mut self,
        key: &str,
        expected: &[Value],
        actual: &[Value],
    ) -> Result<(), String> {
        let mut left = actual.iter().peekable();
        for it in expected {
            let mut wanted = it.as_object().unwrap().clone();
            let is_optional = wanted.remove("optional").is_some();
            match left.peek() {
                Some(actual) if self.bindings.matches(&Value::Object(wanted), actual) => {
                    left.next();
                }
                _ if is_optional => {}
                _ => return Err(format!("{key} is {}", json!(actual))),
            }
        }
        if left.next().is_some() { Err(format!("{key} is {}", json!(actual))) } else { Ok(()) }
    }
}

/// A frame without its bytes, as it is compared.
fn pattern(frame: &Value) -> Value {
    json!({"frame": frame["frame"], "value": frame["value"]})
}

/// Returns copies of the step, each with one expectation changed so that no client can meet it.
fn mutate(step: &Map<String, Value>) -> Vec<(String, Map<String, Value>)> {
    let mut all = Vec::new();
    let mut change = |what: String, key: &str, value: Value| {
        let mut changed = step.clone();
        changed.insert(key.to_owned(), value);
        all.push((what, changed));
    };
    for key in ["client", "shown", "told"] {
        let items = list(step.get(key));
        for at in (0..items.len()).filter(|at| items[*at].get("optional").is_none()) {
            let mut fewer = items.to_vec();
            // A `join` may also be sent in the step before, so that it is not missed here.
            if fewer.remove(at)["frame"] != "join" {
                change(format!("{key} without {at}"), key, json!(fewer));
            }
            let mut more = items.to_vec();
            more.push(json!({"frame": "none", "value": {}}));
            change(format!("{key} with one more"), key, json!(more));
            let mut swapped = items.to_vec();
            let is_last = at + 1 == items.len();
            if !is_last && items[at + 1].get("optional").is_none() {
                swapped.swap(at, at + 1);
                change(format!("{key} with {at} behind the next"), key, json!(swapped));
            }
        }
    }
    if let Some(sequence) = step.get("position").and_then(|it| it["sequence"].as_u64()) {
        let mut position = step["position"].clone();
        position["sequence"] = json!(sequence + 1);
        change("position".to_owned(), "position", position);
    }
    if let Some(texts) = step.get("unacknowledged") {
        let more: Vec<Value> =
            texts.as_array().unwrap().iter().cloned().chain([json!("more")]).collect();
        change("unacknowledged".to_owned(), "unacknowledged", json!(more));
    }
    if !step.contains_key("ended") {
        change("ended".to_owned(), "ended", json!("final"));
    }
    all
}

#[test]
fn link_passes_every_tcp_scenario() {
    let scenarios = scenarios("tcp-scenarios.json");
    let mut wrong = Vec::new();
    for scenario in &scenarios {
        let name = scenario["name"].as_str().unwrap();
        match (run(scenario), is_known_difference(name)) {
            (Err(why), false) => wrong.push(format!("{name}: {why}")),
            (Ok(()), true) => wrong.push(format!("{name}: no longer a known difference")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Negative test: every changed expectation is reported as a failure.
#[test]
fn changed_tcp_expectations_are_reported() {
    let mut changes = 0;
    for scenario in scenarios("tcp-scenarios.json") {
        if is_known_difference(scenario["name"].as_str().unwrap()) {
            continue;
        }
        for (what, changed) in mutated(&scenario, mutate) {
            assert!(run(&changed).is_err(), "not noticed: {what}");
            changes += 1;
        }
    }
    assert!(changes > 100, "only {changes} expectations");
}
