//! Runs `docs/protocol/vectors/udp-scenarios.json` against our peer's engine,
//! [`pi_chat::mesh::Mesh`], and checks that a wrong expectation is noticed.

mod peer;
mod simulated_peers;

use serde_json::{Map, Value, json};

use crate::scenario::{Bindings, between, mutated, scenarios, steps};
use peer::Peer;
use simulated_peers::SimulatedPeers;

/// Scenarios that our engine is known not to pass: name and what it does otherwise.
const KNOWN_DIFFERENCES: &[(&str, &str)] = &[];

/// Returns true if our engine is known not to pass the scenario of this name.
fn is_known_difference(name: &str) -> bool {
    KNOWN_DIFFERENCES.iter().any(|(known, _)| *known == name)
}

/// Runs one scenario.
///
/// # Errors
/// A description of the first expectation that the peer did not meet.
fn run(scenario: &Value) -> Result<(), String> {
    let simulated = SimulatedPeers::new(scenario);
    let mut peer = Peer::new(scenario, &simulated);
    let mut bindings = Bindings::default();
    for (number, step) in steps(scenario).enumerate() {
        check(&mut peer, &simulated, &mut bindings, step)
            .map_err(|why| format!("step {number}, {}: {why}", Value::Object(step.clone())))?;
    }
    Ok(())
}

/// Advances the time to a step, executes it and checks its expectations.
fn check(
    peer: &mut Peer,
    simulated: &SimulatedPeers,
    bindings: &mut Bindings,
    step: &Map<String, Value>,
) -> Result<(), String> {
    let window = step.get("at").map_or_else(
        || between(&Value::Object(step.clone())),
        |at| (at.as_u64().unwrap(), at.as_u64().unwrap()),
    );
    peer.advance(window.1);
    if let Some(packet) = step.get("in") {
        let datagram = simulated.datagram(packet, bindings)?;
        peer.receive(&datagram, simulated.source(packet), packet["by"] == "group");
    }
    if let Some(request) = step.get("user") {
        peer.request(request);
    }
    if let Some(expected) = step.get("out") {
        peer.take_sent(window, |sent| matches_sent(bindings, expected, sent))
            .ok_or_else(|| format!("not sent, but {}", json!(peer.sent(window))))?;
    }
    if let Some(expected) = step.get("not_out") {
        let sent = peer.sent(window);
        if let Some(sent) = sent.iter().find(|it| matches_sent(&mut bindings.clone(), expected, it))
        {
            return Err(format!("it sent {sent}"));
        }
    }
    for key in ["shown", "told", "members", "name", "ended"] {
        let Some(expected) = step.get(key) else { continue };
        let actual = peer.state(key);
        if !bindings.matches(expected, &actual) {
            return Err(format!("{key} is {actual}"));
        }
    }
    Ok(())
}

/// Returns true if a datagram that was sent is what `expected` describes: packet, fields, length,
/// and one of the destinations of which it speaks.
fn matches_sent(bindings: &mut Bindings, expected: &Value, sent: &Value) -> bool {
    let mut expected = expected.clone();
    let to = expected.as_object_mut().unwrap().shift_remove("to");
    let is_reached = |name: &Value| sent["to"].as_array().unwrap().contains(name);
    to.is_none_or(|to| {
        to.as_array().map_or_else(|| is_reached(&to), |any| any.iter().any(is_reached))
    }) && bindings.matches(&expected, sent)
}

/// Returns copies of the step, each with one expectation changed so that no peer can meet it.
fn mutate(step: &Map<String, Value>) -> Vec<(String, Map<String, Value>)> {
    let mut all = Vec::new();
    let mut change = |what: &str, remove: Option<&str>, key: &str, value: Value| {
        let mut changed = step.clone();
        remove.and_then(|it| changed.shift_remove(it));
        changed.insert(key.to_owned(), value);
        all.push((what.to_owned(), changed));
    };
    if let Some(expected) = step.get("out") {
        change("out is forbidden", Some("out"), "not_out", expected.clone());
        let mut other = expected.clone();
        other["packet"] = json!("none");
        change("out of another kind", None, "out", other);
    }
    if let Some(expected) = step.get("not_out") {
        change("out is expected", Some("not_out"), "out", expected.clone());
    }
    for key in ["shown", "told", "members"] {
        let Some(items) = step.get(key).and_then(Value::as_array) else { continue };
        for at in 0..items.len() {
            let mut fewer = items.clone();
            fewer.remove(at);
            change(&format!("{key} without {at}"), None, key, json!(fewer));
            let mut swapped = items.clone();
            if at + 1 < items.len() {
                swapped.swap(at, at + 1);
                change(&format!("{key} with {at} behind the next"), None, key, json!(swapped));
            }
        }
        let more: Vec<Value> = items.iter().cloned().chain([json!("more")]).collect();
        change(&format!("{key} with one more"), None, key, json!(more));
    }
    for key in ["name", "ended"] {
        if step.contains_key(key) {
            change(&format!("another {key}"), None, key, json!("none"));
        }
    }
    all
}

#[test]
fn mesh_passes_every_udp_scenario() {
    let mut wrong = Vec::new();
    for scenario in &scenarios("udp-scenarios.json") {
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
fn changed_udp_expectations_are_reported() {
    let mut changes = 0;
    for scenario in scenarios("udp-scenarios.json") {
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

/// Conversations of two peers of the first version, of 2026-11-23, recorded in virtual time: in
/// each of them one side is replaced by today's engine. Every recorded datagram is one that our
/// encoder makes again, byte by byte (`SimulatedPeers::datagram` checks it), so a decoder of that
/// version accepts ours.
const RECORDED: &str = include_str!("recorded/first-peers.json");

/// Recorded peers of the first version and today's engine admit each other, agree, show each
/// other's messages, repair a loss of each side, and part.
#[test]
fn recorded_peers_of_the_first_version_and_ours_talk() {
    let recorded: Vec<Value> = serde_json::from_str(RECORDED).unwrap();
    assert_eq!(recorded.len(), 2);
    for scenario in &recorded {
        run(scenario).unwrap_or_else(|why| panic!("{}: {why}", scenario["name"]));
        for (what, changed) in mutated(scenario, mutate) {
            assert!(run(&changed).is_err(), "not noticed: {what}");
        }
    }
}
